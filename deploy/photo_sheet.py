"""Sheets of photos to look at: before and after side by side, and faces with their boxes."""

from collections.abc import Sequence

import cv2
import numpy as np

from engine import images
from engine.face_detection import Face

HEIGHT = 256  # px of a photo in the sheet


def small(pixels: np.ndarray) -> np.ndarray:
    """A photo as the sheet shows it."""
    height = min(HEIGHT, len(pixels))
    return images.resize(pixels, (height, max(1, round(pixels.shape[1] * height / len(pixels)))), "area")


def sheet(pairs: Sequence[Sequence[np.ndarray]]) -> np.ndarray:
    """Rows of pictures of several sizes as one picture, each in a place of the largest one's size, on white."""
    height, width = (max(one.shape[axis] for row in pairs for one in row) for axis in (0, 1))
    placed = [[np.ones((height, width, 3), np.float32) for _ in row] for row in pairs]
    for row, places in zip(pairs, placed, strict=True):
        for one, place in zip(row, places, strict=True):
            place[: one.shape[0], : one.shape[1]] = one
    return images.picture_grid(placed)


def drawn(pixels: np.ndarray, found: Sequence[Face]) -> np.ndarray:
    """[H, W, 3] uint8: a photo with boxes, points and numbers of its faces."""
    picture, size = images.to_uint8(pixels).copy(), max(1, round(max(pixels.shape) / 400))
    for number, face in enumerate(found):
        low, high = face.box.reshape(2, 2).round().astype(int).tolist()
        cv2.rectangle(picture, low, high, (0, 200, 0), size)
        for point in face.points.round().astype(int).tolist():
            cv2.circle(picture, point, size + 1, (255, 200, 0), -1)
        cv2.putText(picture, str(number), (low[0], low[1] - 2 * size), 0, size / 2, (0, 200, 0), size)
    return picture
