"""Data sets of photos and caricatures: unpaired for translation, labelled for recognition.

Pictures come from `root` (WebCaricature's layout, or two folders), else from `synthetic`. They are brought to the
SphereFace template by their landmarks (`aligned`), or their centre is taken. What is random in a training sample
depends on (seed, epoch, index) alone; validation draws nothing.

Source: Huo et al. 2018 (WebCaricature, View 1 and View 2); experiments_on_face_photo2drawing (alignment, filter, crop).
Differs: validation takes the centre crop; the reference crops at random there too.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field, model_validator

from data_loader import webcaricature_files as files
from data_loader.caricature_sources import DrawnSettings, DrawnSource, FolderSource, WebCaricatureSource
from engine.errors import InputError
from engine.face_alignment import TEMPLATE_SIZE
from engine.images import to_chw
from engine.settings import Settings

Side = Annotated[int, Field(gt=0)]


class FaceSettings(Settings):
    """Source and size of the pictures; the keys that both data sets share.

    `fold`: WebCaricature's View 2 with this fold (1 to 10) as the validation; without, View 1.
    `jitter`: pixels that a training crop may lie off the centre.
    """

    root: Path | None = None
    synthetic: DrawnSettings | None = None
    image_size: tuple[Side, Side]
    aligned: bool = True
    filtered: bool = True
    fold: int | None = Field(default=None, ge=1, le=10)
    folders: tuple[str, str] = files.KINDS
    jitter: int = Field(default=0, ge=0)
    flip_probability: float = Field(default=0.0, ge=0, le=1)

    @model_validator(mode="after")
    def _consistent(self):
        if self.root is None and self.synthetic is None:
            raise ValueError("neither 'root' (a folder) nor 'synthetic' (procedural people) is given")
        (height, width), (rows, columns) = self.image_size, TEMPLATE_SIZE
        if self.aligned and height * columns != width * rows:
            raise ValueError(f"image_size is {[height, width]}; aligned faces are 7 : 6, for example [112, 96]")
        return self


def subjects(root, fold, training):
    """Names of the people of one split of WebCaricature.

    Args:
        root: the data set.
        fold: None for View 1 (DevTrain, DevTest); 1 to 10 for View 2, where the split for validation is that fold.
        training: which of the two.

    Raises:
        InputError: a protocol file is missing or damaged, or there is no such fold.
    """
    if fold is None:
        return files.view1(root, "DevTrain" if training else "DevTest")
    folds = files.view2_people(root)
    if fold > len(folds):
        raise InputError(f"fold: {fold}; {root} has {len(folds)} folds")
    if not training:
        return folds[fold - 1]
    held_out = set(folds[fold - 1])
    return [name for i, people in enumerate(folds, 1) if i != fold for name in people if name not in held_out]


def is_from_webcaricature(config):
    """True where a FaceSettings names a folder in WebCaricature's layout."""
    return config.root is not None and files.is_webcaricature(config.root)


def open_source(config, training):
    """The source a FaceSettings names."""
    if config.root is None:
        return DrawnSource(config.synthetic, config.filtered, config.aligned)
    if is_from_webcaricature(config):
        people = subjects(config.root, config.fold, training)
        return WebCaricatureSource(config.root, people, config.filtered, config.aligned)
    if config.aligned:
        raise InputError(
            f"{config.root}: not in WebCaricature's layout (OriginalImages, FacialPoints); pictures "
            "without landmarks need aligned: false"
        )
    return FolderSource(config.root, training, config.folders)


class _Faces:
    """What both data sets share: the source, and a picture as the network sees it."""

    def __init__(self, config, seed, training):
        self.config, self.seed, self.training = config, seed, training
        self.source = open_source(config, training)
        self.num_identities = len(self.source.people)

    def _picture(self, entry, rng):
        """[3, H, W] RGB in [0, 1]; in training cropped off the centre and mirrored as `rng` says."""
        (height, width), jitter = self.config.image_size, self.config.jitter
        if not self.training:
            return to_chw(self.source.read(entry, (height, width), 0))
        top, left = rng.integers(0, 2 * jitter + 1, 2)
        flips = rng.uniform() < self.config.flip_probability
        image = self.source.read(entry, (height, width), jitter)[top : top + height, left : left + width]
        return to_chw(image[:, ::-1] if flips else image)


class PhotosAndCaricatures(_Faces):
    """Samples {"photo", "caricature" [3, H, W], "identity", "caricature_identity", "name"}; identity -1 is unknown.

    One index is one picture of the larger set. In training its partner is any of the other set or, with probability
    `same_identity`, one of the same person; in validation it is fixed, and every picture occurs.
    """

    class Config(FaceSettings):
        """`same_identity`: probability that a training sample shows one person."""

        same_identity: float = Field(default=0.0, ge=0, le=1)

    def __init__(self, config, seed, training):
        """`seed`: of what is drawn; `training`: which split, and whether anything is drawn.

        Raises:
            InputError: no pictures, or `same_identity` without people that have both kinds.
        """
        super().__init__(config, seed, training)
        entries = self.source.entries
        self.larger, self.smaller = sorted(files.KINDS, key=lambda kind: -len(entries[kind]))
        self.partners = {}
        for i, entry in enumerate(entries[self.smaller]):
            self.partners.setdefault(entry.identity, []).append(i)
        self.partners.pop(-1, None)
        if config.same_identity and not any(entry.identity in self.partners for entry in entries[self.larger]):
            raise InputError(f"{config.root}: same_identity {config.same_identity}, but nobody has both kinds")

    def __len__(self):
        """Pictures of the larger set."""
        return len(self.source.entries[self.larger])

    def __getitem__(self, key):
        """Sample of key = (epoch, index)."""
        epoch, index = key
        rng = np.random.default_rng([self.seed, epoch, index])
        entry = self.source.entries[self.larger][index]
        others = self.source.entries[self.smaller]
        chosen = {self.larger: entry, self.smaller: others[self._partner(entry, index, rng)]}
        pictures = {kind: self._picture(chosen[kind], rng) for kind in files.KINDS}
        photo, caricature = chosen["photo"], chosen["caricature"]
        return {
            **pictures,
            "identity": np.int64(photo.identity),
            "caricature_identity": np.int64(caricature.identity),
            "name": f"{photo.name} + {caricature.name}",
        }

    def _partner(self, entry, index, rng):
        """Place in the smaller set."""
        count = len(self.source.entries[self.smaller])
        if not self.training:
            return index % count
        own = self.partners.get(entry.identity)
        if own and rng.uniform() < self.config.same_identity:
            return own[rng.integers(len(own))]
        return int(rng.integers(count))


class LabelledFaces(_Faces):
    """Samples {"image" [3, H, W], "identity", "is_caricature", "name"}; one class holds both kinds of a person."""

    Config = FaceSettings

    def __init__(self, config, seed, training):
        """InputError where a picture has no identity."""
        super().__init__(config, seed, training)
        self.entries = self.source.entries["photo"] + self.source.entries["caricature"]
        nameless = next((entry for entry in self.entries if entry.identity < 0), None)
        if nameless:
            raise InputError(f"{config.root}: {nameless.name} has no person; expected {nameless.kind}/<person>/<file>")

    def __len__(self):
        """Photos and caricatures."""
        return len(self.entries)

    def __getitem__(self, key):
        """Sample of key = (epoch, index)."""
        epoch, index = key
        entry = self.entries[index]
        image = self._picture(entry, np.random.default_rng([self.seed, epoch, index]))
        return {
            "image": image,
            "identity": np.int64(entry.identity),
            "is_caricature": np.int64(entry.kind == "caricature"),
            "name": entry.name,
        }
