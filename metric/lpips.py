"""LPIPS of two pictures, as a function of arrays.

Source: Zhang et al. 2018; see `model.backbones.lpips`.
"""

import numpy as np
import paddle

from engine.errors import InputError
from engine.images import to_chw, to_signed
from metric.psnr_ssim import unit_range

SMALLEST = 32  # below it nothing is left after the poolings


class LPIPSDistance:
    """Distances of pairs of pictures, 0 for equal ones; features of a picture can be computed once and used often."""

    def __init__(self, network):
        """`network`: `model.backbones.lpips.LPIPS` with its weights, in evaluation mode."""
        self.network = network

    def embed(self, pictures):
        """[N, H, W, 3] RGB, uint8 or float in [0, 1] -> features for `between`. InputError below 32 pixels per side."""
        height, width = pictures.shape[1:3]
        if min(height, width) < SMALLEST:
            raise InputError(f"pictures of {height} x {width}: LPIPS needs {SMALLEST} pixels per side")
        with paddle.no_grad():
            return self.network.embed(to_signed(paddle.to_tensor(to_chw(unit_range(pictures)).astype(np.float32))))

    def between(self, features, other_features):
        """Two results of `embed` -> [N] distances."""
        with paddle.no_grad():
            return sum(self.network.layers(features, other_features)).numpy().reshape(-1)

    def __call__(self, pictures, other_pictures):
        """Pictures as in `embed`, twice -> [N] distances."""
        return self.between(self.embed(pictures), self.embed(other_pictures))
