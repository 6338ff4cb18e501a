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
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from deploy import faces, photo_sheet
from deploy.contract import Graph
from deploy.files import Files, stems
from deploy.photo_road import Road, Shot
from deploy.samples import Sample
from deploy.session import Session
from engine import images, picture_files
from engine.errors import InputError
from engine.files import check_writable, write_json
from engine.picture_files import Picture

SHEET_ROWS = 8
AHEAD = 3  # photos that are read before the network asks for them
HELD = 8  # photos whose crops wait for a full batch, at most


class Photos:
    """The road from picture files to files of what a model makes of their faces, for one command line."""

    def __init__(self, graph: Graph, samples: Sequence[Sample], args: Any) -> None:
        """Check everything that can be checked before work begins; InputError names the flag."""
        self.contract, self.samples, self.args = graph.contract, samples, args
        if args.points and args.boxes:
            raise InputError(f"--points {args.points} and --boxes {args.boxes}: give one of them")
        self.points = faces.read_points(args.points) if args.points else None
        self.boxes = faces.read_boxes(args.boxes) if args.boxes else None
        for flag, named in (("points", self.points), ("boxes", self.boxes)):
            missing = [sample.name for sample in samples if named is not None and sample.name not in named]
            if missing:
                path = getattr(args, flag)
                raise InputError(f"--{flag} {path}: no entry '{missing[0]}'; expected one per photo, [] for no face")
        self.session = Session(graph, args.batch_size)
        self.road = Road(self.session, args, needs_faces=self.points is None)
        self.writer = Files(graph.contract, samples, args.output_dir, args.ext, args.colour, args.suffix)
        self.stems = stems(samples)
        check_writable(args.output_dir)

    def run(self) -> Iterator[Shot]:
        """Every picture that could be read, in order, written. InputError where there is none."""
        waiting: list[Shot] = []
        done = 0
        for shot in _ahead(self._opened, self.samples):
            if shot is not None:
                waiting.append(shot)
            if waiting and (sum(len(one.crops) for one in waiting) >= self.args.batch_size or len(waiting) >= HELD):
                yield from self.finished(waiting)
                done, waiting = done + len(waiting), []
        yield from self.finished(waiting)
        if not done + len(waiting):
            raise InputError(f"none of the {len(self.samples)} pictures could be read")

    def _opened(self, sample):
        """A sample read and `begun`; None, said, where it cannot be read."""
        start = time.perf_counter()
        try:
            picture = picture_files.read(sample.files[self.contract.picture.name])
        except InputError as error:
            if len(self.samples) == 1:
                raise
            print(f"skipped: {error}", file=sys.stderr)
            return None
        shot = self.begun(sample, picture)
        shot.seconds = time.perf_counter() - start
        return shot

    def begun(self, sample: Sample, picture: Picture) -> Shot:
        """A sample's picture, its faces found and cut out."""
        given = None if self.points is None else self.points[sample.name]
        if self.boxes is not None:
            given = [self.road.finder.face_in(picture.pixels(), box) for box in self.boxes[sample.name]]
        return self.road.begun(sample, picture, given)

    def finished(self, shots: Sequence[Shot]) -> Iterator[Shot]:
        """The network's batch for these photos; each written and yielded."""
        start = time.perf_counter()
        prepared = [one for shot in shots for one in self.road.prepared(shot)]
        results = iter(self.session.results(prepared, self.session.run(prepared), self.args.blend))
        share = (time.perf_counter() - start) / max(1, len(prepared))
        for shot in shots:
            start = time.perf_counter()
            self.road.finish(shot, list(islice(results, len(shot.crops))))
            self._write(shot)
            shot.seconds += time.perf_counter() - start + share * len(shot.crops)
            yield shot

    def _write(self, shot):
        """What is made of a photo, and what else is asked for."""
        source, target = self.contract.picture.name, self.contract.outputs[0].name
        self.writer.write(shot.sample.name, shot.picture, {source: shot.shown}, shot.outputs)
        stem = self.stems[shot.sample.name]
        if self.args.save_faces and target in shot.outputs:
            for number, (before, result) in enumerate(zip(shot.crops, shot.results, strict=True)):
                for what, crop in (("before", before), ("after", result[target])):
                    path = Path(self.args.output_dir) / "faces" / f"{stem}_{number}_{what}.png"
                    images.write_image(path, crop)
        if self.args.draw_boxes and shot.found is not None:
            drawn = photo_sheet.drawn(shot.pixels, shot.found)
            images.write_image(Path(self.args.output_dir) / f"{stem}_boxes.png", drawn)


def run(graph: Graph, samples: Sequence[Sample], args: Any, signs: bool = False) -> str:
    """Restore pictures, a line each; faces.json and before_after.png beside them where there are whole photos.

    Args:
        graph: restores one aligned face.
        samples: of deploy.samples.find_samples.
        args: of the command line, with FLAGS and those of deploy.inference.
        signs: print numbers for pictures that are one face, as `deploy.inference.run` gives them.

    Returns:
        How many of which kind, for the closing line.
    """
    found: dict[str, list] = {}
    pairs: list[list[np.ndarray]] = []
    count, makes_pictures = 0, bool(graph.contract.of_kind("image", outputs=True))
    try:
        for shot in Photos(graph, samples, args).run():
            name, count = shot.sample.name, count + 1
            told = "one aligned face" if shot.found is None else _told(shot)
            is_signed = not makes_pictures or (signs and shot.found is None)
            line = f"{name}\t{json.dumps(shot.numbers)}" if is_signed else f"{name}: {told}, {shot.seconds:.1f} s"
            print(line, flush=True)
            if shot.found is not None:
                found[name] = [face.points.round(2).tolist() for face in shot.found]
                if makes_pictures and len(pairs) < SHEET_ROWS:
                    pairs.append([photo_sheet.small(shot.shown), photo_sheet.small(shot.made)])
    finally:  # also of a run that is ended early
        if found:
            write_json(Path(args.output_dir) / "faces.json", found, None)
        if pairs:
            images.write_image(Path(args.output_dir) / "before_after.png", photo_sheet.sheet(pairs))
    kinds = f" ({len(found)} of them whole photos)" if found else ""
    return images.closing(count, len(samples) - count, kinds)


def _told(shot):
    """What became of a photo's faces."""
    if not shot.found:
        return "no face, copied as it is"
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
