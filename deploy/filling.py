"""Pictures with holes: masks that are doubtful, the mask nobody gave, and the way the filling gets in."""

import numpy as np

from deploy.blending import blend
from engine import images
from engine.errors import InputError
from engine.log import logger
from engine.system import Hole

DEFAULTS = {"face_box": images.face_box}


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
    blended = blend(filled, picture, mask[..., 0], mode)
    return blended if mode == "none" else np.where(mask == 1, blended, np.float32(picture))
