import numpy as np
import pytest

from data_loader import colour

RED = np.zeros((2, 3, 3), np.float32) + np.float32([1, 0, 0])


def test_grey_weights_follow_rgb():
    assert colour.grey(RED).shape == (2, 3, 1) and colour.grey(RED)[0, 0, 0] == pytest.approx(0.299)
    assert colour.grey_rgb(RED[..., ::-1])[1, 2].tolist() == pytest.approx([0.114] * 3)


def test_shift_adds_to_its_channel_and_clips():
    assert colour.shift_channels(RED, [0.5, 0.25, -0.5])[0, 0].tolist() == [1, 0.25, 0]


def test_a_third_of_the_hue_circle_takes_red_to_green():
    assert np.allclose(colour.adjust_hue(RED, 1 / 3), [0, 1, 0], atol=1e-5)
    assert np.allclose(colour.adjust_hue(RED, -1 / 3), [0, 0, 1], atol=1e-5)


@pytest.mark.parametrize("adjust", [colour.adjust_brightness, colour.adjust_contrast, colour.adjust_saturation])
def test_factor_one_changes_nothing_and_zero_removes(adjust):
    picture = np.random.default_rng(0).random((4, 5, 3)).astype(np.float32)
    assert np.allclose(adjust(picture, 1), picture, atol=1e-6)
    removed = adjust(picture, 0)
    assert np.ptp(removed, axis=-1).max() < 1e-6  # no colour left
    assert (np.ptp(removed) < 1e-6) == (adjust is not colour.adjust_saturation)
