"""Read and write pictures of 16 bits per sample without loss (PNG, TIFF, PNM); Pillow would reduce them to 8.

OpenCV does the decoding. A TIFF is given to it under a directory of ours, which names the layout and nothing else: its
reader turns by the orientation tag, takes separate planes for one and white-is-zero for black-is-zero.
"""

import struct
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, STRIPS, SAMPLES = 256, 257, 258, 259, 262, 273, 277
ROWS, STRIP_SIZES, PLANAR, PREDICTOR, EXTRA, FORMAT, ICC = 278, 279, 284, 317, 338, 339, 34675
FILL_ORDER, TILE_WIDTH, TILE_HEIGHT, TILES, TILE_SIZES = 266, 322, 323, 324, 325
LAYOUT = (WIDTH, HEIGHT, COMPRESSION, ROWS, PREDICTOR, FILL_ORDER, TILE_WIDTH, TILE_HEIGHT)
TEXTS, EXIF, GPS = (270, 271, 272, 305, 306, 315, 33432), 34665, 34853  # what describes a picture
PLACES = (STRIPS, STRIP_SIZES, TILES, TILE_SIZES)
WHITE_IS_ZERO, RGB, ASSOCIATED, UNASSOCIATED = 0, 2, 1, 2
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # a damaged file is an error that names it


def png(content: bytes) -> np.ndarray:
    """[H, W, 1 to 4] uint16 of a PNG's bytes, grey or RGB, alpha last. ValueError where OpenCV cannot read it."""
    return _decoded(content)


def pnm(content: bytes, place: int, shape: tuple[int, int, int], highest: int) -> np.ndarray:
    """[H, W, 1 or 3] uint16 of a binary PGM or PPM whose samples of 0 .. `highest` begin at byte `place`."""
    values = np.frombuffer(content, ">u2", np.prod(shape), place).reshape(shape)
    return np.rint(np.minimum(values, highest) * (65535 / highest)).astype(np.uint16)


def tiff(content: bytes, tags: Mapping[int, Any]) -> np.ndarray:
    """[H, W, 1 to 4] uint16 of a TIFF's first picture, not turned; grey or RGB, alpha last and not multiplied in.

    Args:
        content: the file's bytes.
        tags: tag -> value, as Pillow reads them.

    Raises:
        ValueError: it is none of unsigned 16-bit grey, grey with alpha, RGB, RGB with alpha; the text says what it is.
    """
    bits, formats = set(tags.get(BITS, (1,))), set(tags.get(FORMAT, (1,)))
    channels, photometric, extra = tags.get(SAMPLES, 1), tags.get(PHOTOMETRIC), tags.get(EXTRA, ())
    if bits != {16} or formats != {1}:
        signs = {2: "signed", 3: "floating point"}.get(max(formats), "unsigned")
        raise ValueError(f"{signs} samples of {'/'.join(map(str, sorted(bits)))} bits; expected unsigned, 8 or 16 bits")
    colours = 3 if photometric == RGB else 1
    if photometric not in (0, 1, 2) or channels not in (colours, colours + 1):
        raise ValueError(f"16-bit TIFF of photometric {photometric} with {channels} channels; expected grey or RGB")
    pixels = _tiff_samples(content, tags, channels)
    if photometric == WHITE_IS_ZERO:
        pixels[..., :1] = 65535 - pixels[..., :1]
    kind = extra[0] if extra else None
    if channels > colours and kind == ASSOCIATED:
        alpha = np.maximum(pixels[..., -1:], 1).astype(np.float64)
        pixels[..., :-1] = np.rint(np.minimum(pixels[..., :-1] / alpha, 1) * 65535)
    return pixels if kind in (ASSOCIATED, UNASSOCIATED) else pixels[..., :colours]


