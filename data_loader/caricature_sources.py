"""Sources of photos and caricatures: WebCaricature, a folder with two sub-folders, or the renderer.

A source has `people` (names; a picture's identity is its place there), `entries` {"photo": [...], "caricature": [...]}
and `read(entry, size, margin)`. With landmarks the picture is aligned; without, its centre is taken.
"""

import logging
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pydantic import Field

from data_loader import webcaricature_files as files
from data_loader.drawn_faces.people import sampled_appearance, sampled_identity, turned
from data_loader.drawn_faces.rendering import posed_face, render
from data_loader.folder import split_folder
from data_loader.landmark_filter import rejections
from data_loader.restoration import SyntheticSettings
from engine.errors import InputError
from engine.face_alignment import aligned
from engine.images import fitted, list_images, read_image, to_uint8

RENDERED = 256  # pixels a side of a drawn picture, which is drawn at this size: about the scale of the aligned one
LANDMARKS = (83, 91, 8, 98, 17, 21, 22, 26, 36, 39, 42, 45, 30, 51, 48, 57, 54)  # WebCaricature's, of faces.geometry
FIRST_CARICATURE = 1000  # its variant; so no caricature is drawn from the settings of a photo
SIDE_YAW = (0.75, 0.95)  # radians a side face is turned by: 43 to 54 degrees
FAULTS = 4  # of the streams of a picture: data_loader.drawn_faces.people draws from 1 to 3
MISPLACED = 0.08  # deviation of misplaced landmarks, of the picture's side
logger = logging.getLogger("kintsugi")


class DrawnSettings(SyntheticSettings):
    """Procedural people, `variants` photos and as many caricatures of each.

    `varied`: hair, skin tone and light change from picture to picture of a person. `side_faces`: share of the pictures
    in which the head is turned to a side. `misplaced`: share of the pictures whose landmarks lie beside their places.
    """

    varied: bool = True
    side_faces: float = Field(default=0.0, ge=0, le=1)
    misplaced: float = Field(default=0.0, ge=0, le=1)


@dataclass(frozen=True)
class Entry:
    """A picture: its kind, person and name, and what its source needs to read it."""

    kind: str
    identity: int
    name: str
    place: object = field(repr=False, default=None)


def grouped(entries):
    """{"photo": entries, "caricature": entries}."""
    return {kind: [entry for entry in entries if entry.kind == kind] for kind in files.KINDS}


class WebCaricatureSource:
    """WebCaricature's pictures of some people, in its own layout.

    `rejected` is {picture name: reasons} of those the filter leaves out, `missing` the names without picture or
    landmarks.
    """

    def __init__(self, root, people, filtered=True, aligns=True):
        """`people`: names. InputError where nothing is left."""
        self.root, self.aligns, self.people = Path(root), aligns, list(people)
        self.rejected, self.missing = {}, []
        number = {name: i for i, name in enumerate(self.people)}
        pictures = [picture for picture in files.list_pictures(root, self.people) if self._usable(picture, filtered)]
        self.entries = grouped([Entry(p.kind, number[p.person], p.name, p) for p in pictures])
        for kind, entries in self.entries.items():
            if not entries:
                raise InputError(
                    f"{root}: no {kind} left of {len(self.people)} people; {len(self.rejected)} rejected, "
                    f"{len(self.missing)} missing"
                )
        if self.rejected or self.missing:
            logger.warning(
                "%s: %d pictures kept, %d rejected by the filter, %d missing",
                root,
                len(pictures),
                len(self.rejected),
                len(self.missing),
            )

    def _usable(self, picture, filtered):
        """True where the picture is there and passes the filter; notes why not."""
        try:
            files.image_path(self.root, picture)
            landmarks = files.read_landmarks(self.root, picture)
        except InputError as error:
            self.missing.append(str(error))
            return False
        reasons = rejections(landmarks) if filtered else []
        if reasons:
            self.rejected[picture.name] = reasons
        return not reasons

    def read(self, entry, size, margin):
        """[height + 2 margin, width + 2 margin, 3] RGB in [0, 1]."""
        image = read_image(files.image_path(self.root, entry.place))
        if not self.aligns:
            return _centre(image, size, margin)
        return aligned(image, files.read_landmarks(self.root, entry.place), size, margin)[0]


