"""Photos as files: find the faces of each, restore them, write the photo in the form it came in.

A picture that is one face as the network wants it goes through as it is; of every other the faces are found. A thread
reads and finds ahead of the network, and neighbouring photos share its batches.
"""

import json
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from deploy import faces, photo, photo_sheet
from deploy.contract import Graph
from deploy.faces import Face, Finder
from deploy.files import Files, stems
from deploy.inference import numbers, say_stretched
from deploy.samples import Sample
from deploy.session import Session
from engine import images, picture_files
from engine.errors import InputError
from engine.face_alignment import template_points
from engine.face_detection import warped
from engine.files import check_writable, write_text
from engine.picture_files import Picture

SHEET_ROWS = 8
AHEAD = 3  # photos that are read before the network asks for them
HELD = 8  # photos whose crops wait for a full batch, at most
NEAR = 0.2  # of the side: a face this near to its place in the template stands where the network wants it


@dataclass
class Shot:
    """One picture on its way.

    Attributes:
        found: faces of a whole photo, from left to right; None: the picture is one face.
        places: [2, 3] each, photo to crop, of the chosen faces.
        crops, masks: what the network is shown; results: what it makes of them.
        shown, made: the picture before and after; numbers: signature of what is made.
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
    numbers: list[float] = field(default_factory=list)


class Photos:
    """The road from picture files to what a model makes of their faces, for one command line."""

    def __init__(self, graph: Graph, samples: Sequence[Sample], args: Any) -> None:
        """Check everything that can be checked before work begins; InputError names the flag."""
        self.contract, self.samples, self.args = graph.contract, samples, args
        self.size, self.session = photo.crop_size(graph.contract), Session(graph, args.batch_size)
        self.is_pasted = bool(args.paste or graph.contract.hole or photo.restores(graph.contract))
        if args.blend and not graph.contract.hole:
            raise InputError(f"--blend {args.blend}: this model fills no holes; leave it out")
        if args.points and args.boxes:
            raise InputError(f"--points {args.points} and --boxes {args.boxes}: give one of them")
        if args.only_center_face and args.faces not in ("all", "center"):
            raise InputError(f"--only_center_face and --faces {args.faces}: give one of them")
        self.which = "center" if args.only_center_face else args.faces
        self.points = faces.read_points(args.points) if args.points else None
        self.boxes = faces.read_boxes(args.boxes) if args.boxes else None
        for flag, named in (("points", self.points), ("boxes", self.boxes)):
            missing = [sample.name for sample in samples if named is not None and sample.name not in named]
            if missing:
                path = getattr(args, flag)
                raise InputError(f"--{flag} {path}: no entry '{missing[0]}'; expected one a photo, [] for no face")
        self.finder = self._finder()
        self.writer = Files(graph.contract, samples, args.output_dir, args.ext, args.colour, args.suffix)
        self.stems = stems(samples)
        check_writable(args.output_dir)

    def _finder(self):
        """The detector; None where it is not needed, or not installed and pictures may be taken as one face each."""
        args = self.args
        if self.points is not None or args.aligned:
            return None
        may_do_without = args.aligned is None and not (args.detector or args.boxes or self.contract.hole or args.paste)
        with suppress(InputError) if may_do_without else nullcontext():
            return Finder(args.detector, args.tilted, args.min_face)
        return None

    def run(self) -> Iterator[Shot]:
        """Every picture that could be read, in order, written. InputError where there is none."""
        waiting: list[Shot] = []
        done = 0
        for shot in _ahead(self._opened, self.samples):
            if shot is not None:
                waiting.append(shot)
            if waiting and (sum(len(one.crops) for one in waiting) >= self.args.batch_size or len(waiting) >= HELD):
                yield from self._finished(waiting)
                done, waiting = done + len(waiting), []
        yield from self._finished(waiting)
        if not done + len(waiting):
            raise InputError(f"none of the {len(self.samples)} pictures could be read")

    def _opened(self, sample):
        """A sample read, its faces found and cut out; None, said, where it cannot be read."""
        start = time.perf_counter()
        try:
            picture = picture_files.read(sample.files[self.contract.picture.name])
        except InputError as error:
            if len(self.samples) == 1:
                raise
            print(f"skipped: {error}", file=sys.stderr)
            return None
        shot = Shot(sample, picture, picture.pixels())
        shot.found = self._faces(shot)
        if shot.found is not None:
            shot.found = faces.selected(shot.found, shot.pixels.shape[:2], "all")
            shot.chosen = self._chosen(shot)
        if shot.found is None or (not shot.chosen and not self.is_pasted):
            shot.found, shot.crops = None, [shot.pixels]
            shot.masks = [images.face_box(shot.pixels.shape[:2])]
        elif self.size[0] < 1:  # a network that fills pictures of any size
            shot.crops = [shot.pixels] if shot.chosen else []
            shot.masks = [faces.covered(shot.chosen, shot.pixels.shape[:2], photo.template(self.contract))]
        else:
            shot.places = photo.matrices(shot.chosen, self.contract)
            shot.crops = [warped(shot.pixels, matrix, self.size) for matrix in shot.places]
            shot.masks = [images.face_box(self.size)] * len(shot.crops)
        shot.seconds = time.perf_counter() - start
        return shot

    def _chosen(self, shot):
        """The faces of a photo that the network is shown; where it is not pasted back, one."""
        which = "largest" if self.which == "all" and not self.is_pasted else self.which
        return faces.selected(shot.found, shot.pixels.shape[:2], which)

    def _faces(self, shot):
        """Faces of a whole photo, or None where the picture is one face."""
        name, pixels = shot.sample.name, shot.pixels
        height, width = pixels.shape[:2]
        if self.points is not None:
            return self.points[name]
        if self.boxes is not None:
            return [self.finder.face_in(pixels, box) for box in self.boxes[name]]
        if self.finder is None:
            say_stretched(self.contract, name, shot.picture)
            return None
        rows, columns = self.size
        fits = self.args.aligned is None and height * columns == width * rows
        if fits and rows != columns:
            return None
        found = self.finder.find(pixels)
        return None if fits and (not found or self._stands_right(found, (height, width))) else found

    def _stands_right(self, found, size):
        """Whether the one face of a picture is where the network wants it."""
        wanted = template_points(photo.template(self.contract), size)
        return len(found) == 1 and float(np.hypot(*(found[0].points - wanted).T).mean()) < NEAR * size[1]

    def _finished(self, shots):
        """The network's batch for these photos; each written and yielded."""
        prepared, start = [], time.perf_counter()
        for shot in shots:
            for crop, mask in zip(shot.crops, shot.masks, strict=False):
                holes = {port.name: mask for port in self.contract.of_kind("mask")}
                given = {self.contract.picture.name: crop} | holes | shot.sample.vectors
                prepared.append(self.session.prepared(given, shot.sample.seed, shot.sample.name))
        results = iter(self.session.results(prepared, self.session.run(prepared), self.args.blend))
        share = (time.perf_counter() - start) / max(1, len(prepared))
        for shot in shots:
            start = time.perf_counter()
            shot.results = list(islice(results, len(shot.crops)))
            self._write(shot)
            shot.seconds += time.perf_counter() - start + share * len(shot.crops)
            yield shot

    def _write(self, shot):
        """The picture that is made of a photo, and what else is asked for."""
        source, target, picture = self.contract.picture.name, self.contract.outputs[0].name, shot.picture
        made, shot.shown = dict(shot.results[0]) if shot.results else {}, shot.pixels
        if shot.found is not None and not self.is_pasted:
            shot.shown = shot.crops[0]
            picture = replace(picture, samples=images.to_uint8(shot.shown), alpha=None, icc=None)
        elif self.contract.outputs[0].kind == "image":
            made[target] = self._made(shot, [result[target] for result in shot.results])
        shot.made = made.get(target, shot.made)
        shot.numbers = numbers(self.contract, made) if shot.results else []
        self.writer.write(shot.sample.name, picture, {source: shot.shown}, made)
        stem = self.stems[shot.sample.name]
        if self.args.save_faces and target in made:
            for number, (before, result) in enumerate(zip(shot.crops, shot.results, strict=True)):
                for what, crop in (("before", before), ("after", result[target])):
                    path = Path(self.args.output_dir) / "faces" / f"{stem}_{number}_{what}.png"
                    images.write_image(path, crop)
        if self.args.draw_boxes and shot.found is not None:
            drawn = photo_sheet.drawn(shot.pixels, shot.found)
            images.write_image(Path(self.args.output_dir) / f"{stem}_boxes.png", drawn)

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


