"""Filled holes in their pictures: an output equal to the picture changes nothing, "none" is the output itself."""

import numpy as np
import pytest

from deploy.filling import default_mask, pasted
from engine.images import to_uint8
from engine.system import BLENDS, Hole

SIZES = ((40, 40), (41, 53), (60, 37))


def picture(size, seed=0):
    """8-bit noise: a shift of one pixel shows."""
    return np.random.default_rng(seed).integers(0, 256, (*size, 3)).astype(np.float32) / 255


def hole(size, seed):
    """A box of any size and place, one picture's width from the edge or at it."""
    rng = np.random.default_rng(seed)
    height, width = (rng.integers(5, side // 2) for side in size)
    top, left = rng.integers(0, size[0] - height + 1), rng.integers(0, size[1] - width + 1)
    mask = np.zeros((*size, 1), np.float32)
    mask[top : top + height, left : left + width] = 1
    return mask


@pytest.mark.parametrize("mode", BLENDS)
@pytest.mark.parametrize("size", SIZES)
def test_identity_is_exact_to_one_grey_level(mode, size):
    own = picture(size)
    for seed in range(4):
        written = to_uint8(pasted(own, own, hole(size, seed), mode))
        assert np.abs(written.astype(int) - to_uint8(own)).max() <= 1


@pytest.mark.parametrize("mode", BLENDS)
def test_known_pixels_are_the_pictures_own(mode):
    own, output, mask = picture((41, 53)), picture((41, 53), 1), hole((41, 53), 2)
    written = to_uint8(pasted(output, own, mask, mode))
    if mode == "none":
        np.testing.assert_array_equal(written, to_uint8(output))
    else:
        np.testing.assert_array_equal(np.where(mask, 0, written), np.where(mask, 0, to_uint8(own)))
        assert (written != to_uint8(own)).any(axis=2)[mask[..., 0] == 1].mean() > 0.5


def test_modes_are_what_they_say():
    """In the hole composite is the output, Poisson the output with the picture's level, of which none has a seam."""
    own = np.full((40, 40, 3), 0.25, np.float32)
    output = np.full((20, 20, 3), 0.75, np.float32)
    mask = np.zeros((40, 40, 1), np.float32)
    mask[10:30, 12:28] = 1
    inside = np.s_[10:30, 12:28]
    made = {mode: to_uint8(pasted(output, own, mask, mode)) for mode in ("composite", "poisson", "none")}
    assert (made["composite"][inside] == 191).all() and (made["poisson"][inside] == 64).all()
    assert (made["none"] == 191).all()


def test_the_default_hole_is_the_lower_middle_quarter():
    mask = default_mask(Hole(default="face_box"), (40, 60))
    assert mask.shape == (40, 60, 1) and mask.sum() == 20 * 30
    assert mask[20:, 15:45].all()
