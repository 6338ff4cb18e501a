"""Errors inside the holes of an inpainted picture, and the buckets of hole ratio that tables are made by.

Pictures are [H, W, C], RGB, uint8 or float in [0, 1]; a mask is [H, W] or [H, W, 1], 1 in the hole, 0 where the picture
is known. Published tables compare the composite over all pixels; what is here looks at the hole alone.

Source: Liu et al. 2018 (PartialConv), section 4, for the buckets; the measures are those of `metric.pixel` and
`metric.psnr_ssim`, averaged over the hole.
"""

import math

import numpy as np

from engine.errors import InputError
from metric.pixel import absolute_error

BUCKETS = (0.01, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)  # edges; a ratio r is in the bucket with low < r <= high


def hole_l1(output, target, mask):
    """Mean absolute error over the pixels and channels of the hole, of values in [0, 1]."""
    return float(np.mean(absolute_error(output, target)[_inside(mask, target)]))


def hole_psnr(output, target, mask):
    """Peak signal-to-noise ratio in dB over the pixels and channels of the hole; filled exactly it is inf."""
    error = np.mean(absolute_error(output, target)[_inside(mask, target)] ** 2)
    return math.inf if error == 0 else float(-10 * np.log10(error))


def hole_ratio(mask):
    """Share of the pixels that are hole, 0 to 1."""
    return float(np.mean(np.asarray(mask, np.float64)))


def bucket(ratio, edges=BUCKETS):
    """Name of the bucket a hole ratio falls into, such as "0.1-0.2"; None below the first edge and above the last."""
    for low, high in zip(edges, edges[1:], strict=False):
        if low < ratio <= high:
            return f"{low:g}-{high:g}"
    return None


def _inside(mask, image):
    """[H, W] booleans, True in the hole.

    Raises:
        InputError: the mask has another size than the image, other values than 0 and 1, or no hole.
    """
    mask = np.asarray(mask)
    mask = mask[..., 0] if mask.ndim == 3 else mask
    if mask.shape != np.shape(image)[:2]:
        raise InputError(f"mask of shape {mask.shape}, image of {np.shape(image)[:2]}; they must match")
    inside = mask == 1
    if not np.array_equal(inside, mask != 0):
        raise InputError(f"mask of values between {mask.min()} and {mask.max()}; expected only 0 (known) and 1 (hole)")
    if not inside.any():
        raise InputError("mask holds no hole; expected 1 where the picture was filled")
    return inside
