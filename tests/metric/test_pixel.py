import numpy as np
import pytest

from engine.errors import InputError
from metric.pixel import l1


def test_mean_of_absolute_differences_in_unit_values():
    target = np.zeros((4, 5, 3), np.uint8)
    output = target.copy()
    output[0, 0] = [51, 0, 102]
    assert l1(output, target) == pytest.approx((0.2 + 0.4) / 60)
    assert l1(target, output) == l1(output, target) == pytest.approx(l1(output / 255, target / 255))


def test_shapes_have_to_match():
    with pytest.raises(InputError, match="must match"):
        l1(np.zeros((4, 4, 3)), np.zeros((4, 5, 3)))
