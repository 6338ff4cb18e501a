"""PSNR and SSIM of two images.

Images are [H, W, C], RGB, uint8 or float in [0, 1]; the data range (peak) is 255 or 1 accordingly, so both give the
same number. Published tables round to 8 bits first: pass `to_uint8(image)`. `crop_border` pixels are left out on each
side; `on_luma` compares only Y of YCbCr (studio range, 16 to 235), on which PSNR is several dB higher.

Source: Wang et al. 2004 (SSIM), section III; reference code BasicSR metrics/psnr_ssim.py (there uint8 BGR).
"""

import math

import cv2
import numpy as np

from engine.errors import InputError

LUMA_WEIGHTS = np.array([65.481, 128.553, 24.966]) / 255  # ITU-R BT.601 of R, G, B in [0, 1]
LUMA_OFFSET = 16 / 255
_RADIUS = 5  # 11 taps
_WINDOW = cv2.getGaussianKernel(2 * _RADIUS + 1, 1.5)[:, 0]


def luma(image):
    """Y of YCbCr: [H, W, 3] RGB, uint8 or [0, 1] -> [H, W, 1] float64, 16 / 255 to 235 / 255."""
    return (_unit_range(image) @ LUMA_WEIGHTS + LUMA_OFFSET)[..., None]


def psnr(output, target, crop_border=0, on_luma=False):
    """Peak signal-to-noise ratio in dB over all pixels and channels; identical images give inf.

    Raises:
        InputError: the shapes differ or the border leaves nothing.
    """
    output, target = _comparable(output, target, crop_border, on_luma)
    error = np.mean((output - target) ** 2)
    return math.inf if error == 0 else float(-10 * np.log10(error))


def ssim(output, target, crop_border=0, on_luma=False):
    """Mean structural similarity: 11 x 11 Gaussian window (sigma 1.5) inside the image, averaged over channels.

    Raises:
        InputError: the shapes differ or less than 11 x 11 pixels remain.
    """
    output, target = _comparable(output, target, crop_border, on_luma, smallest=2 * _RADIUS + 1)
    mean_o, mean_t = _local_mean(output), _local_mean(target)
    variance_o = _local_mean(output * output) - mean_o * mean_o
    variance_t = _local_mean(target * target) - mean_t * mean_t
    covariance = _local_mean(output * target) - mean_o * mean_t
    c1, c2 = 0.01**2, 0.03**2  # stabilizers for a peak of 1
    luminance = (2 * mean_o * mean_t + c1) / (mean_o * mean_o + mean_t * mean_t + c1)
    structure = (2 * covariance + c2) / (variance_o + variance_t + c2)
    return float(np.mean(luminance * structure))


def _unit_range(image):
    image = np.asarray(image)
    return image / 255.0 if image.dtype == np.uint8 else image.astype(np.float64)


def _comparable(output, target, crop_border, on_luma, smallest=1):
    """Both images as float64 in [0, 1], cropped, Y only where asked."""
    if np.shape(output) != np.shape(target):
        raise InputError(f"images of shapes {np.shape(output)} and {np.shape(target)}; they must match")
    height, width = np.shape(output)[:2]
    if min(height, width) - 2 * crop_border < smallest:
        raise InputError(f"image of {height} x {width}, border {crop_border}: less than {smallest} pixels remain")
    inside = np.s_[crop_border : height - crop_border, crop_border : width - crop_border]
    return [(luma(image) if on_luma else _unit_range(image))[inside] for image in (output, target)]


def _local_mean(image):
    """Gaussian mean around each pixel whose window lies inside: [H, W, C] -> [H - 10, W - 10, C]."""
    blurred = cv2.sepFilter2D(image, -1, _WINDOW, _WINDOW).reshape(image.shape)
    return blurred[_RADIUS:-_RADIUS, _RADIUS:-_RADIUS]
