"""From a graph and a command line to results on disk: the common part of predict.py and infer.py.

Picture files are found, read, run in batches, named and written.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from deploy import flags
from deploy.contract import Contract, Graph, numbers, remark, say_stretched
from deploy.files import Files
from deploy.samples import Sample, gathered
from deploy.session import Session
from engine import images, picture_files
from engine.errors import InputError
from engine.files import check_writable, write_text
from engine.flags import refuse
from engine.log import progress
from engine.masks import read_hole
from engine.picture_files import Picture

STAGES = ("preprocess", "inference", "postprocess")


def carry_out(
    graph: Graph, args: Any, open_graph: Callable[[str], Graph], seed: int, tell: Callable[[str], None], signs: bool
) -> int:
    """Do with a graph what the flags say: a film, a comparison, whole photos or pictures.

    Args:
        graph: what runs; one with `remarks(names)` has lines to say of the pictures.
        args: the command line, with deploy.flags.PHOTOS and PICTURES.
        open_graph, seed: see deploy.samples.gathered.
        tell: gets the closing lines.
        signs: print numbers of results that are pictures too.

    Returns:
        The exit status.
    """
    if args.compare or args.video:
        from deploy import comparing, video

        return (comparing if args.compare else video).run(graph, args)
    stacks, is_timed = getattr(args, "stacks", None), getattr(args, "benchmark", False)
    samples, styles, left_out = gathered(graph.contract, args, open_graph, seed)
    if stacks and args.ext != "png":
        raise InputError(f"--ext {args.ext}: stacks are written as PNG; leave it out")
    pairs = "--stacks, --degrade" if stacks or hasattr(graph, "remarks") else "--benchmark" if is_timed else ""
    if args.aligned is False and pairs:
        raise InputError(f"{pairs}: not for whole photos; leave {'it' if is_timed else 'them'} out")
    if is_road(graph.contract, args) and not pairs:
        from deploy import photo_files

        told = photo_files.run(graph, samples, args, signs)
    else:
        refuse_flags(args)
        told = _pictures(graph, samples, args, stacks, is_timed, signs, tell)
    for line in (styles, f"{told}{left_out}; results in {args.output_dir}", remark(graph)):
        if line:
            tell(line)
    return 0


def _pictures(graph, samples, args, stacks, is_timed, signs, tell):
    """Run pictures as they are; how many there were, for the closing line."""
    if stacks:
        from deploy.results import WRITERS

        writer: Files = WRITERS[stacks](graph.contract, samples, args.output_dir)
    else:
        writer = Files(graph.contract, samples, args.output_dir, args.ext, args.colour, args.suffix)
    if is_timed:
        warm_up(graph, args.batch_size)
    watch, names = Stopwatch(), []
    signs = signs or not graph.contract.of_kind("image", "mask", "points", outputs=True)
    for name, found in run(graph, samples, args.batch_size, args.output_dir, watch, args.blend, writer):
        names.append(name)
        if signs:
            print(f"{name}\t{json.dumps(found)}")
    for line in graph.remarks(names) if hasattr(graph, "remarks") else ():
        tell(line)
    if is_timed:
        from deploy.timing import report

        lines = "\n".join(report(watch, graph, args.batch_size, len(names)))
        print(lines)
        if args.save_log_path:
            write_text(args.save_log_path, f"{lines}\n")
    return images.closing(len(names), len(samples) - len(names))


def is_road(contract: Contract, args: Any) -> bool:
    """Whether pictures take the road of photos: for models that restore or that look at one aligned face, unless
    --aligned says otherwise; for models that fill holes, with --mask auto.

    Raises:
        InputError: --aligned=False for another model.
    """
    is_for_faces = contract.restores or contract.sees_aligned_face
    takes_photos = args.mask == "auto" if contract.hole else is_for_faces
    if args.aligned is False and not takes_photos:
        raise InputError("--aligned=False: this model does not restore faces; leave it out")
    return takes_photos and (args.aligned is not True or args.mask == "auto")


def refuse_flags(args: Any) -> None:
    """InputError for the first flag of this road that was given, where pictures take another one."""
    refuse(args, {name: flag for name, flag in flags.PHOTOS.items() if name != "aligned"}, flags.WHY)


def read(contract: Contract, sample: Sample, picture: Picture | None = None) -> dict[str, np.ndarray]:
    """A sample's inputs for a Session: pictures [H, W, 3] RGB in [0, 1], masks [H, W, 1] (1 is hole), its vectors.

    Args:
        contract: of the model.
        sample: what to read.
        picture: the contract's picture, where it is read already.

    Raises:
        InputError: a file cannot be read, or a mask has another size than the picture or nothing but hole.
    """
    masks, first = {port.name for port in contract.of_kind("mask")}, contract.picture.name
    values = {first: (picture or picture_files.read(sample.files[first])).pixels()}
    values |= {name: images.read_image(path) for name, path in sample.files.items() if name not in masks | {first}}
    for name in masks & sample.files.keys():
        from deploy.filling import check_mask

        path = sample.files[name]
        values[name] = read_hole(path, sample.white_means)
        check_mask(values[name], values[first].shape[:2], path, sample.files[first], sample.white_means)
    return values | sample.vectors


def run(
    graph: Graph,
    samples: Sequence[Sample],
    batch_size: int,
    output_dir: str | Path,
    watch: "Stopwatch",
    blend: str | None = None,
    writer: Files | None = None,
) -> Iterator[tuple[str, list[float]]]:
    """Run samples in batches and write their pictures; those that cannot be read are named on stderr and left out.

    Args:
        graph: what runs.
        samples: of `find_samples`.
        watch: gets one entry a batch and stage.
        blend: how a filled hole gets into its picture, of engine.system.BLENDS; None: as the contract says.
        writer: of the results; default: deploy.files.Files, a file each.

    Yields:
        (sample name, numbers) in order.

    Raises:
        InputError: not one sample could be read, or a result cannot be written.
    """
    session, done = Session(graph, batch_size), 0
    writer = writer or Files(graph.contract, samples, output_dir)
    check_writable(output_dir)
    starts = range(0, len(samples), batch_size)
    for start in progress(starts, len(starts), "batch") if len(starts) > 1 else starts:
        with watch.stage("preprocess"):
            readable = _readable(graph.contract, samples[start : start + batch_size], len(samples) == 1)
            pictures, prepared = [], []
            for sample, picture, values in readable:
                pictures.append(picture)
                say_stretched(graph.contract, sample.name, picture)
                prepared.append(session.prepared(values, sample.seed, sample.name))
        if not prepared:
            continue
        with watch.stage("inference"):
            outputs = session.run(prepared)
        with watch.stage("postprocess"):
            results = session.results(prepared, outputs, blend)
            for one, picture, result in zip(prepared, pictures, results, strict=True):
                writer.write(one.name, picture, one.given, result)
        yield from ((one.name, numbers(graph.contract, result)) for one, result in zip(prepared, results, strict=True))
        done += len(prepared)
    if not done:
        raise InputError(f"none of the {len(samples)} pictures could be read")
    writer.finish()


def _readable(contract, samples, alone):
    """(sample, its picture, its values) of the samples that can be read; one that is `alone` has to be."""
    for sample in samples:
        try:
            picture = picture_files.read(sample.files[contract.picture.name])
            yield sample, picture, read(contract, sample, picture)
        except InputError as error:
            if alone:
                raise
            print(f"skipped: {error}", file=sys.stderr)


class Stopwatch:
    """Seconds spent in each stage, one entry per batch."""

    def __init__(self) -> None:
        """All stages empty."""
        self.seconds: dict[str, list[float]] = {stage: [] for stage in STAGES}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the block as part of a stage."""
        start = time.perf_counter()
        yield
        self.seconds[name].append(time.perf_counter() - start)

    def total(self) -> float:
        """Seconds in all stages."""
        return sum(sum(entries) for entries in self.seconds.values())

    def mean_milliseconds(self, name: str) -> float:
        """Mean of one stage's entries; 0 without any."""
        entries = self.seconds[name]
        return 1000 * sum(entries) / len(entries) if entries else 0.0


def warm_up(graph: Graph, batch_size: int) -> None:
    """One run on zeros, so that what Paddle does once is not timed; not where pictures keep their own size."""
    shapes = {port.name: [batch_size, *port.shape[1:]] for port in graph.contract.inputs}
    if not any(-1 in shape for shape in shapes.values()):
        graph.run({name: np.zeros(shape, np.float32) for name, shape in shapes.items()})
