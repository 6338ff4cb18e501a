"""Measure how well a picture keeps a person's identity: cosine and angle of face-recognition features.

Faces are aligned as FFHQ's; the networks see crops that fit that alignment.

Source: yangxy/GPEN training/loss/id_loss.py (crop for IR-SE50); TencentARC/VQFR metric_paper/calculate_cos_dist.py
(Deg: ArcFace with 18 layers, grey, 128 x 128).
Differs: Deg counts every pair; the reference leaves pairs below one degree out of the mean. The cosine is clipped to
[-1, 1] before the angle is taken, so that equal pictures give 0, not nan.
"""

import cv2
import numpy as np
import paddle

from engine.errors import InputError
from engine.images import to_chw, to_signed, to_uint8
from metric.psnr_ssim import unit_range
from model.backbones.ir_se50 import face_crop

DEG_SIZE = 128
CROP = "GPEN's, to 112x112"  # of faces for IR-SE50


class IRSE50Features:
    """[N, S, S, 3] RGB pictures -> [N, 512] features of IR-SE50, of length 1."""

    def __init__(self, network):
        """`network`: `model.backbones.ir_se50.IRSE50` with its weights, in evaluation mode."""
        self.network = network

    def __call__(self, pictures):
        """Pictures uint8 or float in [0, 1]. InputError where they are not square: no aligned faces."""
        height, width = pictures.shape[1:3]
        if height != width:
            raise InputError(f"pictures of {height} x {width}: identity needs aligned faces, which are square")
        with paddle.no_grad():
            image = to_signed(paddle.to_tensor(to_chw(unit_range(pictures)).astype(np.float32)))
            return self.network(face_crop(image)).numpy()


class DegFeatures:
    """[N, H, W, 3] RGB pictures -> [N, 512] features of the 18-layer ArcFace, whole pictures in grey at 128 x 128."""

    def __init__(self, network):
        """`network`: takes [N, 1, 128, 128] in [-1, 1]."""
        self.network = network

    def __call__(self, pictures):
        """Pictures uint8 or float in [0, 1], which are rounded to 8 bits."""
        with paddle.no_grad():
            return self.network(paddle.to_tensor(grey_input(pictures))).numpy()


def grey_input(pictures):
    """[N, H, W, 3] RGB -> [N, 1, 128, 128] in [-1, 1]: 8-bit grey, then a linear resize of it, as in the reference."""
    grey = [
        cv2.resize(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), (DEG_SIZE, DEG_SIZE))
        for picture in to_uint8(np.asarray(pictures))
    ]
    return (np.float32(grey)[:, None] - 127.5) / 127.5


def cosine(features, other_features):
    """[N, D], twice -> [N] cosines, -1 to 1; 1 is the same face."""
    first, second = (np.asarray(each, np.float64) for each in (features, other_features))
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return np.clip((first * second).sum(axis=1) / lengths, -1, 1)


def degrees(features, other_features):
    """[N, D], twice -> [N] angles in degrees, 0 to 180; 0 is the same face."""
    return np.degrees(np.arccos(cosine(features, other_features)))
