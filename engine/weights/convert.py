"""Convert checkpoints of known networks to one file of one network, in our form or in the official one; inspect files.

The target's ending decides: .pdparams takes this project's keys and layout, .pth and .safetensors the official ones.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from engine.errors import InputError
from engine.log import stages
from engine.weights.files import is_averaged, read_weights, shown, write_arrays, write_torch, write_weights
from engine.weights.manifest import published_as, sha256
from engine.weights.recognise import Match, held, networks_in

SUFFIXES = (".pdparams", ".pth", ".safetensors")


def convert(
    sources: Sequence[str | Path], target: str | Path, name: str | None = None, entry: str | None = None
) -> tuple[str, Match]:
    """Convert one network.

    Args:
        sources: files to read; several where a network was published in pieces (LPIPS), their keys put together.
        target: file to write, whole or not at all; .pdparams, .pth or .safetensors.
        name: network it has to be, a name of `known_networks`; None: the only one in the file.
        entry: place of it in the file, as `inspect` prints it; None: the averaged copy, else the only one.

    Returns:
        (place, Match) of what was written. InputError where that cannot be.
    """
    suffix = Path(target).suffix
    if suffix not in SUFFIXES:
        raise InputError(f"{target}: expected a name ending in .pdparams, .pth or .safetensors")
    if any(Path(target).exists() and Path(source).exists() and os.path.samefile(source, target) for source in sources):
        raise InputError(f"{target}: is also a file to read; expected another name")
    source = " + ".join(map(str, sources))
    with stages(3) as begin:
        begin("reading")
        arrays = merged(sources)
        begin("recognising")
        place, found = choose(arrays, source, name, entry)
        if found.problem:
            raise InputError(f"{source}: {found.network.title}: {found.problem}")
        begin("writing")
        if suffix == ".pdparams":
            types = {key: str(tensor.dtype).removeprefix("paddle.") for key, tensor in found.layer.state_dict().items()}
            write_weights(target, {key: array.astype(types[key]) for key, array in found.ours.items()})
        else:
            (write_torch if suffix == ".pth" else write_arrays)(target, found.official())
    return place, found


def merged(sources: Sequence[str | Path]) -> dict[str, np.ndarray]:
    """{key: array} of files whose keys do not meet. InputError where they do."""
    arrays: dict[str, np.ndarray] = {}
    for source in sources:
        more = read_weights(source)
        if meeting := arrays.keys() & more.keys():
            raise InputError(f"{source}: {shown(min(meeting))} is also in another of the files")
        arrays |= more
    return arrays


def choose(
    arrays: Mapping[str, np.ndarray], source: str, name: str | None = None, entry: str | None = None
) -> tuple[str, Match]:
    """The place and Match that is meant among a file's arrays. InputError where there is none, or no telling."""
    found = {place: what for place, what in networks_in(arrays, name).items() if isinstance(what, Match)}
    if not found:
        raise InputError(f"{source}: {held(arrays)}")
    content = ", ".join(f"{what.network.name}{f' at {shown(place)}' if place else ''}" for place, what in found.items())
    named = {
        place: what for place, what in found.items() if name in (None, what.network.name) and entry in (None, place)
    }
    if not named:
        raise InputError(f"{source}: no {name or 'network'}{f' at {entry}' if entry else ''}; it holds {content}")
    if len({what.network.name for what in named.values()}) > 1:
        raise InputError(f"{source}: holds {content}; say which with --as")
    averaged = [place for place in named if is_averaged((place,))]
    if len(named) > 1 and len(averaged) != 1:
        raise InputError(f"{source}: holds {content}; say which with --entry")
    place = (averaged or [*named])[0]
    return place, named[place]


def inspect(sources: Sequence[str | Path]) -> Iterator[str]:
    """Lines on the joint contents of files: one per network, one per file, then every key with type and shape."""
    arrays, source = merged(sources), " + ".join(map(str, sources))
    for place, what in networks_in(arrays).items():
        where = f"{source}{f' [{shown(place)}]' if place else ''}"
        if not isinstance(what, Match):
            yield f"{where}: no known network, {what} arrays"
            continue
        use = f"; --as {what.network.name}" if not what.problem else f"; but {what.problem}"
        yield f"{where}: {what.describe()}{use}"
    for path in sources:
        digest = sha256(path)
        name = published_as(digest)
        yield f"{path}: sha256 {digest}{f', {name} of weights/manifest.yaml' if name else ''}"
    longest = max(len(shown(key)) for key in arrays)
    for key, array in arrays.items():
        yield f"  {shown(key):{longest}}  {array.dtype!s:8} {list(array.shape)}"
