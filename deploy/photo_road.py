"""The way of one photo, in memory: choose its faces, cut them out, run the model, put the results back.

deploy.photo_files does it for files, deploy.service for requests.
"""

from collections.abc import Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from deploy import faces, photo
from deploy.contract import numbers, say_stretched
from deploy.faces import Face, Finder
from deploy.samples import Sample
from deploy.session import Prepared, Session
from engine import images
from engine.errors import InputError
from engine.face_alignment import template_points
from engine.face_detection import warped
from engine.picture_files import Picture

NEAR = 0.2  # of the side: a face this near to its place in the template stands where the network wants it


@dataclass
class Shot:
    """One picture on its way.

    Attributes:
        found: faces of a whole photo, from left to right; None: the picture is one face.
        places: [2, 3] each, photo to crop, of the chosen faces.
        crops, masks: what the network is shown; results: what it makes of them.
        shown, made: the picture before and after; outputs: all that is made; numbers: its signature.
    """

    sample: Sample
    picture: Picture
    pixels: np.ndarray
    seconds: float = 0.0
    found: list[Face] | None = None
    chosen: list[Face] = field(default_factory=list)
    places: list[np.ndarray] = field(default_factory=list)
    crops: list[np.ndarray] = field(default_factory=list)
    masks: list[np.ndarray] = field(default_factory=list)
    results: list[dict[str, np.ndarray]] = field(default_factory=list)
    shown: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 3), np.float32))
    made: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 3), np.float32))
    outputs: dict[str, np.ndarray] = field(default_factory=dict)
    numbers: list[float] = field(default_factory=list)


class Road:
    """The way from a picture to what is made of it, for one model and one set of options."""

    def __init__(self, session: Session, args: Any, needs_faces: bool = True) -> None:
        """Open the detector if faces may have to be found.

        Args:
            session: of the model.
            args: with the flags of deploy.flags, `mask` and `blend`.
            needs_faces: False where the faces of every picture are given.
        """
        self.session, self.contract, self.args = session, session.contract, args
        self.size = photo.crop_size(self.contract)
        self.is_pasted = bool(args.paste or self.contract.hole or self.contract.restores)
        if args.blend and not self.contract.hole:
            raise InputError(f"--blend {args.blend}: this model fills no holes; leave it out")
        self.which = faces.which(args)
        self.finder: Any = self._finder() if needs_faces and not args.aligned else None

    def _finder(self):
        """The detector; None where it is not installed and pictures may be taken as one face each."""
        args = self.args
        may_do_without = args.aligned is None and not (args.detector or args.boxes or self.contract.hole or args.paste)
        with suppress(InputError) if may_do_without else nullcontext():
            return Finder(args.detector, args.tilted, args.min_face)
        return None

    def begun(self, sample: Sample, picture: Picture, given: Sequence[Face] | None = None) -> Shot:
        """A picture with its faces found, or those given, cut out."""
        shot = Shot(sample, picture, picture.pixels())
        size = shot.pixels.shape[:2]
        found = self._faces(shot) if given is None else given
        if found is not None:
            shot.found = faces.selected(found, size, "all")
            which = "largest" if self.which == "all" and not self.is_pasted else self.which
            shot.chosen = faces.selected(found, size, which)
        if shot.found is None or (not shot.chosen and not self.is_pasted):
            shot.found, shot.crops = None, [shot.pixels]
            shot.masks = [images.face_box(size)]
        elif self.size[0] < 1:  # a network that fills pictures of any size
            shot.crops = [shot.pixels] if shot.chosen else []
            shot.masks = [faces.covered(shot.chosen, size, photo.template(self.contract))]
        else:
            shot.places = photo.matrices(shot.chosen, self.contract)
            shot.crops = [warped(shot.pixels, matrix, self.size) for matrix in shot.places]
            shot.masks = [images.face_box(self.size)] * len(shot.crops)
        return shot

    def _faces(self, shot):
        """Faces of a whole photo, or None where the picture is one face."""
        (height, width), (rows, columns) = shot.pixels.shape[:2], self.size
        if self.finder is None:
            say_stretched(self.contract, shot.sample.name, shot.picture)
            return None
        fits = self.args.aligned is None and height * columns == width * rows
        if fits and rows != columns:
            return None
        found = self.finder.find(shot.pixels)
        return None if fits and (not found or self._stands_right(found, (height, width))) else found

    def _stands_right(self, found, size):
        """Whether the one face of a picture is where the network wants it."""
        wanted = template_points(photo.template(self.contract), size)
        return len(found) == 1 and float(np.hypot(*(found[0].points - wanted).T).mean()) < NEAR * size[1]

    def prepared(self, shot: Shot) -> list[Prepared]:
        """The network's inputs from a picture, for `Session.run`."""
        found = []
        for crop, mask in zip(shot.crops, shot.masks, strict=False):
            holes = {port.name: mask for port in self.contract.of_kind("mask")}
            given = {self.contract.picture.name: crop} | holes | shot.sample.vectors
            found.append(self.session.prepared(given, shot.sample.seed, shot.sample.name))
        return found

    def finish(self, shot: Shot, results: Sequence[dict[str, np.ndarray]]) -> None:
        """Put what the network made of the crops together: fills `shown`, `made`, `outputs`, `numbers`, `picture`."""
        target = self.contract.outputs[0].name
        shot.results = list(results)
        shot.outputs, shot.shown = dict(shot.results[0]) if shot.results else {}, shot.pixels
        if shot.found is not None and not self.is_pasted:
            shot.shown = shot.crops[0]
            samples = images.to_uint8(shot.shown)
            shot.picture = replace(shot.picture, samples=samples, alpha=None, icc=None)
        elif self.contract.outputs[0].kind == "image":
            shot.outputs[target] = self._made(shot, [result[target] for result in shot.results])
        shot.made = shot.outputs.get(target, shot.made)
        shot.numbers = numbers(self.contract, shot.outputs) if shot.results else []

    def _made(self, shot, results):
        """The restored picture."""
        args = self.args
        if shot.places:
            paste = args.paste or "difference"
            return photo.pasted(shot.pixels, shot.crops, results, shot.places, args.strength, args.upscale, paste)
        if not results:
            return photo.pasted(shot.pixels, [], [], [], upscale=args.upscale)
        if args.strength == 1:
            return results[0]
        size = results[0].shape[:2]
        shown = images.resize(shot.pixels, size, "area" if len(shot.pixels) > size[0] else "linear")
        return shown + args.strength * (results[0] - shown)
