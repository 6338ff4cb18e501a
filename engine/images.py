"""Images between files and networks: read, write, list, resize, change range or layout, composite, show side by side.

In memory an image is RGB, float32, [H, W, 3], range [0, 1]. No Paddle here: functions that only need arithmetic take
arrays and tensors alike.
"""

import io
import os
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from engine.errors import InputError
from engine.files import replacing

READABLE = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".gif"})
KERNELS = {
    "nearest": cv2.INTER_NEAREST,
    "linear": cv2.INTER_LINEAR,
    "cubic": cv2.INTER_CUBIC,
    "area": cv2.INTER_AREA,
    "lanczos": cv2.INTER_LANCZOS4,
}
CAPTION_HEIGHT = 16
SUSPICIOUS_RATIO = 0.6  # a mask with a larger part of hole is more often one of the other polarity
_UPRIGHT = {  # EXIF orientation tag -> how the stored [H, W, C] array becomes the upright one
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, 1),
}
_ORIENTATION_TAG = 0x0112


def read_image(path):
    """Read any common picture file as RGB.

    Grey is repeated over the channels, 16-bit keeps its precision, a palette is looked up, EXIF rotation is applied,
    transparency is composited on white, an animation gives its first frame.

    Returns:
        [H, W, 3] float32 in [0, 1].

    Raises:
        InputError: the file is missing, unreadable, truncated or of an unsupported sample type; the text names it.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path}: not a readable image ({error.strerror})") from error
    return decode_image(content, path)


def decode_image(content, path):
    """The bytes of a picture file as RGB, see `read_image`; `path` is its name in errors."""
    try:
        with Image.open(io.BytesIO(content)) as file:
            is_16_bit = ";16" in str(file.tile)  # before getexif(), which loads a PNG and empties the list
            orientation = file.getexif().get(_ORIENTATION_TAG, 1)
            file.load()
            pixels = _pixels_16_bit(content) if is_16_bit else _pixels_8_bit(file)
    except (OSError, SyntaxError, ValueError, cv2.error, Image.DecompressionBombError) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0].split(" <")[0]
        raise InputError(f"{path}: not a readable image ({reason})") from error
    pixels = _UPRIGHT.get(orientation, lambda a: a)(pixels)
    scale = np.float32(np.iinfo(pixels.dtype).max)
    image = np.ascontiguousarray(pixels[..., :3], dtype=np.float32) / scale
    if pixels.shape[-1] == 4:
        image = composite(image, np.float32(1), pixels[..., 3:].astype(np.float32) / scale)
    return image


def _pixels_8_bit(file):
    """Pillow image -> [H, W, 3 or 4] uint8."""
    if file.mode in ("F", "I"):
        raise ValueError(f"32-bit samples, Pillow mode {file.mode}; expected 8 or 16 bits")
    has_alpha = file.mode in ("LA", "PA", "La", "RGBA", "RGBa") or "transparency" in file.info
    return np.asarray(file.convert("RGBA" if has_alpha else "RGB"))


def _pixels_16_bit(content):
    """File bytes -> [H, W, 3 or 4] RGB(A), uint16 (or uint8 where 16 bits a pixel were meant)."""
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype not in (np.uint8, np.uint16):
        raise ValueError("unsupported 16-bit format")
    if pixels.ndim == 2:
        return np.repeat(pixels[..., None], 3, axis=2)
    return cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGBA if pixels.shape[-1] == 4 else cv2.COLOR_BGR2RGB)


def write_image(path, image):
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


def list_images(folder):
    """Every picture file below a folder, sorted by path; hidden files are left out.

    Raises:
        InputError: the folder is missing, is no folder, or holds no image.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: {'not a folder' if folder.exists() else 'no such folder'}; expected one of images")
    paths = sorted(
        Path(parent, name)
        for parent, _, names in os.walk(folder)
        for name in names
        if Path(name).suffix.lower() in READABLE and not name.startswith(".")
    )
    if not paths:
        raise InputError(f"{folder}: holds no image; expected files ending in {', '.join(sorted(READABLE))}")
    return paths


def resize(image, size, kernel):
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


def fitted(image, size, kernel):
    """The centre of [H, W, C] with the aspect ratio of size = (height, width), at that size.

    Args:
        kernel: used for reducing, see `resize`; enlarging is always "linear".
    """
    top, left, height, width = centre_box(image.shape, size)
    cropped = image[top : top + height, left : left + width]
    return resize(cropped, size, kernel if height > size[0] or width > size[1] else "linear")


def centre_box(shape, size):
    """(top, left, height, width) of the largest centred part of [H, W, ...] with the aspect ratio of size."""
    ratio = min(shape[0] / size[0], shape[1] / size[1])  # source pixels a target pixel
    height, width = max(1, round(size[0] * ratio)), max(1, round(size[1] * ratio))
    return (shape[0] - height) // 2, (shape[1] - width) // 2, height, width


def to_uint8(image):
    """[0, 1] -> 0 .. 255, clipped and rounded to nearest; uint8 passes through."""
    if image.dtype == np.uint8:
        return image
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)


def to_chw(image):
    """[..., H, W, C] -> [..., C, H, W], contiguous."""
    return np.ascontiguousarray(np.moveaxis(image, -1, -3))


def to_hwc(tensor):
    """Array or tensor [..., C, H, W] -> contiguous array [..., H, W, C]."""
    return np.ascontiguousarray(np.moveaxis(np.asarray(tensor), -3, -1))


def to_signed(image):
    """[0, 1] -> [-1, 1]."""
    return image * 2 - 1


def from_signed(image):
    """[-1, 1] -> [0, 1]."""
    return (image + 1) / 2


def composite(output, image, mask):
    """`output` where the mask is 1 (hole), `image` where it is 0 (known)."""
    return mask * output + (1 - mask) * image


def hole_mask(picture, white_means="hole", threshold=0.5):
    """The mask in a picture file: [H, W, 3] in [0, 1] -> [H, W, 1] float32, 1 in the hole, 0 where it is known.

    Args:
        white_means: "hole" or "valid", what a mean over the channels above `threshold` stands for.
    """
    is_white = picture.mean(axis=2, keepdims=True) > threshold
    return (is_white if white_means == "hole" else ~is_white).astype(np.float32)


def face_box(size):
    """The hole of a masked face in an aligned picture, size = (height, width): [H, W, 1] float32, 1 in the hole.

    Half the height and half the width, in the middle of the lower edge.

    Source: the landmark inpainting project, whose masks are fixed for aligned CelebA-HQ faces.
    """
    height, width = size
    hole = np.zeros((height, width, 1), np.float32)
    hole[height // 2 :, width // 4 : width // 4 + width // 2] = 1
    return hole


def picture_grid(rows, labels=None):
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
    band = Image.new("RGB", (grid_width, CAPTION_HEIGHT))
    for column, label in enumerate(labels):
        cell = Image.new("RGB", (cell_width, CAPTION_HEIGHT))
        ImageDraw.Draw(cell).text((2, 1), str(label), fill="white", font=ImageFont.load_default())
        band.paste(cell, (column * cell_width, 0))
    return np.asarray(band, np.float32) / 255
