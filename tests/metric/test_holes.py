import math

import numpy as np
import pytest

from engine.errors import InputError
from metric.holes import bucket, hole_l1, hole_psnr, hole_ratio


@pytest.fixture
def pictures():
    """Wrong by 51 levels in the hole (the upper left quarter) and by 102 outside it."""
    target, mask = np.full((8, 8, 3), 20, np.uint8), np.zeros((8, 8, 1), np.float32)
    mask[:4, :4] = 1
    return np.where(mask == 1, target + 51, target + 102), target, mask


def test_only_the_hole_counts(pictures):
    output, target, mask = pictures
    assert hole_l1(output, target, mask) == pytest.approx(0.2)
    assert hole_psnr(output, target, mask) == pytest.approx(-20 * math.log10(0.2))
    assert hole_l1(output, target, 1 - mask) == pytest.approx(0.4)
    assert hole_psnr(target, target, mask[..., 0]) == math.inf
    assert hole_ratio(mask) == 0.25


def test_masks_that_cannot_be_meant(pictures):
    output, target, mask = pictures
    for bad, line in ((mask * 0, "no hole"), (mask * 0.5, "between 0.0 and 0.5"), (mask[:4], "must match")):
        with pytest.raises(InputError, match=line):
            hole_l1(output, target, bad)


def test_buckets_are_open_below_and_closed_above():
    found = [bucket(ratio) for ratio in (0.01, 0.0101, 0.1, 0.11, 0.6, 0.61)]
    assert found == [None, "0.01-0.1", "0.01-0.1", "0.1-0.2", "0.5-0.6", None]
