"""Helpers for the rows of `model/*/keys.py`: number and width of layers, read from a checkpoint's shapes.

A file whose shapes follow no table of a paper is an InputError that names the key.
"""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.errors import InputError

MOST = 100  # layers of a kind


def count(arrays: Mapping[str, Any], pattern: str) -> int:
    """Number of keys that match a regular expression wholly. InputError above MOST, where no network is meant."""
    found = sum(re.fullmatch(pattern, key) is not None for key in arrays)
    if found > MOST:
        raise InputError(f"{found} keys like {pattern}: more than any known network has")
    return found


def width(arrays: Mapping[str, np.ndarray], key: str, axis: int = 0) -> int:
    """One size of an array. InputError where the file lacks it, it has fewer dimensions, or no values at all."""
    if key not in arrays or arrays[key].ndim <= axis or not arrays[key].size:
        raise InputError(f"{key} is missing, empty or has too few dimensions")
    return arrays[key].shape[axis]
