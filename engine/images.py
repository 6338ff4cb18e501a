"""Images between files and networks: read, write, list, resize, change range or layout, composite, show side by side.

In memory an image is RGB, float32, [H, W, 3], range [0, 1]. No Paddle here: functions that only need arithmetic take
arrays and tensors alike.
"""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
from PIL import Image

from engine import picture_files
from engine.errors import InputError
from engine.files import replacing

T = TypeVar("T")  # array or tensor

KERNELS = {
    "nearest": cv2.INTER_NEAREST,
    "linear": cv2.INTER_LINEAR,
    "cubic": cv2.INTER_CUBIC,
    "area": cv2.INTER_AREA,
    "lanczos": cv2.INTER_LANCZOS4,
}
HIDDEN = frozenset({"@eaDir", "__MACOSX"})  # beside all names that begin with a dot
CAPTION_HEIGHT = 16
SUSPICIOUS_RATIO = 0.6  # a mask with a larger part of hole is more often one of the other polarity


def read_image(path: str | Path) -> np.ndarray:
    """A picture file as networks see it, see `engine.picture_files.read`: [H, W, 3] float32 sRGB in [0, 1].

    Grey is repeated over the channels, 16-bit keeps its precision, transparency is composited on white.
    """
    return picture_files.read(path).pixels()


def read_fitted(path: str | Path, size: Sequence[int], kernel: str) -> np.ndarray:
    """`fitted(read_image(path), size, kernel)` in a fraction of the time, for training.

    If the kernel averages ("area"), a JPEG is decoded at the smallest scale that has at least twice the size; a plain
    8-bit picture is resized as bytes. Values differ from the exact way by less than a level of 255 on average; the
    centre of a JPEG with another aspect ratio may lie a quarter of a pixel aside.
    """
    picture = picture_files.read(path, least=2 * max(size) if kernel == "area" else None)
    if picture.depth == 8 and picture.alpha is None and picture.icc is None:
        picture = replace(picture, samples=fitted(picture.samples, size, kernel))
    return fitted(picture.pixels(), size, kernel)


def write_image(path: str | Path, image: np.ndarray) -> None:
    """Write an RGB image as an 8-bit file, whole or not at all; missing folders are made.

    Args:
        path: the suffix names the format (.png, .jpg, .webp, ...).
        image: [H, W, 3] in [0, 1] (clipped, rounded to nearest) or uint8.

    Raises:
        InputError: the suffix is unknown or the file cannot be written.
    """
    path = Path(path)
    format_name = Image.registered_extensions().get(path.suffix.lower())
    if format_name not in Image.SAVE:
        raise InputError(f"{path}: cannot write images as {path.suffix!r}; use .png or .jpg")
    with replacing(path) as temporary:
        Image.fromarray(to_uint8(image)).save(temporary, format=format_name, **_SAVE_OPTIONS.get(format_name, {}))


_SAVE_OPTIONS = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"quality": 95}}


@dataclass(frozen=True)
class Listing:
    """The picture files below a folder: sorted names, relative to it, and how many files of each kind were left out."""

    folder: Path
    names: list
    left_out: Counter

    @property
    def paths(self) -> list[Path]:
        """The files."""
        return [Path(self.folder, name) for name in self.names]

    def said(self) -> str:
        """End of a sentence on the files left out, such as ", 3 files left out (2 .heic, 1 hidden)", or nothing."""
        kinds = ", ".join(
            f"{count} {kind}" for kind, count in sorted(self.left_out.items(), key=lambda x: (-x[1], x[0]))
        )
        count = self.left_out.total()
        return f", {counted(count, 'file')} left out ({kinds})" if kinds else ""


