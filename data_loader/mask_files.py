"""Masks from files: a folder or a .zip of pictures whose polarity is declared, NVIDIA's two archives among them.

NVIDIA's archives (Liu et al. 2018, https://nv-adlr.github.io/publication/partialconv-inpainting) are known by the
folder inside them. Test set, `testing_mask_dataset`: 12000 files of 512 x 512, white is hole; of every 2000 the first
1000 are kept off the picture's edge. Training set, `disocclusion_img_mask`: white is valid.
"""

import logging
import zipfile
from pathlib import Path

import cv2
import numpy as np

from engine.errors import InputError
from engine.files import check_regular
from engine.images import SUSPICIOUS_RATIO, fitted, hidden, list_images
from engine.masks import hole_of
from engine.picture_files import READABLE, SPARE, decode, max_pixels, read

WHITE_IN_ARCHIVE = {"testing_mask_dataset": "hole", "disocclusion_img_mask": "valid"}
PROBED = 16  # files whose ratio is measured at the start
THRESHOLDS = {"nvidia": 0.6}  # of the grey level, else 0.5
NVIDIA_SIDE, NVIDIA_DILATION = 512, (9, 49)  # pixels
logger = logging.getLogger("kintsugi")


def reaches_edge(hole):
    """True where a hole [H, W] touches the outermost row or column."""
    return bool(hole[[0, -1]].any() or hole[:, [0, -1]].any())


class MaskFiles:
    """Every mask below a folder or inside a .zip, in sorted order, at one size."""

    def __init__(self, root, size, white_means=None, augmentation="none"):
        """List the files, settle what white means, measure a few.

        Args:
            root: folder or .zip.
            size: (height, width) of what `read` returns.
            white_means: "hole" or "valid"; may be None for NVIDIA's archives.
            augmentation: "none", "flips" or "nvidia", see `varied`.

        Raises:
            InputError: nothing there, unreadable, or a polarity that is missing or contradicts a known archive.
        """
        self.root, self.size, self.augmentation = Path(root), size, augmentation
        self.is_archive = self.root.suffix.lower() == ".zip"
        self.names = _entries(self.root) if self.is_archive else list_images(self.root)
        known = next((name for name in WHITE_IN_ARCHIVE if name in Path(self.names[0]).parts), None)
        self.is_test_archive = known == "testing_mask_dataset"
        self.white_means = _polarity(self.root, known, white_means)
        self.archive = None
        self._report()

    def _report(self):
        probed = np.unique(np.linspace(0, len(self) - 1, PROBED).astype(int))
        ratio = np.mean([self._hole(index).mean() for index in probed])
        logger.info("%s: %d masks, white is %s, %.0f %% hole", self.root, len(self), self.white_means, 100 * ratio)
        if ratio > SUSPICIOUS_RATIO:
            logger.warning(
                "%s: %.0f %% of a picture would be hole with white_means: %s; is that right?",
                self.root,
                100 * ratio,
                self.white_means,
            )

    def __len__(self):
        """Number of masks."""
        return len(self.names)

    def read(self, index, rng=None, training=False):
        """[H, W] bool at the size asked for; training varies it by `augmentation`. InputError names a bad file."""
        hole = self._hole(index)
        if training:
            hole = varied(hole, self.augmentation, rng)
        return fitted(hole[..., None].astype(np.float32), self.size, "nearest")[..., 0] > 0.5

    def border(self, index, hole):
        """ "inside" or "free": by number in NVIDIA's test archive, else by whether the hole reaches the edge."""
        stem = Path(self.names[index]).stem
        if self.is_test_archive and stem.isdigit():
            return "inside" if int(stem) % 2000 < 1000 else "free"
        return "free" if reaches_edge(hole) else "inside"

    def _hole(self, index):
        threshold = THRESHOLDS.get(self.augmentation, 0.5)
        return hole_of(self._picture(index), self.white_means, threshold)[..., 0] > 0

    def _picture(self, index):
        if not self.is_archive:
            return read(self.names[index])
        if self.archive is None:  # opened by the process that reads
            self.archive = _opened(self.root)
        return _decoded(self.archive, self.names[index], self.root)

    def __getstate__(self):
        """Without the open archive: each process has its own."""
        return self.__dict__ | {"archive": None}


def _opened(path):
    """The .zip at `path`, open. InputError where it is none."""
    check_regular(path)
    try:
        return zipfile.ZipFile(path)
    except Exception as error:  # zipfile raises anything for damaged directories
        raise InputError(f"{path}: not a readable .zip ({getattr(error, 'strerror', None) or error})") from error


def _entries(path):
    """Sorted names of the pictures in a .zip."""
    with _opened(path) as archive:
        parts = ((name, Path(name).parts) for name in archive.namelist())
        names = sorted(
            name for name, part in parts if Path(name).suffix.lower() in READABLE and not any(map(hidden, part))
        )
    if not names:
        raise InputError(f"{path}: holds no image; expected masks ending in {', '.join(sorted(READABLE))}")
    return names


def _decoded(archive, name, path):
    """One picture of an open .zip."""
    try:
        size, most = archive.getinfo(name).file_size, max_pixels() + SPARE
        if size > most:
            raise ValueError(f"unpacked it has {size} bytes, at most {most}")
        content = archive.read(name)
    except Exception as error:  # as above
        raise InputError(f"{path}: {name} cannot be read ({str(error) or type(error).__name__})") from error
    return decode(content, f"{path}: {name}")


def _polarity(root, known, declared):
    """What white means, from the archive or as declared."""
    expected = WHITE_IN_ARCHIVE.get(known)
    if declared is None and expected is None:
        raise InputError(f"{root}: white_means is missing; expected hole or valid, which is what white pixels are")
    if declared and expected and declared != expected:
        raise InputError(f"{root}: white_means is {declared}; in this archive of NVIDIA's white is {expected}")
    return declared or expected


def varied(hole, augmentation, rng):
    """The hole [H, W] turned by quarters and flipped ("flips"), or by NVIDIA's recipe ("nvidia"), or as it is.

    NVIDIA's recipe dilates the hole by 9 to 49 pixels (of 512), rotates, shifts and crops it; what comes in from
    outside is known.

    Source: Liu et al. 2018, section 4.1 and the data set's page (dilation, rotation, translation, cropping).
    Differs: the page gives no ranges but the dilation's; here any angle, shifts up to a quarter, crops from 3/4.
    """
    if augmentation == "flips":
        return np.rot90(hole[:, :: rng.choice([1, -1])], rng.integers(4))
    if augmentation == "none":
        return hole
    height, width = hole.shape
    reach = max(1, round(rng.integers(*NVIDIA_DILATION, endpoint=True) * min(height, width) / NVIDIA_SIDE))
    dilated = cv2.dilate(hole.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), rng.uniform(0, 360), 1 / rng.uniform(0.75, 1))
    turn[:, 2] += rng.uniform(-0.25, 0.25, 2) * (width, height)
    return cv2.warpAffine(dilated, turn, (width, height), flags=cv2.INTER_NEAREST) > 0
