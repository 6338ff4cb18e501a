"""The numbers that the Paddle port of GPEN printed as PSNR and FID, only for comparison with its table.

Both are malformed. Its PSNR clips images that live in [-1, 1] to [0, 1]: all that is darker than mid-grey counts as
right, and errors of the rest are doubled. Its FID is that of each single picture, averaged: the covariance of
one feature vector, its row taken for a column, is the variance of its 2048 numbers.

Source: PaddlePaddle/PaddleGAN apps/gpen_predictor.py (psnr), metrics/fid.py with numpy before 2.2, where numpy.cov
of one row with rowvar=False is a scalar; GPEN's Paddle port, test.py, averages both over pictures.
"""

import math

import numpy as np

from engine.errors import InputError

DEFINITION = "of GPEN's Paddle port, malformed; compare with its table only"


def legacy_psnr(output, target):
    """PSNR as printed: both images in [-1, 1] are clipped to [0, 1] first; equal ones give 100.

    Args:
        output, target: arrays of one shape in [0, 1], not rounded to 8 bits.
    """
    if np.shape(output) != np.shape(target):
        raise InputError(f"images of shapes {np.shape(output)} and {np.shape(target)}; they must match")
    signed = [2 * np.asarray(image, np.float64) - 1 for image in (output, target)]
    output, target = (np.clip(image, 0, 1) for image in signed)
    error = math.sqrt(np.mean((output - target) ** 2))
    return 100.0 if error == 0 else 20 * math.log10(1 / error)


def legacy_fid(features, other_features):
    """ "FID" of one picture against one other, as printed: |f1 - f2|^2 + (s1 - s2)^2.

    s is the standard deviation of the numbers of a feature vector (divisor D - 1): what the Frechet distance makes of
    two covariances that are the scalars s1^2 and s2^2.

    Args:
        features, other_features: [D], Inception features by the legacy resize.
    """
    first, second = (np.asarray(each, np.float64) for each in (features, other_features))
    spread = np.std(first, ddof=1) - np.std(second, ddof=1)
    return float(np.sum((first - second) ** 2) + spread**2)