def listing(folder: str | Path) -> Listing:
    """Every picture file below a folder, linked folders included, each folder once.

    Left out are files of other suffixes, what begins with a dot and what HIDDEN names, the keep of programs.

    Raises:
        InputError: the folder is missing, is no folder, or holds no image.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: {'not a folder' if folder.exists() else 'no such folder'}; expected one of images")
    found, seen = [], {os.path.realpath(folder)}
    left_out: Counter[str] = Counter()
    for parent, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in sorted(folders) if _is_first(os.path.join(parent, name), seen)]
        above = [part for part in os.path.relpath(parent, folder).split(os.sep) if part != "."]
        prefix, is_hidden = "".join(f"{part}/" for part in above), any(map(hidden, above))
        for name in names:
            suffix = os.path.splitext(name)[1].lower()
            if is_hidden or hidden(name) or suffix not in picture_files.READABLE:
                left_out["hidden" if is_hidden or hidden(name) else suffix or "without suffix"] += 1
            else:
                found.append(prefix + name)
    listed = Listing(folder, sorted(found, key=lambda name: name.split("/")), left_out)
    if not found:
        suffixes = ", ".join(sorted(picture_files.READABLE))
        raise InputError(f"{folder}: holds no image; expected files ending in {suffixes}{listed.said()}")
    return listed


def left_out(*folders: str | Path) -> str:
    """Files that `listing` leaves out of folders, as the end of a sentence; see `Listing.said`."""
    return Listing(Path(), [], sum((listing(folder).left_out for folder in folders), Counter[str]())).said()


def counted(number: int, noun: str) -> str:
    """A number of things: 1, "picture" -> "1 picture"; 3, "picture" -> "3 pictures"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def closing(done: int, skipped: int, kinds: str = "") -> str:
    """Begin of a run's closing line: "3 pictures, 1 skipped"; `kinds` stands behind the pictures."""
    return f"{counted(done, 'picture')}{kinds}, {skipped} skipped"


def hidden(name: str) -> bool:
    """Whether a file or folder of this name is left out."""
    return name.startswith(".") or name in HIDDEN


def _is_first(path, seen):
    """Whether no folder like this one was walked before; a link may lead back up."""
    if (real := os.path.realpath(path)) in seen:
        return False
    seen.add(real)
    return True


def list_images(folder: str | Path) -> list[Path]:
    """The paths of `listing`."""
    return listing(folder).paths


def resize(image: np.ndarray, size: Sequence[int], kernel: str) -> np.ndarray:
    """Resize [H, W, C] to size = (height, width); an image of that size is returned as it is.

    Args:
        kernel: "nearest", "linear", "cubic", "area" or "lanczos". Only "area" averages over what it discards
            (antialiases); it is for reducing: enlarging by a whole factor it repeats pixels.

    Source: the kernels are OpenCV's (cv2.resize), half-pixel centres; "cubic" has a = -0.75, "lanczos" 8 x 8 taps.
    """
    height, width = size
    if image.shape[:2] == (height, width):
        return image
    resized = cv2.resize(image, (width, height), interpolation=KERNELS[kernel])
    return resized.reshape(height, width, *image.shape[2:])


def smaller(image: np.ndarray, side: int) -> np.ndarray:
    """[H, W, C] reduced by area so that its longer side is at most `side`; a smaller one is returned as it is."""
    ratio = min(1.0, side / max(image.shape[:2]))
    return resize(image, [max(1, round(length * ratio)) for length in image.shape[:2]], "area")


def side_by_side(images: Sequence[np.ndarray], height: int, kernel: str) -> np.ndarray:
    """Pictures [H, W, C] in one row, each resized to a height in its own proportions."""
    sizes = [(height, round(image.shape[1] * height / len(image))) for image in images]
    return np.concatenate([resize(*pair, kernel) for pair in zip(images, sizes, strict=True)], axis=1)


def of_width(image: np.ndarray, width: int, kernel: str) -> np.ndarray:
    """[H, W, C] resized to a width, in its own proportions."""
    return resize(image, (round(len(image) * width / image.shape[1]), width), kernel)


def fitted(image: np.ndarray, size: Sequence[int], kernel: str) -> np.ndarray:
    """The centre of [H, W, C] with the aspect ratio of size = (height, width), at that size.

    Args:
        kernel: used for reducing, see `resize`; enlarging is always "linear".
    """
    top, left, height, width = centre_box(image.shape, size)
    cropped = image[top : top + height, left : left + width]
    return resize(cropped, size, kernel if height > size[0] or width > size[1] else "linear")


