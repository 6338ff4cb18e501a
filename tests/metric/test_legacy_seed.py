"""The Paddle port's numbers, against its formulas written out with numpy's own covariance."""

import numpy as np
import pytest

from metric.legacy_seed import legacy_fid, legacy_psnr

RNG = np.random.default_rng(0)


def test_psnr_does_not_see_the_dark_half_and_doubles_the_other():
    dark = np.full((4, 4, 3), 0.1)
    assert legacy_psnr(dark, 0 * dark) == 100
    light = np.full((4, 4, 3), 0.6)
    assert legacy_psnr(light, light + 0.05) == pytest.approx(20)  # 0.1 of a peak of 1
    assert legacy_psnr(light, dark) == pytest.approx(20 * np.log10(1 / 0.2))  # 0.2 against a clipped 0


def test_fid_of_one_row_as_old_numpy_had_it():
    """numpy.cov of one row, taken for a column: the variance of its numbers, a 1 x 1 covariance."""
    first, second = RNG.normal(size=2048), RNG.normal(1, 3, size=2048)
    variances = np.cov(first), np.cov(second)
    expected = ((first - second) ** 2).sum() + sum(variances) - 2 * np.sqrt(np.prod(variances))
    assert legacy_fid(first, second) == pytest.approx(expected, rel=1e-12)
    assert legacy_fid(first, first) == 0
