"""Compare the people of two pictures: the cosine of a recogniser's vectors, beside its threshold."""

import sys
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from deploy.contract import Contract, Graph, remark
from deploy.photo_files import Photos
from deploy.samples import find_samples
from engine.errors import InputError


def check_recognises(contract: Contract) -> None:
    """InputError where a graph does not make one vector of one face."""
    if not contract.recognises:
        raise InputError("--compare: this model does not tell faces apart; expected one that makes a vector of a face")


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    """Of two vectors [D], -1 to 1."""
    return float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other) + 1e-9))


def compared(graph: Graph, args: Any) -> Iterator[str]:
    """A line for each pair: names, cosine, threshold, same or different.

    Args:
        graph: a recogniser.
        args: of the command line; `compare` is two pictures, or a picture and a folder. The largest face of a photo
            counts, or the one that --faces names; a picture in which none is found is taken as it is.

    Raises:
        InputError: another model, other paths, or a picture that cannot be read.
    """
    check_recognises(graph.contract)
    if len(args.compare) != 2 or args.img or args.image_dir or args.input:
        raise InputError(f"--compare {' '.join(args.compare)}: expected a picture and a picture or folder, no --img")
    if Path(args.compare[0]).is_dir():
        raise InputError(f"--compare {args.compare[0]}: is a folder; expected a picture first")
    (first,), others = (list(_vectors(graph, path, args)) for path in args.compare)
    threshold = graph.contract.threshold
    for name, vector in others:
        found = cosine(first[1], vector)
        verdict = "no threshold is known for this model"
        if threshold is not None:
            verdict = f"threshold {threshold:.3f}: {'same' if found >= threshold else 'different'}"
        yield f"{first[0]}  {name}  cosine {found:.3f}, {verdict}"


def run(graph: Graph, args: Any) -> int:
    """Print what `compared` finds; exit status 0."""
    for line in filter(None, (*compared(graph, args), remark(graph))):
        print(line)
    return 0


def _vectors(graph, path, args):
    """(name, vector) of a picture, or of each picture of a folder."""
    is_folder = Path(path).is_dir()
    files = {} if is_folder else {graph.contract.picture.name: path}
    samples = find_samples(graph.contract, path if is_folder else None, files)
    for shot in Photos(graph, samples, Namespace(**{**vars(_namespace(args)), "save_faces": False})).run():
        if shot.found is not None and len(shot.found) > 1:
            which = "largest" if args.faces == "all" else args.faces
            print(f"{shot.sample.name}: {len(shot.found)} faces, the {which} counts", file=sys.stderr)
        yield shot.sample.name, shot.results[0][graph.contract.outputs[0].name]


def _namespace(args):
    """The plain namespace of a command line."""
    return getattr(args, "flags", args)
