import threading

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest

from engine import onednn
from engine.onednn import Geometry
from model.shared.convolution import Conv2D, conv2d

GEOMETRIES = [  # (pictures, in, out, kernel, stride, padding, dilation)
    (2, 5, 7, 3, 1, 1, 1),
    (2, 5, 7, 3, 2, 1, 1),
    (1, 8, 8, 4, 2, 1, 1),
    (1, 3, 16, 7, 1, 3, 1),
    (1, 4, 6, 3, 1, 4, 4),
    (3, 6, 4, 5, 2, 2, 1),
    (2, 6, 4, 1, 1, 0, 1),
    (1, 9, 2, 3, 1, 0, 1),
]


def operands(count, inputs, outputs, kernel):
    random = np.random.default_rng(0)
    shapes = (count, inputs, 16, 19), (outputs, inputs, kernel, kernel)
    return [paddle.to_tensor(random.normal(size=shape).astype("float32"), stop_gradient=False) for shape in shapes]


def gradients(out, wanted):
    coefficients = paddle.arange(out.size, dtype="float32").reshape(out.shape).sin()
    return [out, *paddle.grad((out * coefficients).sum(), wanted)]


def close(ours, theirs):
    for one, other in zip(ours, theirs, strict=True):
        largest = float(other.abs().max())
        np.testing.assert_allclose(one.numpy(), other.numpy(), atol=2e-6 * largest)


@pytest.mark.parametrize("shape", GEOMETRIES, ids=str)
def test_values_and_gradients_are_those_of_the_eager_convolution(shape):
    *sizes, stride, padding, dilation = shape
    x, weight = operands(*sizes)
    geometry = Geometry((stride, stride), (padding, padding), (dilation, dilation))

    def eager():
        return F.conv2d(x, weight, None, stride, padding, dilation)

    both = [x, weight]
    close(gradients(onednn.convolution(x, weight, geometry), both), gradients(eager(), both))
    weight.stop_gradient = True  # the input's gradient alone: another program
    close(gradients(onednn.convolution(x, weight, geometry), [x]), gradients(eager(), [x]))
    x.stop_gradient, weight.stop_gradient = True, False
    close(gradients(onednn.convolution(x, weight, geometry), [weight]), gradients(eager(), [weight]))
    with paddle.no_grad():
        close([onednn.convolution(x, weight, geometry)], [eager()])


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("is_trained", [True, False])
def test_a_weight_that_changes_is_not_remembered(stride, is_trained):
    x, weight = operands(2, 8, 8, 4)
    weight.stop_gradient, geometry = not is_trained, Geometry((stride, stride), (1, 1))
    for _ in range(3):
        wanted = [x, weight] if is_trained else [x]
        eager = gradients(F.conv2d(x, weight, None, stride, 1), wanted)
        close(gradients(onednn.convolution(x, weight, geometry), wanted), eager)
        weight.set_value(weight * -1.5 + 0.1)
    weight = weight.clone().detach()
    weight.stop_gradient = not is_trained
    wanted = [x, weight] if is_trained else [x]
    eager = gradients(F.conv2d(x, weight, None, stride, 1), wanted)
    close(gradients(onednn.convolution(x, weight, geometry), wanted), eager)


def test_operands_that_are_views_are_read_right():
    x, weight = (tensor.detach() for tensor in operands(2, 5, 5, 3))
    turned = x.transpose([0, 1, 3, 2])
    assert not turned.is_contiguous()
    out = onednn.convolution(turned, weight.transpose([1, 0, 2, 3]), Geometry())
    close([out], [F.conv2d(x.transpose([0, 1, 3, 2]).clone(), weight.transpose([1, 0, 2, 3]).clone())])


def test_a_second_gradient_is_an_error():
    x, weight = operands(1, 4, 4, 3)
    out = onednn.convolution(x, weight, Geometry())
    with pytest.raises(Exception, match=r"no second gradient"):
        paddle.grad(out.sum(), [x, weight], create_graph=True)


def test_a_program_holds_no_tensor_after_its_run():
    x, weight = operands(1, 4, 4, 3)
    onednn.convolution(x, weight, Geometry()).sum().backward()
    programs = list(onednn._programs.made.values())
    held = [p.scope.find_var(name).get_tensor() for p in programs for name in (*p.inputs, *p.outputs)]
    assert held
    assert not any(tensor._is_initialized() for tensor in held)


def test_a_thread_keeps_so_many_programs_and_no_more(monkeypatch):
    monkeypatch.setattr(onednn, "KEPT", 3)
    onednn._programs.made.clear()
    weight = paddle.ones([4, 4, 3, 3])
    for side in (*range(8, 14), 8):
        out = onednn.convolution(paddle.ones([1, 4, side, side]), weight, Geometry())
        assert float(out.max()) == 36.0
        assert len(onednn._programs.made) <= 3


def test_threads_do_not_disturb_each_other():
    random, weight = np.random.default_rng(0), paddle.ones([8, 8, 3, 3])
    pictures = [paddle.to_tensor(random.normal(size=(1, 8, 32, 32)).astype("float32")) for _ in range(4)]
    wanted = [onednn.convolution(picture, weight, Geometry()).numpy() for picture in pictures]
    differ = []

    def work(i):
        for _ in range(30):
            out = onednn.convolution(pictures[i], weight, Geometry()).numpy()
            differ.append(not np.array_equal(out, wanted[i]))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(differ) == 120
    assert not any(differ)


def ran(function):
    before = onednn.state.runs
    out = function()
    return out, onednn.state.runs > before


def test_a_layer_takes_it_where_it_is_faster():
    layer = Conv2D(32, 32, 3, padding=1)
    x = paddle.randn([1, 32, 64, 64])
    fast, was_fast = ran(lambda: layer(x))
    with onednn.plain():
        slow, was_slow = ran(lambda: layer(x))
    assert (was_fast, was_slow) == (True, False)
    close([fast], [slow])
    assert not ran(lambda: layer(x[:, :, :8, :8]))[1]
    assert not ran(lambda: conv2d(x.astype("float64"), layer.weight.astype("float64"), padding=1))[1]
    assert not ran(lambda: conv2d(x, paddle.randn([128, 32, 1, 1])))[1]
    assert not ran(lambda: conv2d(x, paddle.randn([64, 32, 3, 3]), stride=2))[1]


def test_a_process_can_do_without(monkeypatch):
    monkeypatch.setattr(onednn.state, "left_out", False)
    onednn.leave_out()
    assert not onednn.suits(paddle.randn([1, 32, 64, 64]), paddle.randn([32, 32, 3, 3]), Geometry())