def _tiff_samples(content, tags, channels):
    planes = channels if tags.get(PLANAR, 1) == 2 else 1
    own = {tag: tags[tag] for tag in LAYOUT if tag in tags}
    own |= {BITS: (16,) * (channels // planes), SAMPLES: channels // planes, PLANAR: 1, FORMAT: 1}
    own |= {PHOTOMETRIC: RGB if channels // planes > 2 else 1}
    if channels // planes == 4:
        own[EXTRA] = UNASSOCIATED
    if is_pair := channels // planes == 2:  # OpenCV has no two channels: twice as many columns of one
        if tags.get(PREDICTOR, 1) != 1:
            raise ValueError("16-bit TIFF of grey and alpha, packed as differences")
        own |= {tag: 2 * own[tag] for tag in (WIDTH, TILE_WIDTH) if tag in own} | {BITS: 16, SAMPLES: 1}
    places = {tag: _several(tags[tag]) for tag in PLACES if tag in tags}
    found = []
    for plane in range(planes):
        part = {
            tag: each[plane * len(each) // planes : (plane + 1) * len(each) // planes] for tag, each in places.items()
        }
        found.append(_decoded(under_directory(content, own | part)))
    pixels = np.concatenate(found, axis=2)
    pixels = pixels.reshape(len(pixels), -1, 2) if is_pair else pixels
    if pixels.shape[2] != channels:
        raise ValueError(f"16-bit TIFF of {channels} channels cannot be decoded")
    return pixels


def described(tags: Mapping[int, Any]) -> dict[int, Any]:
    """TIFF tags that describe the picture, for `under_directory`: texts, and the places of EXIF and GPS."""
    texts = {tag: tags[tag].encode() + b"\0" for tag in TEXTS if isinstance(tags.get(tag), str)}
    return texts | {tag: tags[tag] for tag in (EXIF, GPS) if isinstance(tags.get(tag), int)}


def layout(pixels: np.ndarray, place: int, size: int) -> dict[int, Any]:
    """Tags of samples [H, W, 1 to 4], deflated to one strip of `size` bytes at `place`."""
    height, width, channels = pixels.shape
    tags = {
        WIDTH: width,
        HEIGHT: height,
        BITS: (8 * pixels.itemsize,) * channels,
        COMPRESSION: 8,
        SAMPLES: channels,
        PLANAR: 1,
    }
    tags |= {PHOTOMETRIC: RGB if channels > 2 else 1, STRIPS: place, STRIP_SIZES: size, ROWS: height}
    return tags | ({EXTRA: UNASSOCIATED} if channels in (2, 4) else {})


def under_directory(content: bytes, tags: Mapping[int, Any]) -> bytes:
    """The bytes of a TIFF with another directory for the same data: tag -> whole number, several, or bytes (text)."""
    order = "<" if content[:2] == b"II" else ">"
    content += b"\0" * (len(content) % 2)
    start = len(content)
    data_start, entries, data = start + 6 + 12 * len(tags), b"", b""
    for tag, value in sorted(tags.items()):
        if isinstance(value, bytes):
            kind, count, packed = 7 if tag == ICC else 2, len(value), value
        else:
            value = _several(value)
            kind, letter = (3, "H") if max(value) < 65536 else (4, "I")
            count, packed = len(value), struct.pack(f"{order}{len(value)}{letter}", *value)
        if len(packed) > 4:
            place = struct.pack(f"{order}I", data_start + len(data))
            data += packed + b"\0" * (len(packed) % 2)
        else:
            place = packed.ljust(4, b"\0")
        entries += struct.pack(f"{order}HHI", tag, kind, count) + place
    directory = struct.pack(f"{order}H", len(tags)) + entries + b"\0" * 4
    return content[:2] + struct.pack(f"{order}HI", 42, start) + content[8:] + directory + data


def _several(value):
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)


def _decoded(content):
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16:
        raise ValueError("truncated, or a 16-bit form that cannot be decoded")
    if pixels.ndim == 2:
        return pixels[..., None]
    return cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGBA if pixels.shape[-1] == 4 else cv2.COLOR_BGR2RGB)
