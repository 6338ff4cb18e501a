"""Read picture files upright, in their own depth and colours, with alpha, profile and EXIF beside the samples.

One list of formats for training and prediction; whatever a decoder raises becomes an InputError that names the file.
"""

import io
import logging
import os
import warnings
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, JpegImagePlugin, TiffImagePlugin

from engine import colour_profiles, sixteen_bits
from engine.errors import InputError
from engine.files import check_regular
from engine.runtime import LIMIT, MAX_PIXELS

FORMATS: tuple[str, ...] = ("JPEG", "PNG", "WEBP", "AVIF", "TIFF", "BMP", "GIF", "PPM")  # an MPO is opened as a JPEG
READABLE = frozenset(".png .jpg .jpeg .jpe .jfif .mpo .bmp .webp .avif .tif .tiff .ppm .pgm .pbm .pnm .gif".split())
if find_spec("pillow_heif"):  # requirements-heif.txt
    FORMATS, READABLE = (*FORMATS, "HEIF"), READABLE | {".heic", ".heif"}
HEIC = (b"heic", b"heix", b"hevc")  # brands of pictures as phones take them, among the first bytes of a file
SPARE = 2**26  # bytes of a file beside its pixels
ORIENTATION, PIXEL_SIZES = 0x0112, (0xA002, 0xA003)
DESCRIBING = {*sixteen_bits.TEXTS, sixteen_bits.EXIF, sixteen_bits.GPS, 282, 283, 296}  # a TIFF, not its layout
UPRIGHT = {  # EXIF orientation -> how the stored [H, W, C] array becomes the upright one
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, 1),
}
logger = logging.getLogger("kintsugi")
for _key in ((b"MM", 0, (1,), 1, (16,), ()), (b"II", 1, (1,), 1, (16, 16), (2,)), (b"MM", 1, (1,), 1, (16, 16), (2,))):
    TiffImagePlugin.OPEN_INFO.setdefault(_key, ("I;16", "I;16"))  # Pillow opens them, sixteen_bits decodes them
warnings.filterwarnings("ignore", module=r"PIL\..*")  # remarks on damaged tags, without the file's name
Image.MAX_IMAGE_PIXELS = None  # `max_pixels` decides, for every format and before anything is decoded


class TooManyPixels(InputError):
    """A picture is larger than `max_pixels`."""


@dataclass(frozen=True)
class Picture:
    """A picture as its file has it, upright.

    Attributes:
        samples: [H, W, 1 (grey) or 3 (RGB)] uint8 or uint16 in the picture's own colours.
        alpha: [H, W, 1] of the same type, or None; colours are not multiplied by it.
        icc, exif: bytes as they are embedded, or None; the orientation in `exif` is upright.
        format: Pillow's name of the container.
        name: what errors call it.
        encoding: how the container was written, as Pillow's save takes it.
    """

    samples: np.ndarray
    alpha: np.ndarray | None = None
    icc: bytes | None = None
    exif: bytes | None = None
    format: str = "PNG"
    name: str = ""
    encoding: dict = field(default_factory=dict)

    @property
    def depth(self) -> int:
        """Bits a sample: 8 or 16."""
        return 8 * self.samples.itemsize

    @property
    def is_grey(self) -> bool:
        """Whether all channels are equal everywhere."""
        return bool((self.samples == self.samples[..., :1]).all())

    def colours(self) -> np.ndarray:
        """[H, W, 3] float32 RGB in [0, 1], converted to sRGB in the picture's depth, without regard to alpha."""
        highest = np.float32(np.iinfo(self.samples.dtype).max)
        found = np.ascontiguousarray(self.samples, dtype=np.float32) / highest
        found = np.repeat(found, 3, axis=2) if found.shape[2] == 1 else found
        profile = self.profile()
        return found if profile is None else np.rint(profile.to_srgb(found) * highest) / highest

    def opacity(self) -> np.ndarray | None:
        """[H, W, 1] float32 in [0, 1], or None where nothing is transparent."""
        return (
            None if self.alpha is None else self.alpha.astype(np.float32) / np.float32(np.iinfo(self.alpha.dtype).max)
        )

    def pixels(self) -> np.ndarray:
        """[H, W, 3] float32 sRGB in [0, 1] as a network sees it: shown on white."""
        found, opacity = self.colours(), self.opacity()
        return found if opacity is None else opacity * found + (1 - opacity)

    def profile(self) -> colour_profiles.Matrix | colour_profiles.Table | None:
        """The conversion of its colours (engine.colour_profiles), or None; a profile of no use is said and ignored."""
        try:
            return None if self.icc is None else colour_profiles.profile_of(self.icc)
        except ValueError as error:
            logger.warning(f"{self.name}: read as sRGB ({error})")
            return None


