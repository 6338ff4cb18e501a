import numpy as np
import paddle
import paddle.nn.functional as F
import pytest

from model.shared.convolution import binomial_kernel, normalized, same_conv, separable_fir, up_conv
from tests.parity.stylegan2 import upfirdn2d


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


def naive_upfirdn2d(x, kernel, up, down, pad):
    """The definition, pixel by pixel: zero-insert, pad or crop, convolve, stride."""
    n, c, h, w = x.shape
    large = np.zeros((n, c, h * up, w * up))
    large[:, :, ::up, ::up] = x
    grown = np.pad(large, [(0, 0), (0, 0)] + [tuple(max(p, 0) for p in pad)] * 2)
    before, after = (max(-p, 0) for p in pad)
    grown = grown[:, :, before : grown.shape[2] - after, before : grown.shape[3] - after]
    kh, kw = kernel.shape
    rows, columns = grown.shape[2] - kh + 1, grown.shape[3] - kw + 1
    out = np.zeros((n, c, rows, columns))
    for i in range(rows):
        for j in range(columns):
            out[:, :, i, j] = (grown[:, :, i : i + kh, j : j + kw] * kernel[::-1, ::-1]).sum(axis=(2, 3))
    return out[:, :, ::down, ::down]


@pytest.mark.parametrize("up, down", [(1, 1), (2, 1), (1, 2), (3, 2)])
@pytest.mark.parametrize("pad", [(2, 1), (0, 3), (-1, 2)])
def test_matrix_form_is_the_definition(up, down, pad):
    random = np.random.default_rng(0)
    x, kernel = random.normal(size=(2, 3, 9, 7)), random.normal(size=(4, 3))  # no symmetry, no outer product
    ours = upfirdn2d(paddle.to_tensor(x), kernel, up, down, pad).numpy()
    expected = naive_upfirdn2d(x, kernel, up, down, pad)
    assert ours.shape == expected.shape
    np.testing.assert_allclose(ours, expected, atol=1e-12)


def test_taps_of_rows_and_columns_are_not_exchanged():
    x, rows, columns = np.random.default_rng(0).normal(size=(1, 1, 6, 6)), (1.0, 2.0, 4.0), (3.0, -1.0, 0.5)
    ours = separable_fir(paddle.to_tensor(x), rows, columns, pad=(1, 1)).numpy()
    np.testing.assert_allclose(ours, naive_upfirdn2d(x, np.outer(rows, columns), 1, 1, (1, 1)), atol=1e-12)


def test_taps_are_the_factor_of_the_stored_kernel():
    np.testing.assert_allclose(np.outer(normalized(4.0), normalized(4.0)), binomial_kernel(4.0), rtol=1e-7)
    assert binomial_kernel().sum() == pytest.approx(1)


def test_constants_follow_the_precision_of_the_input():
    x = np.random.default_rng(0).normal(size=(1, 1, 8, 8))
    single, double = (separable_fir(paddle.to_tensor(x.astype(t)), (0.1,), (0.3,)) for t in ("float32", "float64"))
    assert (single.dtype, double.dtype) == (paddle.float32, paddle.float64)
    np.testing.assert_allclose(double.numpy(), x * 0.03, rtol=1e-14)
