"""NIQE: distributions with known shape, the distance's closed form, MATLAB's reduction, blocks."""

import math

import numpy as np
import pytest
from PIL import Image

from engine.errors import InputError
from metric.niqe import (
    NaturalStatistics,
    asymmetric_gaussian,
    block_features,
    contrast_normalised,
    half_matrix,
    halved,
    load_parameters,
    niqe,
    niqe_distance,
)

RNG = np.random.default_rng(0)


def photo(seed, noise=0.0, size=(200, 300)):
    """Something with structure at all scales."""
    rng = np.random.default_rng(seed)
    grey = np.zeros(size)
    for side in (2, 4, 8, 16, 32, 64):
        small = Image.fromarray(rng.normal(0, 1, (side, side)).astype(np.float32))
        grey += np.asarray(small.resize(size[::-1], Image.Resampling.BICUBIC)) / side**0.7
    grey = 0.5 + 0.15 * grey + rng.normal(0, 0.01 + noise, size)
    return np.clip(np.repeat(grey[..., None], 3, axis=2), 0, 1)


def test_symmetric_distributions():
    """Normal: shape 2 and scale sqrt(2) sigma; Laplace: shape 1 and its own scale."""
    values = np.stack([RNG.normal(0, 0.5, 400_000), RNG.laplace(0, 0.5, 400_000)])
    alpha, left, right = asymmetric_gaussian(values)
    np.testing.assert_allclose(alpha, [2, 1], rtol=0.02)
    np.testing.assert_allclose(left, [0.5 * np.sqrt(2), 0.5], rtol=0.02)
    np.testing.assert_allclose(left, right, rtol=0.02)


def test_the_wider_side_is_right():
    """A Laplace with scales 0.3 on the left, 0.9 on the right: sides are drawn in proportion to their scales."""
    magnitude, is_right = RNG.exponential(1, 600_000), RNG.uniform(size=600_000) < 0.75
    alpha, left, right = asymmetric_gaussian(np.where(is_right, 0.9 * magnitude, -0.3 * magnitude)[None])
    assert [alpha[0], left[0], right[0]] == pytest.approx([1, 0.3, 0.9], rel=0.03)


def test_distance_in_closed_form():
    covariance = np.diag(np.arange(1.0, 37))
    first = NaturalStatistics(np.zeros(36), covariance)
    offset = np.zeros(36)
    offset[3], offset[8] = 4, 3
    assert niqe_distance(first, NaturalStatistics(offset, covariance)) == pytest.approx(np.sqrt(16 / 4 + 9 / 9))
    assert niqe_distance(first, NaturalStatistics(offset, 3 * covariance)) == pytest.approx(np.sqrt(5 / 2))
    assert niqe_distance(first, first) == 0


def fitted(pictures):
    """Statistics of pictures in place of the published ones: all their blocks together."""
    features = np.concatenate([block_features(picture) for picture in pictures])
    return NaturalStatistics(features.mean(0), np.cov(features, rowvar=False))


def test_own_statistics_are_at_distance_zero_and_noise_is_farther():
    natural = fitted([photo(seed) for seed in range(6)])
    own = photo(3)
    assert niqe(own, fitted([own])) == pytest.approx(0, abs=1e-6)
    clean, noisy = (np.mean([niqe(photo(seed, noise), natural) for seed in (50, 51, 52)]) for noise in (0, 0.1))
    assert noisy > 1.5 * clean > 0


def test_reduction_by_two():
    """Eight taps of the stretched cubic; inside it is Pillow's, at the edge pixels are mirrored."""
    np.testing.assert_allclose(half_matrix(12)[2, 1:9] * 256, [-3, -9, 29, 111, 111, 29, -9, -3])
    np.testing.assert_allclose(half_matrix(12)[0, :5] * 256, [111 + 29, 111 - 9, 29 - 3, -9, -3])
    np.testing.assert_allclose(half_matrix(10).sum(axis=1), 1)
    grey = RNG.uniform(0, 255, (40, 60))
    theirs = np.asarray(Image.fromarray(grey.astype(np.float32)).resize((30, 20), Image.Resampling.BICUBIC))
    np.testing.assert_allclose(halved(grey)[3:-3, 3:-3], theirs[3:-3, 3:-3], atol=1e-3)


def test_local_contrast():
    """A constant becomes zero; a lone bright pixel is divided by its own deviation and one."""
    assert np.abs(contrast_normalised(np.full((20, 20), 77.0))).max() < 1e-3
    grey = np.zeros((15, 15))
    grey[7, 7] = 100
    taps = np.exp(-(np.arange(-3, 4) ** 2) / (2 * (7 / 6) ** 2))
    centre = (taps / taps.sum())[3] ** 2
    expected = 100 * (1 - centre) / (100 * np.sqrt(centre - centre**2) + 1)
    assert contrast_normalised(grey)[7, 7] == pytest.approx(expected, rel=1e-6)


def test_blocks_and_their_scales():
    """Whole blocks only; the first 18 features are of full size, the others of half size."""
    picture = photo(1)
    features = block_features(picture)
    assert features.shape == (2 * 3, 36) and np.isfinite(features).all()
    np.testing.assert_array_equal(block_features(picture[:192, :288]), features)
    grey = np.rint(255 * (picture[:192, :288, 0] * 219 / 255 + 16 / 255))
    for first, side, image in ((0, 96, grey), (18, 48, halved(grey))):
        values = contrast_normalised(image)[:side, side : 2 * side]  # the second block of the first row
        expected = written_out(values)
        np.testing.assert_allclose(features[1, first : first + 18], expected, rtol=1e-9)


def written_out(values):
    """The 18 features of one block: each pixel with its left, upper, upper left and upper right neighbour, wrapping."""
    alpha, left, right = (each[0] for each in asymmetric_gaussian(values.reshape(1, -1)))
    found = [alpha, (left + right) / 2]
    side, (rows, columns) = len(values), np.indices(values.shape)
    for up, aside in ((0, -1), (-1, 0), (-1, -1), (-1, 1)):
        neighbours = values[(rows + up) % side, (columns + aside) % side]
        alpha, left, right = (each[0] for each in asymmetric_gaussian((values * neighbours).reshape(1, -1)))
        mean = (right - left) * math.gamma(2 / alpha) / math.gamma(1 / alpha)
        found += [alpha, mean, left, right]
    return found


def test_small_pictures_are_refused():
    natural = NaturalStatistics(np.zeros(36), np.eye(36))
    with pytest.raises(InputError, match="90 x 300: NIQE needs blocks of 96 x 96"):
        niqe(photo(0)[:90], natural)
    with pytest.raises(InputError, match="needs 2 blocks"):
        niqe(photo(0)[:100, :100], natural)
    with pytest.raises(InputError, match="not flat; found 0"):
        niqe(np.full((200, 200, 3), 0.5), natural)


def test_parameters_are_read_as_published(tmp_path):
    np.savez(tmp_path / "n.npz", mu_pris_param=np.arange(36.0)[None], cov_pris_param=np.eye(36), gaussian_window=1)
    natural = load_parameters(tmp_path / "n.npz")
    assert natural.mean.tolist() == list(range(36)) and natural.covariance.shape == (36, 36)
    np.savez(tmp_path / "m.npz", mu_pris_param=np.zeros(5), cov_pris_param=np.eye(5))
    for name in ("m.npz", "absent.npz"):
        with pytest.raises(InputError, match=name):
            load_parameters(tmp_path / name)
