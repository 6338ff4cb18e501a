"""Mean absolute error of two images.

Images are [H, W, C], RGB, uint8 or float in [0, 1]; errors are of values in [0, 1].

Source: definition; Liu et al. 2018 (PartialConv), table 1, prints it times 100.
"""

import numpy as np

from engine.errors import InputError


def l1(output, target):
    """Mean absolute error over pixels and channels, 0 to 1. InputError where the shapes differ."""
    return float(np.mean(absolute_error(output, target)))


def absolute_error(output, target):
    """[H, W, C] absolute differences of values in [0, 1], float64. InputError where the shapes differ."""
    if np.shape(output) != np.shape(target):
        raise InputError(f"images of shapes {np.shape(output)} and {np.shape(target)}; they must match")
    output, target = (image / 255.0 if image.dtype == np.uint8 else image.astype(np.float64)
                      for image in map(np.asarray, (output, target)))
    return np.abs(output - target)
