"""Write results in the form of their picture, as far as the container can hold it.

The picture itself is read by engine.picture_files; what of it a network changed goes back into its own samples.
"""

import io
import os
import struct
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from deploy.contract import Contract
from deploy.samples import Sample
from engine import images, sixteen_bits
from engine.errors import InputError
from engine.files import replacing
from engine.log import logger
from engine.masks import LUMA
from engine.picture_files import Picture

CONTAINERS = {  # suffix -> Pillow's name; every one of them can be read again
    ".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".jpe": "JPEG", ".jfif": "JPEG", ".webp": "WEBP", ".avif": "AVIF",
    ".tif": "TIFF", ".tiff": "TIFF", ".bmp": "BMP", ".ppm": "PPM", ".pgm": "PPM", ".pnm": "PPM",
}  # fmt: skip
DEEP = {"PNG", "TIFF"}  # containers of 16 bits
WITH_ALPHA = {"PNG", "TIFF", "WEBP", "AVIF"}
WITH_PROFILE = WITH_ALPHA | {"JPEG"}
WITH_GREY_PROFILE = {"PNG", "TIFF", "JPEG"}
OPTIONS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"quality": 95, "exact": True},
    "AVIF": {"quality": 90, "subsampling": "4:4:4"},
}
LONGEST_EXIF = 65533  # bytes that a JPEG's segment holds


class Files:
    """NAME_predict.png of every sample, NAME_predict_OUTPUT.png for further outputs, in the form of the picture."""

    def __init__(
        self,
        contract: Contract,
        samples: Sequence[Sample],
        folder: str | Path,
        ext: str = "png",
        colour: str = "kept",
        ending: str = "predict",
    ) -> None:
        """Args: see `output_files`; colour: of deploy.flags.COLOURS. InputError: see `check_places`."""
        self.paths, self.colour = output_files(contract, samples, folder, ext, ending), colour
        self.picture = contract.picture.name
        self.masks = {port.name for port in contract.of_kind("mask", outputs=True)}
        check_places((path for paths in self.paths.values() for path in paths.values()), samples)

    def write(self, name: str, picture: Picture, given: dict, results: dict[str, np.ndarray]) -> None:
        """Write the results of one sample: what was read, given and made, as arrays of a Session."""
        for port, path in self.paths[name].items():
            if port in self.masks:
                mask = images.to_uint8(results[port])
                write(path, Picture(mask))
            else:
                write(path, returned(picture, results[port], self.colour, given[self.picture]))

    def finish(self) -> None:
        """Called after the last sample: nothing is left to write."""


def output_files(
    contract: Contract, samples: Sequence[Sample], folder: str | Path, ext: str = "png", ending: str = "predict"
) -> dict[str, dict[str, Path]]:
    """Paths of every sample's results: <stem>_predict.png, further outputs <stem>_predict_<output>.png.

    Args:
        contract: of the model.
        samples: all of a run.
        folder: of the results.
        ext: of deploy.flags.EXTENSIONS.
        ending: what takes the place of "predict" in the names.

    Returns:
        sample name -> {output name: path}.
    """
    ports = [port.name for port in contract.of_kind("image", "mask", outputs=True)]
    endings = {port: f"_{ending}_{port}" if i else f"_{ending}" for i, port in enumerate(ports)}
    return {
        name: {port: Path(folder) / f"{stem}{end}{suffix(name, ext)}" for port, end in endings.items()}
        for name, stem in stems(samples).items()
    }


def stems(samples: Sequence[Sample]) -> dict[str, str]:
    """Sample name -> what its results are called; samples that differ in the suffix only keep it."""
    found = {sample.name: os.path.splitext(sample.name)[0] for sample in samples}
    count = Counter(found.values())
    return {name: stem if count[stem] == 1 else name for name, stem in found.items()}


def check_places(paths: Iterable[Path], samples: Sequence[Sample]) -> None:
    """InputError where a result would take the place of a file that is read, or of another result."""
    count = Counter(map(str, paths))
    for path, number in count.items():
        if number > 1:
            raise InputError(f"{path}: is the place of {number} results; expected pictures of other names")
    there = {found: path for path in count if (found := _identity(path))}
    for source in dict.fromkeys(file for sample in samples for file in sample.files.values()) if there else ():
        if taken := there.get(_identity(source)):
            raise InputError(f"{taken}: is one of the pictures that are read; expected another folder for results")


