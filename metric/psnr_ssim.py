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
GREY_WEIGHTS = np.array([0.2125, 0.7154, 0.0721])  # scikit-image rgb2gray
RADIUS = 5  # 11 taps
ROUNDING = 1e-5  # how far outside [0, 1] a value may lie
_WINDOW = cv2.getGaussianKernel(2 * RADIUS + 1, 1.5)[:, 0]


def luma(image):
    """Y of YCbCr: [H, W, 3] RGB, uint8 or [0, 1] -> [H, W, 1] float64, 16 / 255 to 235 / 255."""
    return (unit_range(image) @ LUMA_WEIGHTS + LUMA_OFFSET)[..., None]


def psnr(output, target, crop_border=0, on_luma=False):
    """Peak signal-to-noise ratio in dB over all pixels and channels; identical images give inf.

    Raises:
        InputError: the shapes differ or the border leaves nothing.
    """
    output, target = comparable(output, target, crop_border, on_luma)
    error = np.mean((output - target) ** 2)
    return math.inf if error == 0 else float(-10 * np.log10(error))


def ssim(output, target, crop_border=0, on_luma=False):
    """Mean structural similarity: 11 x 11 Gaussian window (sigma 1.5) inside the image, averaged over channels.

    Raises:
        InputError: the shapes differ or less than 11 x 11 pixels remain.
    """
    output, target = comparable(output, target, crop_border, on_luma, smallest=2 * RADIUS + 1)
    return float(np.mean(similarity_map(output, target)[RADIUS:-RADIUS, RADIUS:-RADIUS]))


def similarity_map(output, target):
    """SSIM of the Gaussian window around each pixel: [H, W, C] float64 in [0, 1], twice -> [H, W, C].

    Windows that reach over the edge, RADIUS pixels wide, see the image mirrored there (`ssim` leaves them out).
    """
    means = [_local_mean(part) for part in (output, target, output * output + target * target, output * target)]
    return _similarity(*means, sample_factor=1.0)


def ssim_uniform(output, target, window=51):
    """SSIM of grey images with a square window of equal weights and sample covariances: EdgeConnect's, 51 x 51.

    Differs much from `ssim`: compare it only with numbers of the same definition (EdgeConnect, LaFIn).

    Args:
        output, target: [H, W, 3] RGB; grey is 0.2125 R + 0.7154 G + 0.0721 B, each image by itself.
        window: odd.

    Raises:
        InputError: the shapes differ or less than window x window pixels are there.

    Source: knazeri/edge-connect scripts/metrics.py; scikit-image metrics.structural_similarity with win_size=51.
    """
    pair = [image @ GREY_WEIGHTS for image in comparable(output, target, smallest=window)]
    products = (pair[0] ** 2 + pair[1] ** 2, pair[0] * pair[1])
    means = [cv2.blur(part, (window, window)) for part in (*pair, *products)]
    inside = np.s_[window // 2 : -(window // 2), window // 2 : -(window // 2)]
    return float(np.mean(_similarity(*means, sample_factor=window**2 / (window**2 - 1))[inside]))


def _similarity(mean_o, mean_t, squares, product, sample_factor):
    """SSIM from local means of two images, of the sum of their squares, of their product; variances times a factor."""
    c1, c2 = 0.01**2, 0.03**2  # stabilizers for a peak of 1
    of_means, squares_of_means = mean_o * mean_t, mean_o * mean_o + mean_t * mean_t
    variances, covariance = sample_factor * (squares - squares_of_means), sample_factor * (product - of_means)
    return (2 * of_means + c1) * (2 * covariance + c2) / ((squares_of_means + c1) * (variances + c2))


def finite_mean(values):
    """Mean of the finite ones of some numbers; inf where there are none, as for pairs that are all identical."""
    values = np.asarray(values, np.float64)
    return float(np.mean(values[~np.isinf(values)])) if not np.isinf(values).all() else math.inf


def unit_range(image):
    """uint8 or float in [0, 1] -> float64 in [0, 1].

    Raises:
        InputError: the values are of another range, such as [-1, 1] or floats up to 255, or NaN.
    """
    image = np.asarray(image)
    if image.dtype == np.uint8:
        return image / 255.0
    if image.size and not (image.min() >= -ROUNDING and image.max() <= 1 + ROUNDING):
        raise InputError(f"image of values between {image.min():.6g} and {image.max():.6g}; expected [0, 1], or uint8")
    return image.astype(np.float64)


def comparable(output, target, crop_border=0, on_luma=False, smallest=1):
    """Both images as float64 in [0, 1], cropped, Y only where asked.

    Raises:
        InputError: the shapes differ or less than `smallest` pixels a side remain.
    """
    if np.shape(output) != np.shape(target):
        raise InputError(f"images of shapes {np.shape(output)} and {np.shape(target)}; they must match")
    height, width = np.shape(output)[:2]
    if min(height, width) - 2 * crop_border < smallest:
        raise InputError(f"image of {height} x {width}, border {crop_border}: less than {smallest} pixels remain")
    inside = np.s_[crop_border : height - crop_border, crop_border : width - crop_border]
    return [(luma(image) if on_luma else unit_range(image))[inside] for image in (output, target)]


def _local_mean(image):
    """Gaussian mean around each pixel, mirrored at the edge: [H, W, C] -> [H, W, C]."""
    return cv2.sepFilter2D(image, -1, _WINDOW, _WINDOW).reshape(image.shape)
