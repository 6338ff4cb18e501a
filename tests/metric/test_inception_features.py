"""The two ways pictures get to 299 x 299, against their definitions."""

import numpy as np
import paddle
import pytest

from metric.inception_features import InceptionFeatures, clean_input, legacy_input, resize_bicubic

RNG = np.random.default_rng(0)


def antialiased_bicubic(size, out):
    """Pillow's definition as a matrix: cubic with a = -0.5, stretched by the reduction, cut off at the edge."""
    scale = size / out
    stretch = max(scale, 1.0)
    centres = (np.arange(out) + 0.5) * scale
    distance = np.abs((np.arange(size) + 0.5 - centres[:, None]) / stretch)
    near, far = 1.5 * distance**3 - 2.5 * distance**2 + 1, -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
    weights = np.where(distance <= 1, near, np.where(distance < 2, far, 0))
    return weights / weights.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("size", [12, 31, 64])
def test_clean_resize_is_antialiased_bicubic_on_floats(size):
    channel = RNG.uniform(0, 255, (size, size))
    matrix = antialiased_bicubic(size, 24)
    np.testing.assert_allclose(resize_bicubic(channel, 24), matrix @ channel @ matrix.T, atol=2e-3)


def test_clean_resize_neither_rounds_nor_clips():
    edge = np.zeros((40, 40))
    edge[:, 20:] = 255
    resized = resize_bicubic(edge, 60)
    assert resized.min() < -5 and resized.max() > 260
    assert np.abs(resized - np.rint(resized)).max() > 0.1


def test_fine_stripes_vanish_in_clean_and_alias_in_legacy():
    stripes = np.zeros((1, 897, 897, 3), np.uint8)
    stripes[:, ::3] = 255  # a third of the rows is white; 897 = 3 * 299
    legacy, clean = legacy_input(stripes).numpy(), clean_input(stripes).numpy()
    assert legacy.min() == pytest.approx(-1) and legacy.max() == pytest.approx(-1)  # every centre row is black
    middle = (255 / 3 - 128) / 128
    assert np.abs(clean[:, :, 5:-5] - middle).max() < 0.02


def test_legacy_takes_the_two_nearest_pixels():
    """299 of 2 * 299 pixels: the mean of two; of 299 pixels: the picture itself."""
    row = RNG.uniform(0, 1, (1, 598, 598, 3))
    expected = row.reshape(1, 299, 2, 299, 2, 3).mean(axis=(2, 4)).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(legacy_input(row.astype(np.float32)).numpy(), 2 * expected - 1, atol=1e-5)
    same = RNG.integers(0, 256, (1, 299, 299, 3), np.uint8)
    np.testing.assert_allclose(legacy_input(same).numpy(), same.transpose(0, 3, 1, 2) / 127.5 - 1, atol=1e-6)


def test_ranges_and_channels():
    """pytorch-fid maps 0 and 255 to -1 and 1, clean-fid (through its network) to -1 and 127/128; red comes first."""
    red = np.zeros((2, 20, 30, 3), np.uint8)
    red[..., 0] = 255
    for prepare, white in ((legacy_input, 1), (clean_input, 127 / 128)):
        found = prepare(red).numpy()
        assert found.shape == (2, 3, 299, 299) and found.dtype == np.float32
        np.testing.assert_allclose(found[:, 0], white, atol=1e-5)
        np.testing.assert_allclose(found[:, 1:], -1, atol=1e-5)
        np.testing.assert_allclose(prepare((red / 255).astype(np.float32)).numpy(), found, atol=1e-5)


def test_features_of_a_batch():
    class Mean(paddle.nn.Layer):
        def forward(self, image):
            return image.mean(axis=[2, 3])

    pictures = np.zeros((2, 8, 8, 3), np.uint8)
    pictures[1] = (255, 0, 255)
    for resize in ("legacy", "clean"):
        found = InceptionFeatures(Mean(), resize)(pictures)
        np.testing.assert_allclose(found, [[-1, -1, -1], [1, -1, 1]], atol=0.01)
