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
from dataclasses import dataclass, field
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
from engine.face_alignment import TEMPLATES
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
        crops: what the network is shown; results: what it makes of them.
        made: the restored picture; numbers: its signature.
    """

    sample: Sample
    picture: Picture
    pixels: np.ndarray
    seconds: float
    found: list[Face] | None = None
    chosen: list[Face] = field(default_factory=list)
    places: list[np.ndarray] = field(default_factory=list)
    crops: list[np.ndarray] = field(default_factory=list)
    results: list[np.ndarray] = field(default_factory=list)
    made: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 3), np.float32))
    numbers: list[float] = field(default_factory=list)


class Photos:
    """The road from picture files to restored ones, for one model and one command line."""

    def __init__(self, graph: Graph, samples: Sequence[Sample], args: Any) -> None:
        """Check everything that can be checked before work begins; InputError names the flag."""
        self.contract, self.samples, self.args = graph.contract, samples, args
        self.side = photo.crop_side(graph.contract)
        self.session = Session(graph, args.batch_size)
        if args.blend:
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
        if self.points is not None:
            return None
        may_do_without = args.aligned is None and not (args.detector or args.boxes)
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
        shot = Shot(sample, picture, picture.pixels(), 0.0)
        shot.found = self._faces(shot)
        if shot.found is None:
            shot.crops = [shot.pixels]
        else:
            shot.found = faces.selected(shot.found, shot.pixels.shape[:2], "all")
            shot.chosen = faces.selected(shot.found, shot.pixels.shape[:2], self.which)
            shot.places = photo.matrices(shot.chosen, self.side, self.contract.template or "ffhq")
            shot.crops = [warped(shot.pixels, matrix, self.side) for matrix in shot.places]
        shot.seconds = time.perf_counter() - start
        return shot

    def _faces(self, shot):
        """Faces of a whole photo, or None where the picture is one face."""
        name, pixels = shot.sample.name, shot.pixels
        if self.points is not None:
            return self.points[name]
        if self.boxes is not None:
            return [self.finder.face_in(pixels, box) for box in self.boxes[name]]
        height, width = pixels.shape[:2]
        if self.finder is None:
            say_stretched(self.contract, name, shot.picture)
            return None
        found = self.finder.find(pixels)
        if self.args.aligned is None and height == width and (not found or self._stands_right(found, width)):
            return None
        return found

    def _stands_right(self, found, side):
        """Whether the one face of a square picture is where the network wants it."""
        wanted = (TEMPLATES[self.contract.template or "ffhq"] + 0.5) * side / 512 - 0.5
        return len(found) == 1 and float(np.hypot(*(found[0].points - wanted).T).mean()) < NEAR * side

    def _finished(self, shots):
        """The network's batch for these photos; each pasted, written and yielded."""
        source, target = self.contract.picture.name, self.contract.outputs[0].name
        crops = [crop for shot in shots for crop in shot.crops]
        start = time.perf_counter()
        results = iter(self.session.apply({source: crops})[target] if crops else [])
        share = (time.perf_counter() - start) / max(1, len(crops))
        for shot in shots:
            start = time.perf_counter()
            shot.results = list(islice(results, len(shot.crops)))
            shot.made = self._made(shot)
            shot.numbers = numbers(self.contract, {target: shot.made})
            self.writer.write(shot.sample.name, shot.picture, {source: shot.pixels}, {target: shot.made})
            self._write_more(shot)
            shot.seconds += time.perf_counter() - start + share * len(shot.crops)
            yield shot

    def _made(self, shot):
        """The restored picture."""
        args = self.args
        if shot.found is not None:
            return photo.pasted(
                shot.pixels, shot.crops, shot.results, shot.places, args.strength, args.upscale, args.paste
            )
        result = shot.results[0]
        if args.strength == 1:
            return result
        shown = images.resize(shot.pixels, result.shape[:2], "area" if len(shot.pixels) > len(result) else "linear")
        return shown + args.strength * (result - shown)

    def _write_more(self, shot):
        """What --save_faces and --draw_boxes ask for, and the photo's rows of the sheet."""
        stem = self.stems[shot.sample.name]
        if self.args.save_faces:
            for number, (before, after) in enumerate(zip(shot.crops, shot.results, strict=True)):
                for what, crop in (("before", before), ("after", after)):
                    path = Path(self.args.output_dir) / "faces" / f"{stem}_{number}_{what}.png"
                    images.write_image(path, crop)
        if self.args.draw_boxes and shot.found is not None:
            images.write_image(
                Path(self.args.output_dir) / f"{stem}_boxes.png", photo_sheet.drawn(shot.pixels, shot.found)
            )


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
    count = 0
    for shot in Photos(graph, samples, args).run():
        name, count = shot.sample.name, count + 1
        if shot.found is None:
            words = f"\t{json.dumps(shot.numbers)}" if signs else f": one face, as it stands, {shot.seconds:.1f} s"
            print(name + words, flush=True)
            continue
        print(f"{name}: {_told(shot)}, {shot.seconds:.1f} s", flush=True)
        found[name] = [face.points.round(2).tolist() for face in shot.found]
        if len(pairs) < SHEET_ROWS:
            pairs.append([photo_sheet.small(shot.pixels), photo_sheet.small(shot.made)])
    if found:
        write_text(Path(args.output_dir) / "faces.json", json.dumps(found) + "\n")
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
