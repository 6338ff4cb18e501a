"""Vectors that a graph takes beside its picture, such as a style: drawn from seeds, or taken from a picture."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from deploy.contract import Contract, Graph
from deploy.session import Session
from engine import images
from engine.errors import InputError


def from_pictures(contract: Contract, files: dict, open_graph: Callable[[str], Graph]) -> dict[str, np.ndarray]:
    """Vectors that are taken from pictures by the graphs the contract names as their encoders.

    Args:
        contract: of the graph that takes the vectors.
        files: input name -> picture file or None; those of inputs with an encoder are taken out of it.
        open_graph: path of an encoder, from this graph's -> the encoder.

    Returns:
        dict input name -> vector.

    Raises:
        InputError: a picture cannot be read.
    """
    vectors = {}
    for port in contract.inputs:
        if port.encoder and files.get(port.name) is not None:
            session, path = Session(open_graph(port.encoder)), Path(files.pop(port.name))
            results = session.apply({session.contract.picture.name: images.read_image(path)})
            vectors[port.name] = results[session.contract.outputs[0].name]
    return vectors


def with_vectors(
    contract: Contract, samples: Sequence[Any], vectors: dict[str, np.ndarray], seed: int, count: int
) -> list[Any]:
    """The samples with given vectors, or each sample `count` times with those drawn from `seed`, `seed` + 1, ...

    The same seed gives every picture the same vector. Names carry the seed where a picture occurs more than once.

    Args:
        contract: of the graph.
        samples: deploy.inference.Sample each.
        vectors: input name -> vector, of `from_pictures`.
        seed: the first one.
        count: draws a picture.

    Raises:
        InputError: several draws of a graph that draws nothing.
    """
    if not _drawn(contract, vectors):
        if count > 1:
            raise InputError(f"--num_style {count}: no style is drawn here; expected 1")
        return [replace(sample, vectors=vectors) for sample in samples]
    return [
        replace(sample, name=_named(sample.name, n) if count > 1 else sample.name, seed=n, vectors=vectors)
        for sample in samples
        for n in range(seed, seed + count)
    ]


def described(contract: Contract, vectors: dict[str, np.ndarray], seed: int, count: int) -> str:
    """One line that says where the vectors come from; empty for a graph without any."""
    last = f" to {seed + count - 1}" if count > 1 else ""
    lines = [f"{name}: drawn, seed {seed}{last}" for name in _drawn(contract, vectors)]
    return "; ".join(lines + [f"{name}: from a picture" for name in vectors])


def _drawn(contract, vectors):
    return [port.name for port in contract.of_kind("vector") if port.name not in vectors]


def _named(name, seed):
    path = Path(name)
    return path.with_name(f"{path.stem}_seed{seed}{path.suffix}").as_posix()