def run(graph: Graph, samples: Sequence[Sample], args: Any, signs: bool = False) -> str:
    """Restore pictures, a line each; faces.json and before_after.png beside them where there are whole photos.

    Args:
        graph: makes one face of one face.
        samples: of deploy.samples.find_samples.
        args: of the command line, with FLAGS and those of deploy.inference.
        signs: print numbers for pictures that are one face, as `deploy.inference.run` gives them.

    Returns:
        How many of which kind, for the closing line.
    """
    found: dict[str, list] = {}
    pairs: list[list[np.ndarray]] = []
    count, makes_pictures = 0, bool(graph.contract.of_kind("image", outputs=True))
    for shot in Photos(graph, samples, args).run():
        name, count = shot.sample.name, count + 1
        told = "one face, as it stands" if shot.found is None else _told(shot)
        signed = not makes_pictures or (signs and shot.found is None)
        print(f"{name}\t{json.dumps(shot.numbers)}" if signed else f"{name}: {told}, {shot.seconds:.1f} s", flush=True)
        if shot.found is not None:
            found[name] = [face.points.round(2).tolist() for face in shot.found]
            if makes_pictures and len(pairs) < SHEET_ROWS:
                pairs.append([photo_sheet.small(shot.shown), photo_sheet.small(shot.made)])
    if found:
        write_text(Path(args.output_dir) / "faces.json", json.dumps(found) + "\n")
    if pairs:
        images.write_image(Path(args.output_dir) / "before_after.png", photo_sheet.sheet(pairs))
    kinds = f" ({len(found)} of them whole photos)" if found else ""
    return f"{count} pictures{kinds}, {len(samples) - count} skipped"


def _told(shot):
    """What became of a photo's faces."""
    if not shot.found:
        return "no face, passed through"
    found = f"{len(shot.found)} face{'s' if len(shot.found) > 1 else ''}"
    return found if len(shot.chosen) == len(shot.found) else f"{found}, {len(shot.chosen)} restored"


def _ahead(function: Callable, items: Sequence) -> Iterator:
    """function(item) of each, in order, computed by a thread that runs a few items ahead."""
    with ThreadPoolExecutor(1) as pool:
        left, running = iter(items), deque(pool.submit(function, item) for item in items[:AHEAD])
        for _ in islice(left, AHEAD):
            pass
        try:
            while running:
                done = running.popleft().result()
                running.extend(pool.submit(function, item) for item in islice(left, 1))
                yield done
        finally:
            for waiting in running:
                waiting.cancel()
