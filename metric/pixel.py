"""Mean absolute and mean squared error of two images, and the sum-normalised form of EdgeConnect's script.

Images are [H, W, C], RGB, uint8 or float in [0, 1]; errors are of values in [0, 1].

Source: definitions; knazeri/edge-connect scripts/metrics.py (`relative_l1`), also used by LaFIn.
"""

import numpy as np

from metric.psnr_ssim import comparable


def l1(output, target):
    """Mean absolute error over pixels and channels, 0 to 1; times 100 it is the "L1 (%)" of inpainting papers."""
    output, target = comparable(output, target)
    return float(np.mean(np.abs(output - target)))


def mse(output, target):
    """Mean squared error over pixels and channels, 0 to 1."""
    output, target = comparable(output, target)
    return float(np.mean((output - target) ** 2))


def relative_l1(output, target):
    """Sum of absolute errors over the sum of both images, EdgeConnect's and LaFIn's "MAE"; 0 for two black images."""
    output, target = comparable(output, target)
    total = np.sum(output + target)
    return float(np.sum(np.abs(output - target)) / total) if total else 0.0
