"""Picture files through a graph: find them, read them, run them in batches, name and write the results."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from deploy.contract import Contract, Graph
from deploy.files import Files
from deploy.samples import Sample
from deploy.session import Session
from engine import images, picture_files
from engine.errors import InputError
from engine.files import check_writable
from engine.masks import read_hole
from engine.picture_files import Picture
from engine.progress import progress

STAGES = ("preprocess", "inference", "postprocess")


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


def say_stretched(contract: Contract, name: str, picture: Picture) -> None:
    """Name on stderr a picture that is squeezed into another aspect ratio, and the way out if there is one."""
    height, width = picture.samples.shape[:2]
    rows, columns = contract.picture.shape[2:]
    if (
        contract.preprocessing.fit != "stretch"
        or min(rows, columns) < 1
        or abs(height * columns - width * rows) < width
    ):
        return
    kinds = [port.kind for port in (*contract.inputs, *contract.outputs)]
    hint = ""
    if kinds == ["image", "image"]:
        hint = "; to restore the faces of a whole photo, pip install -r requirements-photos.txt or leave out --aligned"
    print(f"{name}: {width} x {height} is stretched to {columns} x {rows}{hint}", file=sys.stderr)


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
    """Seconds spent in each stage, one entry a batch."""

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


def numbers(contract: Contract, results: dict[str, np.ndarray]) -> list[float]:
    """A short signature of one sample's results: means of a picture's channels, every number of vectors and points.

    Args:
        results: of a Session, output name -> array.

    Returns:
        list of float, 6 decimals.
    """
    found: list[float] = []
    for port in contract.outputs:
        array = results[port.name]
        found += list(array.mean(axis=(0, 1), dtype=np.float64) if port.kind in ("image", "mask") else array.ravel())
    return [round(float(value), 6) for value in found]


def warm_up(graph: Graph, batch_size: int) -> None:
    """One run on zeros, so that what Paddle does once is not timed; not where pictures keep their own size."""
    shapes = {port.name: [batch_size, *port.shape[1:]] for port in graph.contract.inputs}
    if not any(-1 in shape for shape in shapes.values()):
        graph.run({name: np.zeros(shape, np.float32) for name, shape in shapes.items()})
