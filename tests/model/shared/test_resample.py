import numpy as np
import paddle
import paddle.nn.functional as F
import pytest

from model.shared.resample import bilinear_resize, binomial_kernel, normalized, separable_fir, upfirdn2d


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


@pytest.mark.parametrize("size, out", [((32, 24), (12, 12)), ((8, 8), (20, 31)), ((6, 6), (3, 3))])
def test_bilinear_is_interpolation_at_pixel_centres(size, out):
    x = paddle.to_tensor(np.random.default_rng(0).normal(size=(2, 3, *size)).astype(np.float32))
    expected = F.interpolate(x, out, mode="bilinear", align_corners=False, align_mode=0)
    np.testing.assert_allclose(bilinear_resize(x, *out).numpy(), expected.numpy(), atol=1e-5)


def test_constants_follow_the_precision_of_the_input():
    x = np.random.default_rng(0).normal(size=(1, 1, 8, 8))
    single, double = (separable_fir(paddle.to_tensor(x.astype(t)), (0.1,), (0.3,)) for t in ("float32", "float64"))
    assert (single.dtype, double.dtype) == (paddle.float32, paddle.float64)
    np.testing.assert_allclose(double.numpy(), x * 0.03, rtol=1e-14)
