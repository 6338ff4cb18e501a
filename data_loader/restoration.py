"""Pairs of a clean and a degraded face for blind restoration (GPEN, GFP-GAN).

A sample is {"image": clean [3, S, S], "degraded": [3, S, S], "name": str}, RGB float32 in [0, 1], S = image_size; for
training with facial parts also {"boxes": [3, 4], "visible": [3]}, see data_loader/facial_parts.py.
What is random in a sample depends on (seed, epoch, index) alone, so the number of workers changes nothing. For
validation it depends on (seed, index): the configuration is the manifest of the test set.
"""

import logging
from pathlib import Path

import numpy as np
from pydantic import Field, model_validator

from data_loader import colour
from data_loader.degrade import DegradationRanges, degrade
from data_loader.facial_parts import boxes_of, circles_of, flipped, read_table
from data_loader.folder import ImageFolder, ResizeKernel, split_folder
from engine.errors import InputError
from engine.images import resize, to_chw, to_uint8
from engine.settings import Settings

LISTED = 5  # unmatched files named before the rest is only counted


class SyntheticSettings(Settings):
    """Procedural faces: labels first <= identity < last, each in `variants` pictures. Same numbers, same pixels.

    With `keeps` a process keeps what it has drawn, in 8 bits: 3 bytes a pixel, for runs of many epochs.
    """

    identities: tuple[int, int]
    variants: int = Field(ge=1)
    seed: int = 0
    keeps: bool = False

    @model_validator(mode="after")
    def _some(self):
        if not 0 <= self.identities[0] < self.identities[1]:
            raise ValueError(f"identities is {list(self.identities)}; expected [first, last] with 0 <= first < last")
        return self


class SyntheticSource:
    """Procedural photos in the place of an ImageFolder; neighbouring indices are different people."""

    def __init__(self, settings, size):  # noqa: D107
        self.settings, self.size = settings, size
        self.num_identities = settings.identities[1] - settings.identities[0]
        self.kept, self.kept_circles = {}, {}

    def __len__(self):
        """Identities times variants."""
        return self.num_identities * self.settings.variants

    def _face(self, index):
        variant, offset = divmod(index, self.num_identities)
        return self.settings.identities[0] + offset, variant

    def name(self, index):
        """Such as "face_00042_3": identity and variant."""
        return "face_{:05d}_{}".format(*self._face(index))

    def read(self, index):
        """[size, size, 3] RGB float32 in [0, 1]."""
        if index in self.kept:
            return self.kept[index].astype(np.float32) / 255
        from data_loader.drawn_faces.rendering import render

        image = render(*self._face(index), self.size, seed=self.settings.seed).image
        if not self.settings.keeps:
            return image
        self.kept[index] = to_uint8(image)
        return self.kept[index].astype(np.float32) / 255

    def landmarks(self, index, size=None):
        """[68, 2] (x, y) pixels of picture `index`, for `size` pixels where that is not the source's own."""
        from data_loader.drawn_faces.rendering import face_landmarks

        return face_landmarks(*self._face(index), size or self.size, self.settings.seed)

    def circles(self, index, size):
        """Circles [3, 3] of the facial parts of a picture, for `size` pixels; from the renderer's own landmarks."""
        if (index, size) not in self.kept_circles:
            self.kept_circles[index, size] = circles_of(self.landmarks(index, size), size)
        return self.kept_circles[index, size]


class PairedFolder:
    """Ready-made pairs `root`/hq and `root`/lq, matched by path without suffix; nothing is random.

    Files without a partner are left out, with a line that names them; no pair at all is an InputError.
    """

    class Config(Settings):
        """`resize_kernel` is used where a file is larger than image_size."""

        root: Path
        image_size: int
        resize_kernel: ResizeKernel

    @staticmethod
    def is_at(root):
        """True where `root` holds the two folders."""
        return (Path(root) / "hq").is_dir() and (Path(root) / "lq").is_dir()

    def __init__(self, config, seed=0, training=False):  # noqa: D107
        root = split_folder(config.root, training)
        size = (config.image_size, config.image_size)
        self.clean = ImageFolder(root / "hq", size, config.resize_kernel)
        self.degraded = ImageFolder(root / "lq", size, config.resize_kernel)
        clean, degraded = ({source.name(i): i for i in range(len(source))} for source in (self.clean, self.degraded))
        self.names = sorted(clean.keys() & degraded.keys())
        if not self.names:
            raise InputError(f"{root}: no file of hq/ has a partner of the same name in lq/")
        self.indices = [(clean[name], degraded[name]) for name in self.names]
        report_unmatched(root, sorted(clean.keys() ^ degraded.keys()))

    def __len__(self):
        """Number of pairs."""
        return len(self.names)

    def __getitem__(self, key):
        """Sample of key = (epoch, index)."""
        clean, degraded = self.indices[key[1]]
        return sample(self.clean.read(clean), self.degraded.read(degraded), self.names[key[1]])


