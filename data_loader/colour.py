"""Colour changes of [H, W, 3] RGB images in [0, 1], float32; results are clipped to [0, 1].

Source: torchvision `transforms.functional.adjust_*`, which GFP-GAN's training data calls; OpenCV's grey weights.
"""

import cv2
import numpy as np

GREY_WEIGHTS = np.float32([0.299, 0.587, 0.114])  # ITU-R BT.601, OpenCV
TORCHVISION_GREY_WEIGHTS = np.float32([0.2989, 0.587, 0.114])


def grey(image, weights=GREY_WEIGHTS):
    """[H, W, 3] -> [H, W, 1]."""
    return cv2.transform(image, weights[None])[..., None]


def grey_rgb(image):
    """The grey picture with three equal channels."""
    return np.repeat(grey(image), 3, axis=-1)


def shift_channels(image, shift):
    """Add shift [3], in [0, 1] units, one number per channel."""
    return _clipped(cv2.add(image, (*map(float, shift), 0)))


def adjust_brightness(image, factor):
    """Scale: 0 is black, 1 changes nothing."""
    return _clipped(image * np.float32(factor))


def adjust_contrast(image, factor):
    """Move away from (factor > 1) or towards (factor < 1) the mean grey of the picture."""
    return _blend(image, grey(image, TORCHVISION_GREY_WEIGHTS).mean(), factor)


def adjust_saturation(image, factor):
    """Move away from (factor > 1) or towards (factor < 1) each pixel's own grey."""
    return _blend(image, grey(image, TORCHVISION_GREY_WEIGHTS), factor)


def adjust_hue(image, turn):
    """Turn the hue circle by that part of a full turn, -0.5 to 0.5; red goes to green at 1 / 3."""
    hsv = cv2.cvtColor(np.ascontiguousarray(image, np.float32), cv2.COLOR_RGB2HSV)  # hue in degrees
    hsv[..., 0] += np.float32(360 * turn)  # OpenCV takes any number of turns
    return _clipped(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB))


def _blend(image, other, factor):
    blended = np.float32(factor) * image
    blended += np.float32(1 - factor) * other
    return _clipped(blended)


def _clipped(image):
    return np.clip(image, 0, 1, out=image)
