"""A folder of pictures as a source of clean images, and the rules by which a folder is read.

Files may be nested, of any common format, grey, transparent, 16-bit or EXIF-rotated (see `engine.images.read_image`).
"""

import logging
from pathlib import Path
from typing import Literal

from engine.errors import InputError
from engine.images import listing, read_fitted

logger = logging.getLogger("kintsugi")
ResizeKernel = Literal["nearest", "linear", "cubic", "area", "lanczos"]


def split_folder(root, training):
    """`root`/train or `root`/val where that sub-folder exists, else `root` itself.

    So one root (such as lite_data) serves both splits, and a folder of one split may be named directly.
    """
    split = Path(root) / ("train" if training else "val")
    return split if split.is_dir() else Path(root)


class ImageFolder:
    """Every picture below a folder, in sorted order, at one size.

    Args:
        folder: missing or without images is an InputError.
        size: (height, width) of what `read` returns.
        kernel: resize kernel for reducing.

    Differs: GPEN's loader squeezes a picture of another aspect ratio; here its centre is taken. Square pictures (FFHQ)
    come out the same.
    """

    def __init__(self, folder, size, kernel):  # noqa: D107
        self.folder, self.size, self.kernel = Path(folder), size, kernel
        if not self.folder.exists():
            hint = "--data_dir DIR names one, python tools/make_lite_data.py draws lite_data"
            raise InputError(f"{folder}: no such folder; expected one of images ({hint})")
        listed = listing(folder)
        self.paths = listed.paths
        if listed.left_out:
            logger.info("%s: %d pictures%s", folder, len(self.paths), listed.said())

    def __len__(self):
        """Number of pictures."""
        return len(self.paths)

    def name(self, index):
        """Path below the folder without suffix, such as "00000/00042"."""
        return self.paths[index].relative_to(self.folder).with_suffix("").as_posix()

    def read(self, index):
        """[height, width, 3] RGB float32 in [0, 1]; an unreadable file is an InputError that names it."""
        return read_fitted(self.paths[index], self.size, self.kernel)
