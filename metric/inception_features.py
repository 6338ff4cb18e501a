"""Features of pictures for FID and KID, with either of the two published ways to resize.

Source: mseitzer/pytorch-fid inception.py (`legacy`); Parmar et al. 2022 (clean-fid), GaParmar/clean-fid resize.py and
inception_torchscript.py (`clean`).
"""

import numpy as np
import paddle
from PIL import Image

from engine.images import to_chw
from model.backbones.inception import INPUT_SIZE
from model.shared.resample import bilinear_resize

RESIZES = ("legacy", "clean")


def legacy_input(pictures):
    """Bilinear without antialiasing at half-pixel centres, then [0, 1] -> [-1, 1].

    Args:
        pictures: [N, H, W, 3] RGB, uint8 or float in [0, 1].

    Returns:
        tensor [N, 3, 299, 299].
    """
    unit = paddle.to_tensor(to_chw(_levels(pictures)) / 255)
    return 2 * bilinear_resize(unit, INPUT_SIZE, INPUT_SIZE) - 1


def clean_input(pictures):
    """Pillow's bicubic (a = -0.5) with antialiasing, on floats, not clipped; then (x - 128) / 128 of 0 to 255.

    Args and result as those of `legacy_input`.
    """
    resized = [
        [resize_bicubic(picture[..., channel], INPUT_SIZE) for channel in range(3)] for picture in _levels(pictures)
    ]
    return paddle.to_tensor((np.float32(resized) - 128) / 128)


def _levels(pictures):
    """uint8 or [0, 1] -> float32, 0 to 255."""
    pictures = np.asarray(pictures)
    return pictures.astype(np.float32) if pictures.dtype == np.uint8 else np.float32(255) * pictures


def resize_bicubic(channel, size):
    """[H, W] in any range -> [size, size] float32, bicubic with antialiasing, without rounding."""
    return np.asarray(Image.fromarray(channel.astype(np.float32)).resize((size, size), Image.Resampling.BICUBIC))


class InceptionFeatures:
    """[N, H, W, 3] RGB pictures -> [N, 2048] float32."""

    def __init__(self, network, resize):
        """`network`: FIDInception with its weights, evaluation mode; `resize`: "legacy" or "clean"."""
        self.network, self.prepare = network, {"legacy": legacy_input, "clean": clean_input}[resize]

    def __call__(self, pictures):
        """One forward pass."""
        with paddle.no_grad():
            return self.network(self.prepare(pictures)).numpy()
