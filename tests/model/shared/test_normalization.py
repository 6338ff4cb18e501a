"""The running variance is the population's; everything else is Paddle's layer."""

import numpy as np
import paddle
from paddle import nn

from model.shared.normalization import BatchNorm2D


def test_running_variance_is_unbiased():
    x = paddle.to_tensor(np.random.default_rng(0).standard_normal([2, 3, 2, 2]).astype("float32"))
    ours, paddles = BatchNorm2D(3, momentum=0.9), nn.BatchNorm2D(3, momentum=0.9)
    for _ in range(2):
        np.testing.assert_array_equal(ours(x).numpy(), paddles(x).numpy())
    np.testing.assert_array_equal(ours._mean.numpy(), paddles._mean.numpy())
    variance = x.numpy().var(axis=(0, 2, 3), ddof=1)
    np.testing.assert_allclose(ours._variance.numpy(), 0.9 * (0.9 + 0.1 * variance) + 0.1 * variance, rtol=1e-5)
    ours.eval()
    before = ours._variance.numpy().copy()
    ours(x)
    np.testing.assert_array_equal(ours._variance.numpy(), before)


def test_one_value_a_channel_leaves_a_finite_variance():
    layer = BatchNorm2D(2)
    layer(paddle.ones([1, 2, 1, 1]))
    assert np.isfinite(layer._variance.numpy()).all()
