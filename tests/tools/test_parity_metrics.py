"""Inception's maps, FID and LPIPS against recorded values of the official code."""

from pathlib import Path

import numpy as np
import pytest

from model.backbones.lpips import LPIPS
from tests.parity import recipe_array
from tests.parity.metrics import CASES

GOLDEN = Path(__file__).parents[1] / "assets" / "golden"
RELATIVE = 2.5e-5


def agrees(case, config, weights):
    stored = dict(np.load(GOLDEN / f"{case}.npz"))
    inputs = {key: value for key, value in stored.items() if key.startswith("in:")}
    expected = {key: value for key, value in stored.items() if key.startswith("out:")}
    weights = weights | {key[2:]: value for key, value in stored.items() if key.startswith("w:")}
    ours = CASES[case.rsplit("_", 1)[0]](config, inputs, weights)
    assert ours.keys() == expected.keys()
    for key, value in expected.items():
        assert np.shape(ours[key]) == value.shape, key
        assert np.abs(ours[key] - value).max() <= RELATIVE * np.abs(value).max(), key


def test_fid_of_given_features():
    agrees("fid_value_0", {}, {})


def test_lpips_alex():
    shapes = {key: tensor.shape for key, tensor in LPIPS("alex").state_dict().items() if key.startswith("features")}
    agrees("lpips_alex_0", {}, {key: recipe_array(key, tuple(shape), "he", 40554) for key, shape in shapes.items()})


@pytest.mark.slow
def test_inception_on_a_small_picture():
    agrees("fid_inception_v3_1", {"seed": 89764}, {})
