"""Filled holes in their pictures: an output equal to the picture changes nothing, "none" is the output itself."""

import numpy as np
import pytest

from deploy.filling import MARGIN, coarse_to_fine, default_mask, halved, hole_boxes, in_parts, pasted
from deploy.hole_closure import open_part
from engine.images import to_uint8
from engine.ports import BLENDS, Hole

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


def constant(level):
    """A run that fills with a level and keeps what it was given."""
    seen = []

    def run(own, mask):
        seen.append((own.copy(), mask.copy()))
        return np.full_like(own, level)

    return run, seen


def test_holes_of_a_large_picture_are_filled_in_crops():
    own = np.random.default_rng(0).random((900, 1200, 3), np.float32)
    mask = np.zeros((900, 1200, 1), np.float32)
    mask[40:60, 30:90] = mask[700:760, 1100:1190] = mask[790:800, 1150:1160] = 1
    run, seen = constant(0.5)
    made = in_parts(own, mask, (), run)
    np.testing.assert_array_equal(made, np.where(mask == 1, np.float32(0.5), own))
    assert len(seen) == 2  # two of the three are near
    for part, hole in seen:
        assert hole.any() and part.shape[0] * part.shape[1] < 150_000
    assert sum(hole.sum() for _, hole in seen) == mask.sum()
    assert in_parts(own, mask * 0, (), run) is not own and len(seen) == 2


def test_a_crop_has_its_margin_of_known_pixels():
    hole = np.zeros((1000, 1000), bool)
    hole[500, 400:420] = True
    ((rows, columns),) = hole_boxes(hole)
    assert rows.start <= 500 - MARGIN and rows.stop > 500 + MARGIN
    assert columns.start <= 400 - MARGIN and columns.stop >= 420 + MARGIN
    assert hole_boxes(hole[:500]) == [] and hole_boxes(hole[:100, :100]) == [np.s_[:, :]]


def test_half_the_size_is_the_mean_of_what_is_known():
    own = np.zeros((3, 4, 3), np.float32)
    own[:2, :2] = np.float32([[0.2, 0.4], [9, 0.6]])[..., None]
    mask = np.zeros((3, 4, 1), np.float32)
    mask[1, 0] = mask[:2, 2:] = 1
    small, hole = halved(own, mask)
    assert small.shape == (2, 2, 3) and hole[..., 0].tolist() == [[0, 1], [0, 0]]
    np.testing.assert_allclose(small[0, 0], 0.4, atol=1e-6)
    np.testing.assert_allclose(small[1], 0)


def test_what_the_network_cannot_reach_comes_from_smaller_copies():
    """Every run gets a hole that closes; smaller copies first; nothing of the hole is left, nothing else changes."""
    kernels, own = (3, 3, 3), np.full((64, 64, 3), 0.25, np.float32)
    mask = np.zeros((64, 64, 1), np.float32)
    mask[4:60, 4:60] = 1
    own[mask[..., 0] == 1] = 7
    run, seen = constant(0.5)
    made = coarse_to_fine(own, mask, kernels, run)
    np.testing.assert_array_equal(made, np.where(mask == 1, np.float32(0.5), own))
    sides = [hole.shape[0] for _, hole in seen]
    assert sides == sorted(sides) and sides[0] < 64 and sides[-1] == 64
    for part, hole in seen:
        assert not open_part(hole[..., 0] > 0, kernels).any()
        assert part[hole[..., 0] == 0].max() <= 0.5  # what stood in the hole is never taken for known
    run, seen = constant(0.5)
    coarse_to_fine(own, mask * 0 + (np.arange(64)[:, None, None] == 9), kernels, run)
    assert [hole.shape[0] for _, hole in seen] == [64]