class FolderSource:
    """Two folders of any pictures. A picture in a sub-folder is of the person the first sub-folder is named after."""

    def __init__(self, root, training, names):
        """`names`: of the photos' and the caricatures' folder, below `root` or its train/ or val/."""
        folder, found = split_folder(root, training), []
        for kind, name in zip(files.KINDS, names, strict=True):
            found += [(kind, path.relative_to(folder / name), path) for path in list_images(folder / name)]
        self.people = sorted({path.parts[0] for _, path, _ in found if len(path.parts) > 1})
        number = {person: i for i, person in enumerate(self.people)}
        self.entries = grouped(
            [
                Entry(
                    kind,
                    number[path.parts[0]] if len(path.parts) > 1 else -1,
                    f"{kind}/{path.with_suffix('').as_posix()}",
                    place,
                )
                for kind, path, place in found
            ]
        )

    def read(self, entry, size, margin):
        """[height + 2 margin, width + 2 margin, 3] RGB in [0, 1]: the centre of the picture."""
        return _centre(read_image(entry.place), size, margin)


class DrawnSource:
    """Procedural photos and caricatures of the same people."""

    def __init__(self, settings, filtered=False, aligns=True):
        """What the filter leaves out is in `rejected`; `missing` is empty."""
        self.settings, self.aligns = settings, aligns
        self.people = [f"Person {label:05d}" for label in range(*settings.identities)]
        self.rejected, self.missing, self.kept = {}, [], {}
        self.entries = grouped(
            [
                entry
                for kind in files.KINDS
                for variant in range(settings.variants)
                for entry in self._variant(kind, variant)
                if not filtered or self._passes(entry)
            ]
        )
        if not all(self.entries.values()):
            raise InputError(f"synthetic: the filter leaves no picture of a kind; {len(self.rejected)} rejected")

    def _variant(self, kind, variant):
        letter, first = files.LETTERS[kind], self.settings.identities[0]
        for i, person in enumerate(self.people):
            shown = variant + FIRST_CARICATURE * (kind == "caricature")
            yield Entry(kind, i, f"{person}/{letter}{variant + 1:05d}", (first + i, shown))

    def _passes(self, entry):
        reasons = rejections(self.landmarks(entry))
        if reasons:
            self.rejected[entry.name] = reasons
        return not reasons

    def drawn(self, entry):
        """[RENDERED, RENDERED, 3] RGB in [0, 1]."""
        yaw, _ = self._faults(entry)
        return render(*entry.place, RENDERED, self.settings.seed, entry.kind, self.settings.varied, yaw).image

    def landmarks(self, entry):
        """[17, 2] landmarks in the drawn picture, without drawing it."""
        label, variant = entry.place
        yaw, shifts = self._faults(entry)
        person = sampled_identity(self.settings.seed, label)
        look = turned(sampled_appearance(self.settings.seed, label, variant), yaw)
        points, view, _ = posed_face(person, look, RENDERED, entry.kind)
        return view.pixels(points)[list(LANDMARKS)] + shifts

    def _faults(self, entry):
        """(yaw of a side face or None, [17, 2] errors of the landmarks) of a picture."""
        rng = np.random.default_rng([self.settings.seed, entry.place[0], FAULTS, entry.place[1]])
        turns, misplaces = rng.uniform(size=2) < [self.settings.side_faces, self.settings.misplaced]
        yaw = float(rng.choice([-1, 1]) * rng.uniform(*SIDE_YAW))
        shifts = rng.normal(0, MISPLACED * RENDERED, (len(LANDMARKS), 2))
        return yaw if turns else None, shifts * misplaces

    def read(self, entry, size, margin):
        """[height + 2 margin, width + 2 margin, 3] RGB in [0, 1]."""
        key = (entry, size, margin)
        if key not in self.kept:
            image = self.drawn(entry)
            image = (
                aligned(image, self.landmarks(entry), size, margin)[0] if self.aligns else _centre(image, size, margin)
            )
            if not self.settings.keeps:
                return image
            self.kept[key] = to_uint8(image)
        return self.kept[key].astype(np.float32) / 255


def _centre(image, size, margin):
    return fitted(image, (size[0] + 2 * margin, size[1] + 2 * margin), "area")
