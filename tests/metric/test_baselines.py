import numpy as np

from metric.evaluation.baselines import mean_colour_fill, telea_fill

MASK = np.zeros((12, 12, 1), np.float32)
MASK[4:8, 4:8] = 1


def test_known_pixels_stay_and_hidden_ones_have_no_influence():
    picture = np.random.default_rng(0).integers(0, 256, (12, 12, 3)).astype(np.uint8)
    other = np.where(MASK == 1, np.uint8(255), picture)
    for fill in (mean_colour_fill, telea_fill):
        filled = fill(picture, MASK)
        assert np.array_equal(filled, fill(other, MASK)) and filled.dtype == np.uint8
        assert np.array_equal(filled[MASK[..., 0] == 0], picture[MASK[..., 0] == 0])


def test_mean_is_of_the_known_pixels():
    picture = np.where(MASK == 1, np.uint8(0), np.uint8([10, 20, 30]))
    assert np.array_equal(mean_colour_fill(picture, MASK)[5, 5], [10, 20, 30])


def test_telea_goes_on_with_the_neighbourhood():
    """Left half dark, right half light: the hole's outer columns follow their sides, the mean would not."""
    picture = np.zeros((12, 12, 3), np.uint8)
    picture[:, 6:] = 200
    filled = telea_fill(picture, MASK)
    assert filled[4:8, 4].max() < 60 and filled[4:8, 7].min() > 140
