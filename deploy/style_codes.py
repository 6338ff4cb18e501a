"""Vectors that a graph takes beside its picture, such as a style: drawn from seeds, or taken from a picture."""

from dataclasses import replace
from pathlib import Path

from deploy.inference import Sample, load, stack
from engine.errors import InputError


def drawn_inputs(contract):
    """Names of the inputs that are drawn where no picture is given for them."""
    return [port["name"] for port in contract["inputs"] if port["kind"] == "vector"]


def from_pictures(contract, files, open_graph):
    """Vectors that are taken from pictures by the graphs the contract names as their encoders.

    Args:
        contract: of the graph that takes the vectors.
        files: input name -> picture file or None; those of inputs with an encoder are taken out of it.
        open_graph: path of an encoder, from this graph's -> its Predictor or DynamicGraph.

    Returns:
        dict input name -> vector.

    Raises:
        InputError: a picture cannot be read.
    """
    vectors = {}
    for port in contract["inputs"]:
        if "encoder" in port and files.get(port["name"]) is not None:
            graph, path = open_graph(port["encoder"]), Path(files.pop(port["name"]))
            sample = Sample(path.name, {graph.contract["inputs"][0]["name"]: path}, seed=0)
            results = graph.run(stack([load(graph.contract, sample)]))
            vectors[port["name"]] = results[graph.contract["outputs"][0]["name"]][0]
    return vectors


def with_vectors(contract, samples, vectors, seed, count):
    """The samples with given vectors, or each sample `count` times with those drawn from `seed`, `seed` + 1, ...

    The same seed gives every picture the same vector. Names carry the seed where a picture occurs more than once.

    Args:
        contract: of the graph.
        samples: of `deploy.inference.find_samples`.
        vectors: input name -> vector, of `from_pictures`.
        seed: the first one.
        count: draws a picture.

    Raises:
        InputError: several draws of a graph that draws nothing.
    """
    drawn = [name for name in drawn_inputs(contract) if name not in vectors]
    if not drawn:
        if count > 1:
            raise InputError(f"--num_style {count}: nothing is drawn here; expected 1")
        return [replace(sample, vectors=vectors) for sample in samples]
    seeds = range(seed, seed + count)
    return [
        replace(sample, name=_named(sample.name, n) if count > 1 else sample.name, seed=n, vectors=vectors)
        for sample in samples
        for n in seeds
    ]


def described(contract, vectors, seed, count):
    """One line that says where the vectors come from; empty for a graph without any."""
    drawn = [name for name in drawn_inputs(contract) if name not in vectors]
    last = f" to {seed + count - 1}" if count > 1 else ""
    lines = [f"{name}: drawn, seed {seed}{last}" for name in drawn]
    return "; ".join(lines + [f"{name}: from a picture" for name in vectors])


def _named(name, seed):
    path = Path(name)
    return path.with_name(f"{path.stem}_seed{seed}{path.suffix}").as_posix()
