"""The folded blocks against definitions written out in numpy; the filter is lopsided so that a flip shows."""

import numpy as np
import paddle

from model.shared.exported import DepthwiseFIR, FoldedModulatedConv, UpsampledSkip

KERNEL = np.outer([1.0, 2.0, 4.0, 8.0], [1.0, 3.0, 5.0, 2.0]) / 100


def upfirdn(plane, kernel, up, before, after):
    """Zero-insertion, padding, correlation with the flipped kernel: the definition, one [H, W] plane."""
    height, width = plane.shape
    spread = np.zeros((height * up, width * up))
    spread[::up, ::up] = plane
    padded = np.pad(spread, (before, after))
    flipped, k = kernel[::-1, ::-1], len(kernel)
    rows, columns = padded.shape[0] - k + 1, padded.shape[1] - k + 1
    return np.array([[(padded[i : i + k, j : j + k] * flipped).sum() for j in range(columns)] for i in range(rows)])


def planes(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def test_depthwise_fir_is_upfirdn():
    x = planes(1, 2, 5, 6)
    found = DepthwiseFIR(KERNEL, 2, padding=2)(paddle.to_tensor(x)).numpy()
    for channel in range(2):
        np.testing.assert_allclose(found[0, channel], upfirdn(x[0, channel], KERNEL, 1, 2, 2), atol=1e-5)


def test_upsampled_skip_is_upfirdn():
    x = planes(1, 3, 4, 5)
    found = UpsampledSkip(KERNEL)(paddle.to_tensor(x)).numpy()
    assert found.shape == (1, 3, 8, 10)
    for channel in range(3):
        np.testing.assert_allclose(found[0, channel], upfirdn(x[0, channel], KERNEL, 2, 2, 1), atol=1e-5)


def test_modulated_conv_equals_per_sample_weights():
    weight, modulation, bias = planes(1, 4, 3, 3, 3), planes(3, 5) * 2, planes(3) + 1
    x, latent = planes(2, 3, 6, 6), planes(2, 5) * 3
    weights = {"c.weight": weight, "c.modulation.weight": modulation, "c.modulation.bias": bias}
    found = FoldedModulatedConv(weights, "c", gain=1.5)(paddle.to_tensor(x), paddle.to_tensor(latent))
    for i in range(2):
        style = latent[i] @ modulation.T / np.sqrt(5) + bias
        sample = weight[0] * style[None, :, None, None] / np.sqrt(27)
        sample = np.float32(sample / np.sqrt((sample**2).sum(axis=(1, 2, 3), keepdims=True) + 1e-8))
        wanted = 1.5 * paddle.nn.functional.conv2d(paddle.to_tensor(x[i : i + 1]), paddle.to_tensor(sample), padding=1)
        np.testing.assert_allclose(found[i].numpy(), wanted[0].numpy(), atol=1e-5)
