"""Blur kernels of blind face restoration: Gaussian, generalized Gaussian, plateau (each round or rotated), and sinc.

Every kernel is [size, size] float64 with odd size and sum 1. The forms take explicit parameters; `random_kernel` draws
those parameters.

Source: Wang et al. 2021 (Real-ESRGAN), section 3; reference code BasicSR data/degradations.py. GPEN and
GFP-GAN train with the plain Gaussians only.
"""

from math import inf, pi
from typing import Literal

import numpy as np
from pydantic import field_validator

from data_loader.ranges import range_within
from engine.settings import Settings

Kind = Literal["iso", "aniso", "generalized_iso", "generalized_aniso", "plateau_iso", "plateau_aniso"]


class KernelRanges(Settings):
    """Ranges that a random kernel is drawn from; sigma in pixels, rotation in radians."""

    kinds: dict[Kind, float]  # kind -> probability
    size: int
    sigma: range_within(1e-3, inf)
    rotation: range_within(-2 * pi, 2 * pi)
    beta: range_within(0, inf) = (0.5, 8.0)  # shape of the generalized and plateau kinds; 1 lies inside

    @field_validator("kinds")
    @classmethod
    def _probabilities(cls, kinds):
        if min(kinds.values(), default=-1) < 0 or abs(sum(kinds.values()) - 1) > 1e-6:
            raise ValueError(f"is {kinds}; expected probabilities that sum to 1")
        return kinds

    @field_validator("size")
    @classmethod
    def _odd(cls, size):
        if size < 1 or size % 2 == 0:
            raise ValueError(f"is {size}; expected an odd number of pixels")
        return size


def elliptic_distance(size, sigma_x, sigma_y, rotation):
    """Squared distance x^T S^-1 x of each pixel of [size, size] to the centre, S = R diag(sigma_x^2, sigma_y^2) R^T."""
    offsets = np.arange(size) - (size - 1) / 2
    x, y = offsets[None, :], offsets[:, None]
    along = np.cos(rotation) * x + np.sin(rotation) * y
    across = np.cos(rotation) * y - np.sin(rotation) * x
    return (along / sigma_x) ** 2 + (across / sigma_y) ** 2


def normalized(kernel):
    """The kernel divided by its sum."""
    return kernel / kernel.sum()


def gaussian_kernel(size, sigma_x, sigma_y, rotation, beta=1.0):
    """exp(-d^beta / 2) for the squared elliptic distance d; beta = 1 is the Gaussian, others the generalized one."""
    return normalized(np.exp(-0.5 * elliptic_distance(size, sigma_x, sigma_y, rotation) ** beta))


def plateau_kernel(size, sigma_x, sigma_y, rotation, beta):
    """1 / (1 + d^beta) for the squared elliptic distance d: flat top, heavy tails."""
    return normalized(1 / (1 + elliptic_distance(size, sigma_x, sigma_y, rotation) ** beta))


def random_kind(ranges, rng):
    """One of `ranges.kinds` by its probability; one uniform draw."""
    bounds = np.cumsum(list(ranges.kinds.values()))
    drawn = np.searchsorted(bounds, rng.uniform() * bounds[-1], side="right")
    return list(ranges.kinds)[drawn]


def random_kernel(kind, ranges, rng):
    """A kernel of that kind. Draws in BasicSR's order: sigma_x, then sigma_y and rotation if aniso, then beta."""
    sigma_x = sigma_y = rng.uniform(*ranges.sigma)
    rotation = 0.0
    if kind.endswith("aniso"):
        sigma_y, rotation = rng.uniform(*ranges.sigma), rng.uniform(*ranges.rotation)
    if kind in ("iso", "aniso"):
        return gaussian_kernel(ranges.size, sigma_x, sigma_y, rotation)
    low, high = ranges.beta
    beta = rng.uniform(low, 1) if rng.uniform() < 0.5 else rng.uniform(1, high)
    form = plateau_kernel if kind.startswith("plateau") else gaussian_kernel
    return form(ranges.size, sigma_x, sigma_y, rotation, beta)