def _identity(path):
    """What a file is, whatever name it has; None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def suffix(name: str, ext: str = "png") -> str:
    """The suffix of a result: `ext`, or with "auto" the picture's own where it can be written, else .png."""
    if ext != "auto":
        return f".{ext}"
    own = Path(name).suffix.lower()
    return own if own in CONTAINERS else ".png"


def returned(original: Picture, result: np.ndarray, colour: str = "kept", shown: np.ndarray | None = None) -> Picture:
    """The result of a network in its picture's depth, colours, alpha and greyness.

    Args:
        original: the picture.
        result: [h, w, 3] float in [0, 1]. Where it is of the picture's size and equals what was shown, the picture's
            own samples stay.
        colour: "kept": a grey picture gives a grey result; "free": a result is in colour.
        shown: what the network was shown; default: `original.pixels()`.
    """
    highest = np.iinfo(original.samples.dtype).max
    if colour == "free" and original.samples.shape[2] == 1:
        original = _of(original, original.colours())
    if result.shape[:2] != original.samples.shape[:2]:
        original = _resized(original, result.shape[:2])
        changed = np.ones(result.shape[:2], bool)
    else:
        changed = (result != (original.pixels() if shown is None else shown)).any(axis=2)
    samples = original.samples.copy()
    is_grey = colour == "kept" and original.is_grey
    samples[changed] = np.rint(_own_colours(original, result[changed], changed, is_grey) * highest)
    return replace(original, samples=samples)


def _resized(original, size):
    """The picture in another size, for what is not replaced."""
    kernel = "area" if size[0] < len(original.samples) else "linear"
    alpha = None if original.alpha is None else images.resize(original.alpha, size, kernel)
    return replace(original, samples=images.resize(original.samples, size, kernel), alpha=alpha)


def _own_colours(original, colours, changed, is_grey):
    """[N, 3] sRGB on white -> [N, 1 or 3] in [0, 1] in the picture's own colours."""
    colours = np.clip(np.asarray(colours, np.float32), 0, 1)
    opacity = original.opacity()
    if opacity is not None:
        opacity = opacity[changed]
        shown = (colours - (1 - opacity)) / np.maximum(opacity, 1e-6)
        colours = np.where(opacity > 0, np.clip(shown, 0, 1), colours)
    if is_grey:
        colours = np.repeat((colours @ LUMA)[:, None], 3, axis=1)
    profile = original.profile()
    colours = colours if profile is None else np.clip(profile.from_srgb(colours), 0, 1)
    if is_grey:
        colours[:] = colours.mean(axis=1, keepdims=True)
    return colours[:, : original.samples.shape[2]]


def write(path: str | Path, picture: Picture) -> None:
    """Write a picture, whole or not at all; the suffix names the container. What that cannot hold is said.

    Raises:
        InputError: the suffix is unknown or the file cannot be written.
    """
    path = Path(path)
    content = encoded(picture, path.suffix, path)
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def encoded(picture: Picture, suffix: str, name: str | Path = "") -> bytes:
    """The bytes of a picture in the container of a suffix; `name` is for remarks. InputError: the suffix is unknown."""
    container = CONTAINERS.get(suffix.lower())
    if container is None:
        raise InputError(f"{name}: cannot write pictures as {suffix!r}; expected one of {', '.join(CONTAINERS)}")
    picture, lost = _held(picture, container)
    for reason in lost:
        logger.warning(f"{name}: {container} {reason}")
    if container == "TIFF" or picture.depth == 16:
        return {"PNG": _png_16, "TIFF": _tiff}[container](picture)
    stream = io.BytesIO()
    _image(picture).save(stream, format=container, **_save_options(picture, container))
    return stream.getvalue()


