"""Fill holes in pictures: check masks, cover faces without a mask, split large holes and pictures, blend.

A hole in a large picture is filled in a crop around it, one that the network cannot close coarse to fine.
"""

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from deploy.blending import blend
from deploy.hole_closure import open_part
from engine import images
from engine.errors import InputError
from engine.log import logger
from engine.ports import Hole

DEFAULTS = {"face_box": images.face_box}
LARGE = 512 * 512  # pixels up to which a picture is filled as a whole, the size of the published networks
MARGIN = 128  # pixels around a hole in a larger one
GRAIN = 16  # boxes begin and end at its multiples

Run = Callable[[np.ndarray, np.ndarray], np.ndarray]


def default_mask(hole: Hole, size: tuple[int, int]) -> np.ndarray:
    """A contract's own hole for a picture of `size` = (height, width): [H, W, 1], 1 in the hole."""
    return DEFAULTS[hole.default](size)


def check_mask(mask: np.ndarray, size: tuple[int, int], path: object, picture_path: object, white_means: str) -> None:
    """Refuse a mask file that does not go with its picture; warn where its polarity is doubtful.

    Args:
        mask: [H, W, 1], 1 in the hole, as read from `path` where `white_means` that.
        size: (height, width) of the picture in `picture_path`.

    Raises:
        InputError: another size, or all of it is hole.
    """
    ratio, found = mask.mean(), mask.shape[:2]
    if found != size:
        raise InputError(
            f"{path}: mask of {found[0]} x {found[1]}; expected {size[0]} x {size[1]}, the size of {picture_path}"
        )
    if ratio == 1:
        raise InputError(f"{path}: all of it is hole; expected some known pixels (white means {white_means})")
    if ratio == 0:
        logger.warning(f"{path}: marks nothing; the picture comes back as it is (white means {white_means})")
    if ratio > images.SUSPICIOUS_RATIO:
        logger.warning(f"{path}: {ratio:.0%} is hole; is it right that white means {white_means}?")


def in_parts(picture: np.ndarray, mask: np.ndarray, kernels: Sequence[int], run: Run) -> np.ndarray:
    """A picture with its holes filled one after the other, each in a crop around it.

    Args:
        picture: [H, W, 3]; mask: [H, W, 1], 1 in the hole.
        kernels: see engine.system.Hole.
        run: a picture and a mask of any size -> the network's picture, of which the hole counts.

    Returns:
        [H, W, 3], the picture itself outside the hole.
    """
    made = np.array(picture, np.float32)
    for box in hole_boxes(mask[..., 0] > 0):
        made[box] = coarse_to_fine(made[box], mask[box], kernels, run)
    return made


def hole_boxes(hole: np.ndarray) -> list[tuple[slice, slice]]:
    """Parts of a picture that hold the hole [H, W] bool with MARGIN around it; holes that are near share one."""
    rows, columns = hole.shape
    if hole.size <= LARGE:
        return [np.s_[:, :]]
    padded = np.pad(hole, [(0, -rows % GRAIN), (0, -columns % GRAIN)])
    coarse = padded.reshape(padded.shape[0] // GRAIN, GRAIN, -1, GRAIN).any(axis=(1, 3))
    reach = 2 * (MARGIN // GRAIN) + 1
    around = cv2.dilate(np.asarray(coarse, np.uint8), np.ones((reach, reach), np.uint8))
    _, _, boxes, _ = cv2.connectedComponentsWithStats(around)
    boxes = boxes[1:, :4] * GRAIN  # the first is what lies around
    return [np.s_[top : top + height, left : left + width] for left, top, width, height in boxes.tolist()]


def coarse_to_fine(picture: np.ndarray, mask: np.ndarray, kernels: Sequence[int], run: Run) -> np.ndarray:
    """A picture whose hole is filled, however large the hole is; see `in_parts`.

    What the network cannot reach is taken from half the size first, so that the network can fill what lies around it,
    and is filled itself from there if it can be.
    """
    hole = mask[..., 0] > 0
    core = open_part(hole, kernels)
    if not core.any() or min(hole.shape) < 2:
        return np.where(mask > 0, run(picture, mask), picture)
    coarse = coarse_to_fine(*halved(picture, mask), kernels, run)
    made = np.where(core[..., None], images.resize(coarse, hole.shape, "linear"), picture)
    for part in (hole & ~core, core):
        if part.any() and not open_part(part, kernels).any():
            made = np.where(part[..., None], run(made, np.asarray(part[..., None], np.float32)), made)
    return made


def halved(picture: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Picture and mask at half the size: means of what is known; a pixel of which nothing is known is hole."""
    even = [(0, side % 2) for side in mask.shape[:2]] + [(0, 0)]
    known = 1 - np.pad(mask, even, constant_values=1)
    known, seen = _quarters(known), _quarters(known * np.pad(picture, even))
    return np.asarray(seen / np.maximum(known, 1), np.float32), np.asarray(known == 0, np.float32)


def _quarters(array):
    """Sums over 2 x 2 pixels."""
    return array.reshape(array.shape[0] // 2, 2, -1, 2, array.shape[2]).sum(axis=(1, 3))


def pasted(output: np.ndarray, picture: np.ndarray, mask: np.ndarray, mode: str = "composite") -> np.ndarray:
    """The network's picture in the hole, the picture's own values elsewhere; mode "none": the network's alone.

    Args:
        output: [h, w, 3] in [0, 1], brought to the picture's size.
        picture: [H, W, 3] in [0, 1]; mask: [H, W, 1], 1 in the hole.
        mode: of engine.system.BLENDS.

    Returns:
        [H, W, 3] float32 in [0, 1].
    """
    kernel = "area" if output.shape[0] > picture.shape[0] else "linear"
    filled = images.resize(output, picture.shape[:2], kernel)
    blended = filled if mode == "composite" else blend(filled, picture, mask[..., 0], mode)
    return blended if mode == "none" else np.where(mask == 1, blended, np.float32(picture))
