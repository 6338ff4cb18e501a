import numpy as np
import pytest

from engine.errors import InputError
from metric.pixel import l1, mse, relative_l1

DARK, LIGHT = np.full((4, 6, 3), 51, np.uint8), np.full((4, 6, 3), 102, np.uint8)


def test_known_errors():
    assert l1(DARK, LIGHT) == l1(LIGHT, DARK) == pytest.approx(0.2)
    assert mse(DARK, LIGHT) == pytest.approx(0.04)
    assert relative_l1(DARK, LIGHT) == pytest.approx(51 / 153)
    assert l1(DARK / 255, LIGHT / 255) == pytest.approx(0.2)


def test_one_channel_of_three():
    other = DARK.copy()
    other[..., 2] += 51
    assert l1(DARK, other) == pytest.approx(0.2 / 3) and mse(DARK, other) == pytest.approx(0.04 / 3)


def test_equal_pictures_and_unequal_shapes():
    assert l1(DARK, DARK) == mse(DARK, DARK) == relative_l1(0 * DARK, 0 * DARK) == 0
    for metric in (l1, mse, relative_l1):
        with pytest.raises(InputError, match="must match"):
            metric(DARK, LIGHT[:2])
