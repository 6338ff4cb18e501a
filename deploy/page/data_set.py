"""A folder of pictures, or WebCaricature, for the viewer: people, kinds, landmarks, rejected pictures."""

import hashlib
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from data_loader import webcaricature_files as files
from data_loader.landmark_filter import rejections
from deploy.files import write
from engine import images, picture_files
from engine.errors import InputError
from engine.picture_files import Picture
from engine.weights.fetch import cache_folder

THUMBNAIL = 192  # px of the longer side


@dataclass(frozen=True)
class Item:
    """One picture.

    Attributes:
        name: path below the folder, without suffix in WebCaricature.
        person: the sub-folder; "" for a picture in the folder itself.
        kind: "photo", "caricature", or "" where the folder does not tell.
        place: of a picture in WebCaricature.
    """

    name: str
    person: str
    kind: str = ""
    place: files.Picture | None = None


class DataSet:
    """The pictures below one folder; nothing outside is opened, whatever a name or a link says."""

    def __init__(self, root: str | Path) -> None:
        """List the folder. InputError where it is none, or holds no picture."""
        self.root = Path(root).resolve()
        self.is_webcaricature = files.is_webcaricature(self.root)
        if self.is_webcaricature:
            self.items = [Item(p.name, p.person, p.kind, p) for p in files.list_pictures(self.root)]
        else:
            names = images.listing(self.root).names
            self.items = [Item(name, name.rpartition("/")[0].split("/")[0]) for name in names]
        self.by_name = {item.name: item for item in self.items}

    def people(self) -> list[str]:
        """Names of the people, or of the sub-folders."""
        return sorted({item.person for item in self.items} - {""})

    def chosen(self, person: str | None = None, kind: str | None = None, verdict: str | None = None) -> list[Item]:
        """The pictures of a person (None: everybody) and of a kind that the filter has given a verdict:
        kept, rejected, missing; None: all."""
        found = [item for item in self.items if person in (None, item.person) and kind in (None, item.kind)]
        return [item for item in found if verdict is None or self.verdict(item.name)[0] == verdict]

    @cache  # noqa: B019  there is one data set as long as the program runs
    def verdict(self, name: str) -> tuple[str, tuple[str, ...]]:
        """("kept", "rejected" or "missing", reasons) of a picture."""
        try:
            self.path(name)
            points = self.landmarks(name)
        except InputError as error:
            return "missing", (str(error).replace(f"{self.root}{os.sep}", ""),)
        reasons = [] if points is None else rejections(points)
        return ("rejected", tuple(reasons)) if reasons else ("kept", ())

    def path(self, name: str) -> Path:
        """The file of a picture. InputError: it is not of this data set, is missing, or lies outside the folder."""
        item = self.by_name.get(name)
        if item is None:
            raise InputError(f"{name}: is no picture of this data set")
        path = files.image_path(self.root, item.place) if item.place else self.root / item.name
        if not path.resolve().is_relative_to(self.root):
            raise InputError(f"{name}: is a link to a place outside the folder")
        return path

    @cache  # noqa: B019  as above
    def landmarks(self, name: str) -> np.ndarray | None:
        """[17, 2] (x, y) in the picture's pixels; None where the folder has none. InputError: cannot be read."""
        place = self.by_name[name].place
        return None if place is None else files.read_landmarks(self.root, place)

    def picture(self, name: str, side: int, draws: bool) -> np.ndarray:
        """[H, W, 3] uint8, its longer side at most `side`, with landmarks if asked. InputError: it cannot be read."""
        pixels = picture_files.read(self.path(name)).pixels()
        return self._drawn(name, images.to_uint8(images.smaller(pixels, side)), pixels.shape[1::-1], draws)

    def thumbnail(self, name: str, draws: bool) -> np.ndarray:
        """[H, W, 3] uint8 of THUMBNAIL px, made once and kept in the cache folder, with landmarks if asked.

        Raises:
            InputError: the picture cannot be read.
        """
        path = self.path(name)
        stat = path.stat()
        key = hashlib.sha256(f"{path} {stat.st_size} {stat.st_mtime_ns}".encode()).hexdigest()[:24]
        folder = cache_folder() / "thumbnails" / key[:2]
        there = next(iter(folder.glob(f"{key}_*.jpg")), None)
        if there is None:
            pixels = picture_files.read(path).pixels()
            height, width = pixels.shape[:2]
            there = folder / f"{key}_{width}x{height}.jpg"
            small = images.to_uint8(images.smaller(pixels, THUMBNAIL))
            folder.mkdir(parents=True, exist_ok=True)
            write(there, Picture(small))
        size = [int(number) for number in there.stem.rpartition("_")[2].split("x")]
        return self._drawn(name, picture_files.read(there).samples, size, draws)

    def _drawn(self, name, small, size, draws):
        points = self.landmarks(name) if draws else None
        if points is None:
            return small
        small, scale = small.copy(), max(small.shape[:2]) / max(size)
        radius = max(1, round(max(small.shape[:2]) / 120))
        for point in ((points + 0.5) * scale - 0.5).round().astype(int).tolist():
            cv2.circle(small, point, radius, (255, 200, 0), -1, cv2.LINE_AA)
        return small
