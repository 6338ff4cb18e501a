"""NIQE: distance of a picture's local statistics to those of natural photos; needs no reference, lower is better.

The statistics of natural photos are 36 means and their covariance, published with the method (file `niqe`, see
weights/manifest.yaml).

Source: Mittal et al. 2013 (Making a "Completely Blind" Image Quality Analyzer), eq. (1)-(10); XPixelGroup/BasicSR
metrics/niqe.py, which agrees with the authors' MATLAB release.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.special import gamma

from engine.errors import InputError
from engine.files import read_arrays
from metric.fid import checked_statistics
from metric.psnr_ssim import luma

BLOCK = 96
FEATURES = 36  # 18 at each of two scales
NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))
_SHAPES = np.arange(0.2, 10.001, 0.001)
_RATIOS = gamma(2 / _SHAPES) ** 2 / (gamma(1 / _SHAPES) * gamma(3 / _SHAPES))  # increases with the shape
_WINDOW = cv2.getGaussianKernel(7, 7 / 6)[:, 0]


@dataclass(frozen=True)
class NaturalStatistics:
    """Mean [36] and covariance [36, 36] of the features of natural photos. Source: Mittal et al. 2013, section 2.4."""

    mean: np.ndarray
    covariance: np.ndarray


def load_parameters(path):
    """NaturalStatistics of the .npz file BasicSR publishes (`mu_pris_param`, `cov_pris_param`).

    Raises:
        InputError: no such file, or another content.
    """
    arrays = read_arrays(path, "NIQE parameters (.npz, mu_pris_param, cov_pris_param)")
    if not {"mu_pris_param", "cov_pris_param"} <= arrays.keys():
        raise InputError(
            f"{path}: no NIQE parameters; found {sorted(arrays)[:4]}, expected mu_pris_param, cov_pris_param"
        )
    mean, covariance = checked_statistics(path, arrays["mu_pris_param"].ravel(), arrays["cov_pris_param"])
    if mean.shape != (FEATURES,) or covariance.shape != (FEATURES, FEATURES):
        raise InputError(f"{path}: parameters of shapes {mean.shape} and {covariance.shape}; expected (36,), (36, 36)")
    return NaturalStatistics(mean, covariance)


def niqe(picture, natural, crop_border=0):
    """Distance of a picture's block statistics to natural ones.

    Args:
        picture: [H, W, 3] RGB, uint8 or float in [0, 1]; Y of YCbCr is used, rounded to whole levels.
        natural: NaturalStatistics.
        crop_border: pixels left out on each side.

    Returns:
        float, 0 or more.

    Raises:
        InputError: fewer than two blocks of 96 x 96 lie inside.
    """
    height, width = picture.shape[:2]
    picture = picture[crop_border : height - crop_border, crop_border : width - crop_border]
    return niqe_distance(natural, _statistics(block_features(picture)))


def niqe_distance(natural, found):
    """sqrt(d' S^-1 d): d the difference of the means, S the mean of the covariances (pseudo-inverse), eq. (10)."""
    difference = natural.mean - found.mean
    return float(np.sqrt(difference @ np.linalg.pinv((natural.covariance + found.covariance) / 2) @ difference))


def block_features(picture):
    """[H, W, 3] -> [blocks, 36]: features of every whole 96 x 96 block, at full size and at half size.

    Raises:
        InputError: the picture holds no whole block.
    """
    grey = np.rint(255 * luma(picture)[..., 0])
    rows, columns = (size // BLOCK for size in grey.shape)
    if rows * columns == 0:
        raise InputError(f"picture of {grey.shape[0]} x {grey.shape[1]}: NIQE needs blocks of {BLOCK} x {BLOCK}")
    grey, scales = grey[: rows * BLOCK, : columns * BLOCK], []
    for side in (BLOCK, BLOCK // 2):
        normalised = contrast_normalised(grey)
        blocks = normalised.reshape(rows, side, columns, side).swapaxes(1, 2).reshape(-1, side, side)
        scales.append(_features_of_blocks(blocks))
        grey = halved(grey)
    return np.concatenate(scales, axis=1)


def contrast_normalised(grey):
    """(I - mean) / (deviation + 1) in a 7 x 7 Gaussian window (sigma 7/6), [H, W] of 0 to 255. Source: eq. (1)-(3)."""
    mean, square = (
        cv2.sepFilter2D(part, -1, _WINDOW, _WINDOW, borderType=cv2.BORDER_REPLICATE) for part in (grey, grey * grey)
    )
    return (grey - mean) / (np.sqrt(np.abs(square - mean * mean)) + 1)


def asymmetric_gaussian(values):
    """Shape and left and right scale of asymmetric generalised normal distributions, by moments.

    Args:
        values: [B, n], B samples.

    Returns:
        (alpha, left, right): [B] each; nan where a sample has no value on one side of zero.

    Source: eq. (4)-(7); Lasmar et al. 2009; the table of shapes is BasicSR's estimate_aggd_param.
    """
    left, right = (_root_mean_square(values, side) for side in (values < 0, values > 0))
    with np.errstate(divide="ignore", invalid="ignore"):
        skew = left / right
        ratio = np.mean(np.abs(values), axis=1) ** 2 / np.mean(values**2, axis=1)
        ratio *= (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
    alpha = np.where(np.isnan(ratio), np.nan, _SHAPES[np.abs(_RATIOS - ratio[:, None]).argmin(axis=1)])
    scale = np.sqrt(gamma(1 / alpha) / gamma(3 / alpha))
    return alpha, left * scale, right * scale


def _root_mean_square(values, chosen):
    """Of the chosen values of each row; nan where none is."""
    count = chosen.sum(axis=1)
    return np.sqrt(np.where(chosen, values**2, 0).sum(axis=1) / np.where(count, count, np.nan))


def _features_of_blocks(blocks):
    """[B, s, s] -> [B, 18]: shape and scale of the values, and of the products with four neighbours (wrapping)."""
    flat = blocks.reshape(len(blocks), -1)
    alpha, left, right = asymmetric_gaussian(flat)
    features = [alpha, (left + right) / 2]
    for shift in NEIGHBOURS:
        products = flat * np.roll(blocks, shift, axis=(1, 2)).reshape(flat.shape)
        alpha, left, right = asymmetric_gaussian(products)
        mean = (right - left) * gamma(2 / alpha) / gamma(1 / alpha)  # eq. (8)
        features += [alpha, mean, left, right]
    return np.stack(features, axis=1)


def _statistics(features):
    """NaturalStatistics of block features; blocks with nan count for the means that they have.

    Raises:
        InputError: fewer than two whole blocks.
    """
    whole = features[~np.isnan(features).any(axis=1)]
    if len(whole) < 2:
        raise InputError(f"NIQE needs 2 blocks of {BLOCK} x {BLOCK} that are not flat; found {len(whole)}")
    return NaturalStatistics(np.nanmean(features, axis=0), np.cov(whole, rowvar=False))


def halved(grey):
    """[H, W], both even -> [H / 2, W / 2] by MATLAB's imresize: antialiased bicubic (a = -0.5), mirrored at edges."""
    rows, columns = (half_matrix(size) for size in grey.shape)
    return rows @ grey @ columns.T


def half_matrix(size):
    """The one-dimensional reduction by two as a matrix [size / 2, size]; eight taps. Source: MATLAB imresize."""
    distance = np.abs(np.arange(-3.5, 4)) / 2
    near = 1.5 * distance**3 - 2.5 * distance**2 + 1
    far = -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
    taps = np.where(distance <= 1, near, far)
    matrix = np.zeros((size // 2, size))
    for row in range(size // 2):
        for offset, tap in zip(range(2 * row - 3, 2 * row + 5), taps / taps.sum(), strict=True):
            place = offset % (2 * size)  # mirrored with the edge pixel repeated: period 2 * size
            matrix[row, min(place, 2 * size - 1 - place)] += tap
    return matrix