class DegradedFaces:
    """Clean faces, degraded on the fly.

    The faces come from `root` if given (its train/ or val/ where present, its hq/ where present), else from
    `synthetic`. Training also flips both images and turns both grey, with the given probabilities. Validation does
    neither, and a root that holds hq/ and lq/ gives those pairs instead.

    Source: GPEN training/data_loader/dataset_face.py, whose order of flip, grey and degradation is kept.
    Differs: the degradation may be done at a larger `degrade_size` and both images reduced afterwards, so that a small
    training run sees the blur and blocks of the full size. Equal sizes give the published pipeline.
    """

    class Config(Settings):
        """Sizes in pixels, square.

        `gives_parts`: training samples carry the boxes of the facial parts, which for `root` are those of `part_file`.
        """

        root: Path | None = None
        synthetic: SyntheticSettings | None = None
        image_size: int = Field(gt=0)
        degrade_size: int = Field(ge=16)
        resize_kernel: ResizeKernel
        flip_probability: float
        grey_probability: float
        degradation: DegradationRanges
        gives_parts: bool = False
        part_file: Path | None = None

        @model_validator(mode="after")
        def _consistent(self):
            if self.root is None and self.synthetic is None:
                raise ValueError("neither 'root' (a folder of faces) nor 'synthetic' (procedural faces) is given")
            if self.gives_parts and self.root is not None and self.part_file is None:
                raise ValueError("gives_parts needs 'part_file', a table that tools/make_part_boxes.py makes")
            if self.degrade_size < self.image_size:
                raise ValueError(f"degrade_size is {self.degrade_size}; expected image_size {self.image_size} or more")
            return self

    def __init__(self, config, seed, training):  # noqa: D107
        self.config, self.seed, self.training = config, seed, training
        self.pairs, self.table = None, None
        if config.root is None:
            self.source = SyntheticSource(config.synthetic, config.degrade_size)
            return
        folder = split_folder(config.root, training)
        if not training and PairedFolder.is_at(folder):
            self.pairs = PairedFolder(
                PairedFolder.Config(root=folder, image_size=config.image_size, resize_kernel=config.resize_kernel)
            )
        folder = folder / "hq" if (folder / "hq").is_dir() else folder
        self.source = ImageFolder(folder, (config.degrade_size, config.degrade_size), config.resize_kernel)
        if training and config.gives_parts:
            self.table = part_table(config.part_file, self.source)

    def __len__(self):
        """Number of samples an epoch."""
        return len(self.pairs or self.source)

    def __getitem__(self, key):
        """Sample of key = (epoch, index); the epoch matters in training only."""
        if self.pairs is not None:
            return self.pairs[key]
        epoch, index = key
        config = self.config
        rng = np.random.default_rng([self.seed, epoch, index] if self.training else [self.seed, index])
        image, flips = self.source.read(index), False
        if self.training:
            image, flips = augmented(image, config.flip_probability, config.grey_probability, rng)
        degraded = degrade(image, config.degradation, rng)
        size = (config.image_size, config.image_size)
        image, degraded = (resize(picture, size, config.resize_kernel) for picture in (image, degraded))
        parts = self._parts(index, flips) if self.training and config.gives_parts else {}
        return sample(image, degraded, self.source.name(index)) | parts

    def _parts(self, index, flips):
        """{"boxes", "visible"} of a picture, mirrored where it is; what is stored stays as it is."""
        size = self.config.image_size
        if self.table is None:
            circles = self.source.circles(index, size)
        else:
            circles = self.table.circles(self.source.name(index), size)
        boxes, visible = boxes_of(flipped(circles, size) if flips else circles)
        return {"boxes": boxes, "visible": visible}


def augmented(image, flip_probability, grey_probability, rng):
    """(the image mirrored left to right, and grey, each with its probability, whether it is mirrored).

    Two uniform draws in that order.
    """
    flips, is_grey = rng.uniform() < flip_probability, rng.uniform() < grey_probability
    if flips:
        image = np.ascontiguousarray(image[:, ::-1])
    return colour.grey_rgb(image) if is_grey else image, flips


def part_table(path, source):
    """The table of facial parts for a folder, with a line for how many pictures it lacks.

    Raises:
        InputError: it cannot be read, or knows none of the pictures.
    """
    table = read_table(path)
    stems = [Path(source.name(index)).name for index in range(len(source))]
    missing = [stem for stem in stems if stem not in table.faces]
    if len(missing) == len(stems):
        raise InputError(f"{path}: holds none of the {len(stems)} pictures of {source.folder}, such as {stems[0]}")
    if missing:
        logging.getLogger("kintsugi").warning(
            "%s: %d of %d pictures are not in it and train without facial parts, such as %s",
            path,
            len(missing),
            len(stems),
            missing[0],
        )
    return table


def sample(image, degraded, name):
    """Two [H, W, 3] pictures as a sample."""
    return {"image": to_chw(image), "degraded": to_chw(degraded), "name": name}


def report_unmatched(root, names):
    """One line for each of the first few names, one for how many more."""
    log = logging.getLogger("kintsugi")
    for name in names[:LISTED]:
        log.warning("%s: %s is not in both hq/ and lq/, left out", root, name)
    if len(names) > LISTED:
        log.warning("%s: %d more are not in both hq/ and lq/, left out", root, len(names) - LISTED)
