import numpy as np
import paddle
import paddle.nn.functional as F
import pytest

from model.shared.convolution import same_conv, up_conv


def arrays(in_channels, out_channels, size):
    random = np.random.default_rng(0)
    x, weight = random.normal(size=(2, in_channels, size, size)), random.normal(size=(out_channels, in_channels, 3, 3))
    return paddle.to_tensor(x), paddle.to_tensor(weight)


def gradients(function, x, weight, second_order):
    x.stop_gradient = weight.stop_gradient = False
    out = function(x, weight, second_order)
    coefficients = paddle.arange(out.size, dtype="float64").reshape(out.shape).sin()
    return [out.numpy(), *(g.numpy() for g in paddle.grad((out * coefficients).sum(), [x, weight]))]


@pytest.mark.parametrize("channels", [(6, 3), (3, 6), (4, 4)])
def test_fast_convolution_is_a_convolution(channels):
    x, weight = arrays(*channels, 7)
    np.testing.assert_allclose(same_conv(x, weight).numpy(), F.conv2d(x, weight, padding=1).numpy(), atol=1e-12)


@pytest.mark.parametrize("function", [same_conv, up_conv])
def test_both_forms_have_the_same_values_and_gradients(function):
    x, weight = arrays(6, 3, 5)
    fast, slow = gradients(function, x, weight, False), gradients(function, x, weight, True)
    for one, other in zip(fast, slow, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-10)


def test_up_convolution_is_transposed_convolution_then_blur():
    x, weight = arrays(4, 3, 5)
    up = F.conv2d_transpose(x, weight.transpose([1, 0, 2, 3]), stride=2)
    blur = paddle.to_tensor(np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 16.0).reshape([1, 1, 4, 4])
    n, c, h, w = up.shape
    expected = F.conv2d(up.reshape([n * c, 1, h, w]), blur, padding=1).reshape([n, c, 10, 10])
    np.testing.assert_allclose(up_conv(x, weight).numpy(), expected.numpy(), atol=1e-12)