def _held(picture, container):
    """(what of a picture the container holds, what is lost as texts)."""
    lost = []
    if picture.alpha is not None and container not in WITH_ALPHA:
        lost.append("holds no alpha; the picture is shown on white")
        picture = _of(picture, picture.pixels(), alpha=None)
    is_grey_profile = picture.icc is not None and picture.samples.shape[2] == 1 and container not in WITH_GREY_PROFILE
    if picture.icc is not None and (container not in WITH_PROFILE or is_grey_profile):
        lost.append("holds no such colour profile; the colours are written as sRGB")
        picture = _of(picture, picture.colours())
    if picture.depth == 16 and container not in DEEP:
        lost.append("holds 8 bits; the picture has 16")
        alpha = None if picture.alpha is None else _to_8_bits(picture.alpha)
        picture = replace(picture, samples=_to_8_bits(picture.samples), alpha=alpha)
    longest = {"JPEG": LONGEST_EXIF}.get(container, 2**31 if container in WITH_PROFILE else 0)
    if picture.exif is not None and len(picture.exif) > longest:
        lost.append("holds no EXIF of its size" if longest else "holds no EXIF")
        picture = replace(picture, exif=None)
    return picture, lost


def _of(picture, colours, **changes):
    """The picture with sRGB colours [H, W, 3] in [0, 1] for its own, in its depth."""
    highest = np.float32(np.iinfo(picture.samples.dtype).max)
    samples = np.rint(colours * highest).astype(picture.samples.dtype)
    return replace(picture, samples=samples, icc=None, **changes)


def _to_8_bits(samples):
    return np.rint(samples / np.float32(257)).astype(np.uint8)


def _with_alpha(picture):
    """[H, W, 1 to 4]."""
    return picture.samples if picture.alpha is None else np.concatenate([picture.samples, picture.alpha], axis=2)


def _image(picture):
    pixels = _with_alpha(picture)
    return Image.fromarray(np.ascontiguousarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels))


def _save_options(picture, container):
    own = picture.encoding if container == {"MPO": "JPEG"}.get(picture.format, picture.format) else {}
    options = own if "qtables" in own else OPTIONS.get(container, {}) | own
    if picture.samples.shape[2] == 1:
        options = {name: value for name, value in options.items() if name != "subsampling"}
    extra = {"icc_profile": picture.icc, "exif": picture.exif}
    return options | {name: value for name, value in extra.items() if value is not None}


def _png_16(picture):
    """The bytes of a PNG, rows filtered by the row above. Source: the PNG specification."""
    pixels = _with_alpha(picture)
    height, width, channels = pixels.shape
    rows = np.ascontiguousarray(pixels, ">u2").view(np.uint8).reshape(height, -1)
    filtered = np.full((height, rows.shape[1] + 1), 2, np.uint8)
    filtered[:, 1:] = rows
    filtered[1:, 1:] -= rows[:-1]
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, (0, 4, 2, 6)[channels - 1], 0, 0, 0))]
    if picture.icc is not None:
        chunks.append((b"iCCP", b"ICC Profile\0\0" + zlib.compress(picture.icc)))
    if picture.exif is not None:
        chunks.append((b"eXIf", picture.exif.removeprefix(b"Exif\0\0")))
    chunks += [(b"IDAT", zlib.compress(filtered.tobytes())), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


def _tiff(picture):
    """The bytes of a TIFF of one deflated strip; its EXIF stands where Pillow writes it for a picture of one pixel."""
    pixels = _with_alpha(picture)
    carrier = io.BytesIO()
    Image.new("L", (1, 1)).save(carrier, "TIFF", **({"exif": picture.exif} if picture.exif else {}))
    with Image.open(carrier) as file:
        own = sixteen_bits.described(file.tag_v2)  # type: ignore[attr-defined]
    strip = zlib.compress(pixels.astype(pixels.dtype.newbyteorder("<")).tobytes())
    content = carrier.getvalue()
    content += b"\0" * (len(content) % 2)
    tags = own | sixteen_bits.layout(pixels, len(content), len(strip))
    tags |= {sixteen_bits.ICC: picture.icc} if picture.icc else {}
    return sixteen_bits.under_directory(content + strip, tags)
