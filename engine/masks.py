"""Read masks from picture files of any two values, colours or transparency.

One rule for prediction, tests and scores. A mask with transparent parts is its alpha: of strokes on a transparent layer
the strokes are marked, of a picture with an erased part what is erased. Otherwise the brighter part is marked: from one
half of the grey levels on, or of the mask's own range where it has two values or never gets to (or below) one half.
"""

from pathlib import Path

import numpy as np

from engine.picture_files import Picture, read

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
FEW_LEVELS = 16  # strokes have fewer colours, a picture has more
CLEAR_RANGE = 1 / 8  # of darker or brighter levels that are not noise


def hole_of(picture: Picture, white_means: str = "hole", threshold: float = 0.5) -> np.ndarray:
    """The hole in a mask: [H, W, 1] float32, 1 in the hole, 0 where it is known.

    Args:
        picture: of engine.picture_files.
        white_means: "hole" or "valid", what the marked part stands for.
        threshold: level from which a pixel counts as marked.
    """
    marked = _levels(picture) >= threshold
    return (marked if white_means == "hole" else ~marked).astype(np.float32)[..., None]


def read_hole(path: str | Path, white_means: str = "hole") -> np.ndarray:
    """`hole_of` a file. InputError where it cannot be read."""
    return hole_of(read(path), white_means)


def _levels(picture):
    """[H, W] float32 in [0, 1], 1 where the mask is marked."""
    highest = np.float32(np.iinfo(picture.samples.dtype).max)
    shown = picture.samples.astype(np.float32) / highest
    shown = shown[..., 0] if shown.shape[2] == 1 else shown @ LUMA
    opacity = picture.opacity()
    if opacity is None or opacity.min() == opacity.max():
        return _stretched(shown)
    opacity = opacity[..., 0]
    whole = np.unique(np.rint(shown[opacity == opacity.max()] * 255))
    return _stretched(1 - opacity if len(whole) > FEW_LEVELS else opacity)


def _stretched(levels):
    lowest, highest = levels.min(), levels.max()
    is_one_sided = (highest < 0.5 or lowest >= 0.5) and highest - lowest > CLEAR_RANGE
    if lowest < highest and (is_one_sided or np.isin(levels, (lowest, highest)).all()):
        return (levels - lowest) / (highest - lowest)
    return levels