def centre_box(shape: Sequence[int], size: Sequence[int]) -> tuple[int, int, int, int]:
    """(top, left, height, width) of the largest centred part of [H, W, ...] with the aspect ratio of size."""
    ratio = min(shape[0] / size[0], shape[1] / size[1])  # source pixels a target pixel
    height, width = max(1, round(size[0] * ratio)), max(1, round(size[1] * ratio))
    return (shape[0] - height) // 2, (shape[1] - width) // 2, height, width


def to_uint8(image: Any) -> np.ndarray:
    """[0, 1] -> 0 .. 255, clipped and rounded to nearest; uint8 passes through."""
    if image.dtype == np.uint8:
        return image
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)


def to_chw(image: np.ndarray) -> np.ndarray:
    """[..., H, W, C] -> [..., C, H, W], contiguous."""
    return np.ascontiguousarray(np.moveaxis(image, -1, -3))


def to_hwc(tensor: Any) -> np.ndarray:
    """Array or tensor [..., C, H, W] -> contiguous array [..., H, W, C]."""
    return np.ascontiguousarray(np.moveaxis(np.asarray(tensor), -3, -1))


def to_signed(image: Any) -> Any:
    """[0, 1] -> [-1, 1]."""
    return image * 2 - 1


def from_signed(image: Any) -> Any:
    """[-1, 1] -> [0, 1]."""
    return (image + 1) / 2


def composite(output: Any, image: Any, mask: Any) -> Any:
    """`output` where the mask is 1 (hole), `image` where it is 0 (known)."""
    return mask * output + (1 - mask) * image


def face_box(size: Sequence[int]) -> np.ndarray:
    """The hole of a masked face in an aligned picture, size = (height, width): [H, W, 1] float32, 1 in the hole.

    Half the height and half the width, in the middle of the lower edge.

    Source: the landmark inpainting project, whose masks are fixed for aligned CelebA-HQ faces.
    """
    height, width = size
    hole = np.zeros((height, width, 1), np.float32)
    hole[height // 2 :, width // 4 : width // 4 + width // 2] = 1
    return hole


def picture_grid(rows: Sequence[Sequence[np.ndarray]], labels: Sequence[str] | None = None) -> np.ndarray:
    """One picture of images side by side, for eyes.

    Args:
        rows: list of rows, each a list of [H, W, 3] images in [0, 1]. A cell is as large as the largest image;
            smaller images are enlarged without smoothing, missing ones are black.
        labels: captions of the columns, drawn above them.

    Returns:
        [sum of heights, sum of widths, 3] float32 in [0, 1].
    """
    height = max(image.shape[0] for row in rows for image in row)
    width = max(image.shape[1] for row in rows for image in row)
    grid = np.zeros((len(rows) * height, max(map(len, rows)) * width, 3), np.float32)
    for i, row in enumerate(rows):
        for j, image in enumerate(row):
            cell = resize(np.asarray(image, np.float32), (height, width), "nearest")
            grid[i * height : (i + 1) * height, j * width : (j + 1) * width] = np.clip(cell, 0, 1)
    return np.concatenate([_captions(labels, width, grid.shape[1]), grid]) if labels else grid


def _captions(labels, cell_width, grid_width):
    """Black band [CAPTION_HEIGHT, grid_width, 3] with one white caption a cell."""
    from PIL import ImageDraw, ImageFont

    band = Image.new("RGB", (grid_width, CAPTION_HEIGHT))
    for column, label in enumerate(labels):
        cell = Image.new("RGB", (cell_width, CAPTION_HEIGHT))
        ImageDraw.Draw(cell).text((2, 1), str(label), fill="white", font=ImageFont.load_default())
        band.paste(cell, (column * cell_width, 0))
    return np.asarray(band, np.float32) / 255