def max_pixels() -> int:
    """Pixels a picture may have. InputError where the environment variable is no whole number above 0."""
    text = os.environ.get(LIMIT, str(MAX_PIXELS))
    if not text.isdecimal() or not int(text):
        raise InputError(f"{LIMIT}={text}: expected a whole number of pixels, at least 1")
    return int(text)


def read(path: str | Path, least: int | None = None) -> Picture:
    """A picture file.

    Args:
        least: a JPEG may come at 1/2, 1/4 or 1/8 of its size, as long as neither side falls below this.

    Raises:
        InputError: missing, no file (a pipe, a device, a folder), too large, unreadable, truncated, or of samples that
            are not 8 or 16 bits; one line that names it.
    """
    check_regular(path)
    try:
        most = 8 * max_pixels() + SPARE
        if (size := os.path.getsize(path)) > most:
            raise InputError(f"{path}: not a readable image ({size} bytes, at most {most})")
        content = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path}: not a readable image ({error.strerror})") from error
    return decode(content, path, least)


def decode(content: bytes, name: str | Path, least: int | None = None) -> Picture:
    """The bytes of a picture file, see `read`; `name` is what errors call it."""
    _register_heif()
    limit = max_pixels()
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as file:
            if (pixels := _pixels(file)) > limit:
                reason = f"{pixels} pixels, at most {limit}; --max_pixels or {LIMIT} allows more"
                raise TooManyPixels(f"{name}: not a readable image ({reason})")
            if least is not None:
                file.draft(None, (least, least))
            return replace(_decoded(file, content), name=str(name))
    except TooManyPixels:
        raise
    except Image.UnidentifiedImageError as error:
        raise InputError(f"{name}: not a readable image ({_kind_of(content)})") from error
    except Exception as error:  # decoders raise anything; the file is what is wrong
        reason = getattr(error, "strerror", None) or (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{name}: not a readable image ({reason})") from error


def _kind_of(content):
    """What a file is that nothing could open."""
    if content[:2] in (b"II", b"MM"):
        return "a TIFF of a kind that is not read"
    if "HEIF" not in FORMATS and content[4:8] == b"ftyp" and any(brand in content[8:64] for brand in HEIC):
        return "HEIC; pip install -r requirements-heif.txt, then it can be read"
    return f"none of {', '.join(FORMATS)}"


@cache
def _register_heif():
    if "HEIF" in FORMATS:
        import pillow_heif

        pillow_heif.register_heif_opener()


def _pixels(file):
    """Pixels that decoding needs room for."""
    tags = getattr(file, "tag_v2", {})
    sides = tags.get(sixteen_bits.TILE_WIDTH, 0), tags.get(sixteen_bits.TILE_HEIGHT, 0)
    tile = sides[0] * sides[1] if all(isinstance(side, int) for side in sides) else 0
    return max(file.width * file.height, tile)


def _decoded(file, content):
    deep = _samples_16_bit(file, content)
    encoding = _encoding(file, content)
    turn = file.tag_v2.get(ORIENTATION, 1) if deep is not None and file.format == "TIFF" else None
    if deep is None:
        file.load()  # turns a TIFF
    exif, orientation = _exif(file)
    turn = orientation if turn is None else turn
    icc = file.info.get("icc_profile") or None
    if deep is None:
        deep, icc = _samples_8_bit(file, icc)
    pixels = np.ascontiguousarray(UPRIGHT.get(turn, lambda a: a)(deep))
    colours = 3 if pixels.shape[2] > 2 else 1
    alpha = pixels[..., colours:] if pixels.shape[2] > colours else None
    return Picture(pixels[..., :colours], alpha, icc, exif, file.format, encoding=encoding)


def _samples_8_bit(file, icc):
    """Pillow image -> [H, W, 1 to 4] uint8 (uint16 of a plain PGM) and the profile that still holds for them."""
    mode = file.mode
    if mode == "I" and file.format == "PPM":
        return np.asarray(file).astype(np.uint16)[..., None], icc
    if mode.startswith(("F", "I")):
        raise ValueError(f"samples of Pillow mode {mode}; expected unsigned, 8 or 16 bits")
    if mode == "CMYK" and icc:
        try:
            return np.asarray(colour_profiles.cmyk_to_srgb(file, icc)), None
        except ImageCms.PyCMSError:
            pass  # as without a profile
    has_alpha = mode in ("LA", "PA", "La", "RGBA", "RGBa") or "transparency" in file.info
    grey = mode in ("1", "L", "LA", "La")
    pixels = np.asarray(file.convert(("LA" if grey else "RGBA") if has_alpha else ("L" if grey else "RGB")))
    return pixels.reshape(*pixels.shape[:2], -1), None if mode in ("CMYK", "YCbCr", "LAB") else icc


def _samples_16_bit(file, content):
    """[H, W, 1 to 4] uint16 where a sample has more than 8 bits, not turned; else None."""
    if file.format == "TIFF":
        bits = file.tag_v2.get(sixteen_bits.BITS, (1,))
        kinds = file.tag_v2.get(sixteen_bits.FORMAT, (1,))
        return sixteen_bits.tiff(content, file.tag_v2) if max(bits) > 8 or set(kinds) - {1, 4} else None
    if file.format == "PNG" and ";16" in str(file.tile):
        file.load()  # OpenCV forgives a damaged file, and EXIF may stand at its end
        return sixteen_bits.png(content)
    if file.format == "PPM" and (channels := {b"P5": 1, b"P6": 3}.get(content[:2])):
        highest = 65535 if "I;16" in str(file.tile) else file.tile[0].args[-1]
        if isinstance(highest, int) and highest > 255:
            return sixteen_bits.pnm(content, file.tile[0].offset, (file.height, file.width, channels), highest)
    return None


def _encoding(file, content):
    """Options that write the container about as it was."""
    if file.format in ("JPEG", "MPO"):
        sampling = JpegImagePlugin.get_sampling(file)
        found = {"qtables": file.quantization, "subsampling": sampling if sampling >= 0 else None}
        return {name: value for name, value in found.items() if value not in (None, {})}
    if file.format == "WEBP":
        return {"lossless": True} if content[12:16] == b"VP8L" else {"quality": 95}
    return {}


def _exif(file):
    """(bytes to embed, upright and without sizes, or None where there is nothing to say; orientation as stored)."""
    try:
        exif = file.getexif()
        orientation = int(exif.get(ORIENTATION, 1))
        if file.format == "TIFF":
            for tag in set(exif) - DESCRIBING:
                del exif[tag]
        if not len(exif):
            return None, orientation
        exif[ORIENTATION] = 1
        sub = exif.get_ifd(sixteen_bits.EXIF)
        for tag in PIXEL_SIZES:
            sub.pop(tag, None)
        return exif.tobytes(), orientation
    except Exception:  # Pillow raises anything; damaged EXIF describes nothing
        return None, 1
