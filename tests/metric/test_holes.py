"""Errors inside holes: polarity, edges, buckets."""

import math

import numpy as np
import pytest

from engine.errors import InputError
from metric.holes import bucket, hole_l1, hole_mse, hole_psnr, hole_ratio, hole_ssim, per_bucket
from metric.psnr_ssim import ssim

RNG = np.random.default_rng(0)
IMAGE = RNG.uniform(0.2, 0.6, (24, 32, 3))
MASK = np.zeros((24, 32, 1), np.float32)
MASK[4:10, :8] = 1


def filled(inside, outside=0.0):
    """The image, wrong by `inside` in the hole and by `outside` elsewhere."""
    return IMAGE + np.where(MASK == 1, inside, outside)


def test_only_the_hole_counts():
    for outside in (0, 0.3):
        assert hole_l1(filled(0.1, outside), IMAGE, MASK) == pytest.approx(0.1)
        assert hole_mse(filled(-0.1, outside), IMAGE, MASK) == pytest.approx(0.01)
        assert hole_psnr(filled(0.1, outside), IMAGE, MASK) == pytest.approx(20)
    assert hole_psnr(filled(0, 0.3), IMAGE, MASK) == math.inf


def test_a_mask_may_lack_its_channel_axis():
    assert hole_l1(filled(0.1, 0.3), IMAGE, MASK[..., 0]) == pytest.approx(0.1)


def test_similarity_in_the_hole():
    assert hole_ssim(IMAGE, IMAGE, MASK) == pytest.approx(1)
    near, far = np.zeros_like(MASK), np.zeros_like(MASK)
    near[10:14, 10:14], far[20:, 28:] = 1, 1
    spoilt = IMAGE.copy()
    spoilt[11:13, 11:13] += 0.4
    assert hole_ssim(spoilt, IMAGE, near) < 0.9 < hole_ssim(spoilt, IMAGE, far)


def test_a_hole_that_leaves_the_edges_gives_the_mean_of_ssim():
    inner = np.zeros_like(MASK)
    inner[5:-5, 5:-5] = 1
    noisy = IMAGE + RNG.normal(0, 0.05, IMAGE.shape)
    assert hole_ssim(noisy, IMAGE, inner) == pytest.approx(ssim(noisy, IMAGE), rel=1e-12)


@pytest.mark.parametrize("ratio, name", [
    (0.005, None), (0.01, None), (0.0101, "0.01-0.1"), (0.1, "0.01-0.1"), (0.1001, "0.1-0.2"), (0.6, "0.5-0.6"),
    (0.61, None),
])  # fmt: skip
def test_buckets_take_their_upper_edge(ratio, name):
    assert bucket(ratio) == name


def test_means_per_bucket():
    assert hole_ratio(MASK) == pytest.approx(6 * 8 / (24 * 32))
    found = per_bucket([0.15, 0.55, 0.05, 0.2, 0.7], [10, 20, 30, 40, 50])
    assert found == {"0.01-0.1": (1, 30), "0.1-0.2": (2, 25), "0.5-0.6": (1, 20)}
    assert list(found) == ["0.01-0.1", "0.1-0.2", "0.5-0.6"]


@pytest.mark.parametrize("mask, told", [
    (0 * MASK, "no hole"), (0.5 * MASK, r"between 0.0 and 0.5"), (MASK[:-1], "must match"), (255 * MASK, "255.0"),
])  # fmt: skip
def test_masks_that_are_none(mask, told):
    with pytest.raises(InputError, match=told):
        hole_l1(IMAGE, IMAGE, mask)
