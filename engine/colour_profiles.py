"""Colour profiles (ICC): a picture's own colours to sRGB, which the networks know, and back.

Profiles of three curves and a matrix, and those of grey, are computed in floating point, so that 16 bits keep their
precision; tables go through Pillow's lcms at 8 bits.
"""

import io
import struct
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

STEPS = 65536  # entries of a curve: every value of 8 and of 16 bits is one of them
SAME = 1.01 / 255  # colours that differ by no more are sRGB already
SRGB_TO_XYZ = np.array(  # relative to the D50 of profiles
    [[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169], [0.0139322, 0.0971045, 0.7141733]]
)


class Matrix:
    """A profile of one curve a channel and a 3 x 3 matrix (None: grey, one curve for all)."""

    def __init__(self, curves: Sequence[np.ndarray], matrix: np.ndarray | None) -> None:
        """Args: curves [3][STEPS], linear light of evenly spaced values; matrix to linear sRGB."""
        self.curves, self.matrix = np.asarray(curves, np.float32), matrix

    def to_srgb(self, colours: np.ndarray) -> np.ndarray:
        """[..., 3] in [0, 1] to the same in sRGB, clipped."""
        at = np.rint(colours * (STEPS - 1)).astype(np.int32)
        light = np.stack([curve[at[..., c]] for c, curve in enumerate(self.curves)], axis=-1)
        light = light if self.matrix is None else light @ np.float32(self.matrix.T)
        light = np.clip(light, 0, 1)
        return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** np.float32(1 / 2.4) - 0.055).astype("f4")

    def from_srgb(self, colours: np.ndarray) -> np.ndarray:
        """The way back; what the profile cannot show is clipped."""
        colours = np.asarray(colours, np.float64)
        light = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
        light = light if self.matrix is None else light @ np.linalg.inv(self.matrix).T
        values = np.linspace(0, 1, STEPS)
        found = [np.interp(light[..., c], np.maximum.accumulate(curve), values) for c, curve in enumerate(self.curves)]
        return np.stack(found, axis=-1).astype(np.float32)


class Table:
    """A profile of any other form, by lcms at 8 bits."""

    def __init__(self, icc: bytes) -> None:
        """ImageCms.PyCMSError where lcms cannot use the bytes for RGB."""
        own, srgb = ImageCms.ImageCmsProfile(io.BytesIO(icc)), ImageCms.createProfile("sRGB")
        self.forth = ImageCms.buildTransform(own, srgb, "RGB", "RGB")
        self.back = ImageCms.buildTransform(srgb, own, "RGB", "RGB")

    def to_srgb(self, colours: np.ndarray) -> np.ndarray:
        """[..., 3] in [0, 1] to the same in sRGB, in steps of 1 / 255."""
        return self._through(self.forth, colours)

    def from_srgb(self, colours: np.ndarray) -> np.ndarray:
        """The way back."""
        return self._through(self.back, colours)

    def _through(self, transform, colours):
        flat = np.rint(colours * 255).astype(np.uint8).reshape(1, -1, 3)
        done = ImageCms.applyTransform(Image.fromarray(flat), transform)
        return (np.asarray(done, np.float32) / 255).reshape(colours.shape)


@lru_cache(maxsize=8)
def profile_of(icc: bytes | None) -> Matrix | Table | None:
    """Converter of a profile's colours to sRGB and back; None if they are sRGB already.

    Args:
        icc: the profile's bytes, of an RGB or a grey picture.

    Raises:
        ValueError: damaged, or of a colour space that is neither.
    """
    try:
        found = _parsed(icc)
    except (struct.error, IndexError, KeyError, OSError, TypeError, ImageCms.PyCMSError) as error:
        raise ValueError(f"damaged colour profile: {error}") from error
    axis = np.linspace(0, 1, 9)
    is_grey = isinstance(found, Matrix) and found.matrix is None
    probe = np.stack([axis] * 3, -1) if is_grey else np.stack(np.meshgrid(axis, axis, axis), -1)
    change = np.abs(found.to_srgb(probe) - probe).max()
    if not np.isfinite(change):
        raise ValueError("damaged colour profile: no finite colours")
    return None if change < SAME else found


def cmyk_to_srgb(image: Image.Image, icc: bytes) -> Image.Image | None:
    """A Pillow image of mode CMYK as RGB by its profile. ImageCms.PyCMSError where the profile is of no use."""
    own = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    return ImageCms.profileToProfile(image, own, ImageCms.createProfile("sRGB"), outputMode="RGB")


def _parsed(icc):
    space, tags = icc[16:20], _tags(icc)
    if space == b"GRAY":
        return Matrix([_curve(tags[b"kTRC"])] * 3, None)
    if space != b"RGB ":
        raise ValueError(f"colour profile of {space.decode('ascii', 'replace').strip()}, not of RGB or grey")
    if b"A2B0" in tags or b"rXYZ" not in tags or icc[20:24] != b"XYZ ":
        return Table(icc)
    columns = [np.array(struct.unpack(">3i", tags[name][8:20])) / 65536 for name in (b"rXYZ", b"gXYZ", b"bXYZ")]
    matrix = np.linalg.inv(SRGB_TO_XYZ) @ np.stack(columns, axis=1)
    if abs(np.linalg.det(matrix)) < 1e-6:
        raise ValueError("damaged colour profile: its primaries span no space")
    return Matrix([_curve(tags[name]) for name in (b"rTRC", b"gTRC", b"bTRC")], matrix)


def _tags(icc):
    """Signature -> bytes."""
    count = min(struct.unpack(">I", icc[128:132])[0], 100)
    entries = (struct.unpack(">4sII", icc[132 + 12 * i : 144 + 12 * i]) for i in range(count))
    return {name: icc[start : start + length] for name, start, length in entries}


def _curve(data):
    """[STEPS] linear light of a `curv` or `para` element. Source: ICC.1:2010, sections 10.5 and 10.15."""
    x = np.linspace(0, 1, STEPS)
    if data[:4] == b"curv":
        count = struct.unpack(">I", data[8:12])[0]
        values = np.frombuffer(data, ">u2", count, 12)
        if count < 2:
            return x ** (values[0] / 256) if count else x
        return np.interp(x, np.linspace(0, 1, count), values / 65535)
    if data[:4] != b"para":
        raise ValueError("damaged colour profile: no curve where one has to be")
    kind = struct.unpack(">H", data[8:10])[0]
    g, *rest = np.array(struct.unpack(f">{(1, 3, 4, 5, 7)[kind]}i", data[12 : 12 + 4 * (1, 3, 4, 5, 7)[kind]])) / 65536
    a, b, c, d, e, f = (*rest, *(0,) * (6 - len(rest))) if kind else (1, 0, 0, 0, 0, 0)
    if kind in (1, 2):
        d, e, f, c = -b / a, c, c, 0
    return np.clip(np.where(x >= d, np.maximum(a * x + b, 0) ** g + e, c * x + f), 0, 1)
