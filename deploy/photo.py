"""Every face of a photo through a network: aligned crops in, the network's changes pasted back."""

from collections.abc import Callable

import cv2
import numpy as np

from engine import images
from engine.face_alignment import umeyama

TEMPLATE = np.array(
    [
        (192.98138, 239.94708),
        (318.90277, 240.1936),
        (256.63416, 314.01935),
        (201.26117, 371.41043),
        (313.08905, 371.15118),
    ]
)  # of a 512 px crop; source: facexlib
LARGEST = 8192  # px a crop may have before it is averaged; larger faces are sampled
INSET, SOFT = 0.02, 0.08  # of the crop's side: nothing is pasted outside, all of it further inside


def alignment(points: np.ndarray, side: int) -> np.ndarray:
    """[2, 3] from the photo to a crop of `side`: the similarity that brings five points to the template's places."""
    return umeyama(points, (TEMPLATE + 0.5) * side / 512 - 0.5)


def crop(pixels: np.ndarray, matrix: np.ndarray, side: int) -> np.ndarray:
    """[side, side, 3] of a photo, mirrored beyond its border, area-averaged where it is reduced."""
    times = int(np.clip(np.ceil(1 / np.hypot(*matrix[:, 0]) - 1e-6), 1, max(1, LARGEST // side)))
    finer = matrix * times
    finer[:, 2] += (times - 1) / 2
    large = cv2.warpAffine(
        pixels, finer, (side * times, side * times), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    return np.clip(images.resize(large, (side, side), "area"), 0, 1)


def paste(picture: np.ndarray, change: np.ndarray, matrix: np.ndarray) -> None:
    """Add a crop's change to a picture, in place, softly towards the crop's edge.

    Args:
        picture: [H, W, 3].
        change: [S, S, 3], restored less crop.
        matrix: [2, 3] from the picture to the crop.
    """
    side, back = len(change), cv2.invertAffineTransform(matrix)
    corners = np.array([(-0.5, -0.5), (side - 0.5, -0.5), (-0.5, side - 0.5), (side - 0.5, side - 0.5)])
    reach = corners @ back[:, :2].T + back[:, 2]
    left, top = np.maximum(np.floor(reach.min(axis=0)).astype(int), 0)
    right, bottom = np.minimum(np.ceil(reach.max(axis=0)).astype(int) + 1, picture.shape[1::-1])
    if left >= right or top >= bottom:
        return
    local = matrix.copy()
    local[:, 2] += matrix[:, :2] @ (left, top)
    rows, columns = np.mgrid[: bottom - top, : right - left]
    x, y = (a * columns + b * rows + c for a, b, c in local)
    depth = np.minimum(np.minimum(x, side - 1 - x), np.minimum(y, side - 1 - y)) + 0.5
    ramp = np.clip((depth / side - INSET) / SOFT, 0, 1)
    mask = (ramp * ramp * (3 - 2 * ramp)).astype(np.float32)[..., None]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(change, local, (right - left, bottom - top), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    picture[top:bottom, left:right] += mask * moved


def restored(
    pixels: np.ndarray,
    faces: np.ndarray,
    side: int,
    network: Callable[[list[np.ndarray]], list[np.ndarray]],
    strength: float = 1.0,
    upscale: int = 1,
) -> np.ndarray:
    """A photo with its faces restored, larger faces last.

    Args:
        pixels: [H, W, 3] RGB in [0, 1].
        faces: [N, 5, 2], points in the photo.
        side: of the network's crops.
        network: crops -> restored crops, of any one size.
        strength: share of the network's change that is pasted.
        upscale: the photo is enlarged this many times before faces are pasted.

    Returns:
        [H * upscale, W * upscale, 3]; outside the crops the plain photo, or its plain enlargement.
    """
    size = (pixels.shape[0] * upscale, pixels.shape[1] * upscale)
    picture = pixels.copy() if upscale == 1 else np.clip(images.resize(pixels, size, "lanczos"), 0, 1)
    matrices = sorted((alignment(face, side) for face in faces), key=lambda matrix: -np.hypot(*matrix[:, 0]))
    crops = [crop(pixels, matrix, side) for matrix in matrices]
    for matrix, before, after in zip(matrices, crops, network(crops) if crops else [], strict=True):
        to_crop = matrix / upscale
        to_crop[:, 2] = matrix[:, 2] + matrix[:, :2].sum(axis=1) * (0.5 / upscale - 0.5)
        times = len(after) / side
        to_crop *= times
        to_crop[:, 2] += (times - 1) / 2
        paste(picture, strength * (after - images.resize(before, after.shape[:2], "linear")), to_crop)
    return np.clip(picture, 0, 1)
