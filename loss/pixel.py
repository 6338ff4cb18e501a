"""Losses on pixels, means over all values, and the pyramid of targets they are taken on."""

import paddle.nn.functional as F

from model.shared.normalization import mean_of_all


def l1(output, image):
    """mean |output - image|. Source: the definition."""
    return mean_of_all((output - image).abs())


def smooth_l1(output, image, beta=1.0):
    """Mean of 0.5 d^2 / beta where |d| < beta and |d| - 0.5 beta elsewhere.

    Args:
        output, image: of one shape.
        beta: where the square ends; 1 in GPEN, which makes images in [-1, 1] a squared error, near 0 it is L1.

    Source: Yang et al. 2021 (GPEN), L_C; yangxy/GPEN train_simple.py, torch.nn.SmoothL1Loss.
    """
    return mean_of_all(F.smooth_l1_loss(output, image, reduction="none", delta=beta)) / beta


def image_pyramid(image, smallest=8):
    """The image halved by 2x2 means until `smallest` pixels high: [smallest, ..., half, full].

    Args:
        image: [N, 3, H, W], H a power of two times `smallest`.

    Source: TencentARC/GFPGAN models/gfpgan_model.py, construct_img_pyramid (bilinear, scale 0.5: the same mean).
    """
    pyramid = [image]
    while pyramid[0].shape[2] > smallest:
        pyramid.insert(0, F.avg_pool2d(pyramid[0], 2))
    return pyramid
