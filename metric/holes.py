"""Errors inside the holes of an inpainted picture, and means per bucket of hole ratio.

Pictures are [H, W, C], RGB, uint8 or float in [0, 1]; a mask is [H, W] or [H, W, 1], 1 in the hole, 0 where the picture
is known. Published tables compare the composite (output in the hole, picture elsewhere) over all pixels, per bucket:
that is `metric.psnr_ssim` and `metric.pixel` on the composite; what is here looks at the hole alone.

Source: Liu et al. 2018 (PartialConv), section 4, for the buckets; the measures are those of `metric.pixel` and
`metric.psnr_ssim`, averaged over the hole.
"""

import itertools
import math

import numpy as np

from engine.errors import InputError
from metric.psnr_ssim import comparable, finite_mean, similarity_map

BUCKETS = (0.01, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)  # edges; a ratio r is in the bucket with low < r <= high


def hole_l1(output, image, mask):
    """Mean absolute error over the pixels and channels of the hole, of values in [0, 1]."""
    output, image = comparable(output, image)
    return float(np.mean(np.abs(output - image)[_inside(mask, image)]))


def hole_mse(output, image, mask):
    """Mean squared error over the pixels and channels of the hole, of values in [0, 1]."""
    output, image = comparable(output, image)
    return float(np.mean(((output - image) ** 2)[_inside(mask, image)]))


def hole_psnr(output, image, mask):
    """Peak signal-to-noise ratio in dB over the hole; a hole that is filled exactly gives inf."""
    error = hole_mse(output, image, mask)
    return math.inf if error == 0 else float(-10 * np.log10(error))


def hole_ssim(output, image, mask):
    """Mean similarity of the 11 x 11 Gaussian windows centred in the hole; such a window also sees known pixels.

    At the edge of the picture the window sees it mirrored, so that a hole there counts.
    """
    output, image = comparable(output, image)
    return float(np.mean(similarity_map(output, image)[_inside(mask, image)]))


def hole_ratio(mask):
    """Share of the pixels that are hole, 0 to 1."""
    return float(np.mean(np.asarray(mask, np.float64)))


def bucket(ratio):
    """Name of the bucket a hole ratio falls into, such as "0.1-0.2"; None below the first edge and above the last."""
    for low, high in itertools.pairwise(BUCKETS):
        if low < ratio <= high:
            return f"{low:g}-{high:g}"
    return None


def per_bucket(ratios, values):
    """Means of one metric by bucket.

    Args:
        ratios: hole ratio of each picture.
        values: the metric of each picture.

    Returns:
        dict in the order of the buckets: name -> (number of pictures, mean of the finite values); those
        without a picture are left out.
    """
    names = [bucket(ratio) for ratio in ratios]
    found = {}
    for low, high in itertools.pairwise(BUCKETS):
        name = f"{low:g}-{high:g}"
        chosen = [value for own, value in zip(names, values, strict=True) if own == name]
        if chosen:
            found[name] = (len(chosen), finite_mean(chosen))
    return found


def _inside(mask, image):
    """[H, W] booleans, True in the hole.

    Raises:
        InputError: the mask has another size, other values than 0 and 1, or no hole.
    """
    mask = np.asarray(mask)
    mask = mask[..., 0] if mask.ndim == 3 and mask.shape[-1] == 1 else mask
    if mask.shape != image.shape[:2]:
        raise InputError(f"mask of shape {mask.shape}, image of {image.shape[:2]}; they must match")
    inside = mask == 1
    if not np.array_equal(inside, mask != 0):
        raise InputError(f"mask holds values between {mask.min()} and {mask.max()}; expected 0 and 1 (hole) only")
    if not inside.any():
        raise InputError("mask holds no hole; expected 1 where the picture was filled")
    return inside
