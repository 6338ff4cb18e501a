"""The converter as tests call it, and arrays for it to convert."""

import numpy as np
import pytest

from engine.errors import InputError
from tools import convert_weights


def random_arrays(layer, seed=0):
    """Values for a network's parameters and buffers, kernels left as they are."""
    draw = np.random.default_rng(seed)
    return {
        key: tensor.numpy() if key.endswith("kernel") else draw.normal(size=tensor.shape).astype("f4")
        for key, tensor in layer.state_dict().items()
    }


def run(*words):
    convert_weights.main([str(word) for word in words])


def refusal(*words):
    with pytest.raises(InputError) as caught:
        run(*words)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def same(found, expected):
    assert found.keys() == expected.keys()
    for key, array in expected.items():
        np.testing.assert_array_equal(found[key], array, err_msg=key)
