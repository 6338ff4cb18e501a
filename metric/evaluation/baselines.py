"""Fillings that need no training, to compare a network with.

Pictures are [H, W, 3] RGB uint8, masks [H, W, 1], 1 in the hole; known pixels come back as they are.

Source: Telea 2004 (An Image Inpainting Technique Based on the Fast Marching Method), as OpenCV's cv2.inpaint; the mean
colour is the first step of GLCIC and many others.
"""

import cv2
import numpy as np

TELEA_RADIUS = 3  # pixels


def mean_colour_fill(picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The hole in the mean colour of the picture's known pixels."""
    known = mask[..., 0] == 0
    return np.where(mask == 1, np.rint(picture[known].mean(axis=0)).astype(np.uint8), picture)


def telea_fill(picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The hole closed from its rim inwards, each pixel a weighted mean of known ones within TELEA_RADIUS."""
    hole = np.ascontiguousarray(mask[..., 0] == 1).astype(np.uint8)
    filled = cv2.inpaint(np.where(mask == 1, np.uint8(0), picture), hole, TELEA_RADIUS, cv2.INPAINT_TELEA)
    return np.where(mask == 1, filled, picture)


FILLS = {"mean_colour": mean_colour_fill, "telea": telea_fill}
