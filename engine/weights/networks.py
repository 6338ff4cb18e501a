"""Networks with the weights of a file: the way of every `--pretrained`, and of the networks inside losses and metrics.

A file may hold one network or several, ours or others', under any names and behind any beginnings of the keys. For each
network the place is taken that says its name, or else one whose keys are the network's; of several copies the averaged
one. What is taken has to fit wholly, or an InputError says what does not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from paddle import nn

from engine.errors import InputError
from engine.log import logger
from engine.system import System
from engine.weights.files import is_averaged, load_into, mismatch, read_weights, shown
from engine.weights.known import rows_of
from engine.weights.official_keys import from_official, official_names
from engine.weights.recognise import WRAPPERS, held, names_in, places, translated


@dataclass
class Candidate:
    """A place of a file for a network.

    Attributes:
        place: as of `places`.
        ours: the arrays there, under our keys.
        row: the known network that they are, or None.
        problem: "" or why they do not fit.
        hits, size: keys that the network has, there and in all.
        is_named: whether a dict of the file says the network's name.
    """

    place: tuple
    ours: dict
    row: object
    problem: str
    hits: int
    size: int
    is_named: bool

    def is_claim(self) -> bool:
        """Whether it fits, is known to be this network, is named so, or has most of its keys."""
        return not self.problem or self.row is not None or self.is_named or 2 * self.hits > self.size

    def rank(self) -> tuple:
        """The order in which places are taken: by name, averaged copies, what fits, what has most in common."""
        return not self.is_named, not is_averaged(self.place), bool(self.problem), -self.hits, len(self.place[1])


def load_networks(system: System, path: str | Path, names: Sequence[str] | None = None) -> list[str]:
    """Load weights into a system's networks, strictly; those the file lacks stay as they are.

    Args:
        system: the System.
        path: weights file.
        names: networks that have to be in the file; None: at least one of all.

    Returns:
        names of the networks that were loaded. InputError where the file lacks a needed one or does not fit.
    """
    loaded = _load(system.networks, read_weights(path), path, names, is_system=True)
    system.weights_loaded()
    return loaded


def load_layers(layers: Mapping[str, nn.Layer], arrays: Mapping[str, np.ndarray], source: str | Path) -> None:
    """Load the arrays of a file into networks outside a system's own, strictly; the file has to hold all of them.

    Args:
        layers: {what a file of several networks calls it: network}.
        arrays: {key: array} of `read_weights`.
        source: the file, for errors.

    Raises:
        InputError: the file lacks a network, or holds one that does not fit.
    """
    _load(layers, arrays, source, tuple(layers))


def trained_networks(system: System, path: str | Path | None, config_path: str | Path) -> dict[str, nn.Layer]:
    """A system's networks with weights from `path`, in evaluation mode.

    Raises:
        InputError: no path was given: random weights never pass for trained ones.
    """
    if path is None:
        shipped = Path("weights/lite") / f"{Path(config_path).stem}.pdparams"
        hint = f", for example {shipped}" if shipped.exists() else "; python tools/fetch_weights.py lists some"
        raise InputError(f"--pretrained: no weights given; expected a file of trained weights{hint}")
    loaded = load_networks(system, path, system.averaged or None)
    if missing := [name for name in system.needed if name not in loaded]:
        raise InputError(f"{path}: holds {', '.join(loaded)} but not {', '.join(missing)}, which is needed here")
    logger.info(f"weights: {path} ({', '.join(loaded)})")
    for network in system.networks.values():
        network.eval()
    return system.networks


def _load(layers, arrays, source, names, is_system=False):
    found = _own(layers, arrays, names) or find(layers, arrays, source)
    for name in names or ():
        if name not in found:
            what = f"no network '{name}' in the file" if is_system else "weights of another network"
            raise InputError(f"{source}: {what}; it holds {held(arrays)}")
    if not found:
        raise InputError(f"{source}: holds none of the networks {sorted(layers)}; it holds {held(arrays)}")
    wanted = {name: found[name] for name in names or found}
    for name, candidate in wanted.items():
        if candidate.problem:
            problem = candidate.problem if candidate.row else f"{candidate.problem}; it holds {held(arrays)}"
            raise InputError(f"{source}{f' ({name})' if is_system or len(layers) > 1 else ''}: {problem}")
    _refuse_ambiguous(wanted, source)
    for name, candidate in wanted.items():
        if endless := [key for key, array in candidate.ours.items() if not np.isfinite(array).all()]:
            raise InputError(f"{source} ({name}): {endless[0]} holds values that are not finite")
        load_into(layers[name], candidate.ours, f"{source} ({name})")
        place = "".join(candidate.place)
        if place not in ("", f"{name}/"):
            copy = ", the averaged copy" if is_averaged(candidate.place) else ""
            logger.info(f"{source}: {name} from [{shown(place.rstrip('/'))}]{copy}")
    return list(wanted)


def _own(layers, arrays, names):
    """Candidates of a file of ours, which says every network's name and has just its keys; {} of any other file."""
    wanted = names or [name for name in layers if any(key.startswith(f"{name}/") for key in arrays)]
    if getattr(arrays, "is_official", True) or any(is_averaged((key.rpartition("/")[0],)) for key in arrays):
        return {}
    parts = {
        name: {key.removeprefix(f"{name}/"): array for key, array in arrays.items() if key.startswith(f"{name}/")}
        for name in wanted
    }
    if any(mismatch(layers[name].state_dict(), part) for name, part in parts.items()):
        return {}
    return {
        name: Candidate((f"{name}/", ""), part, None, "", len(part), len(part), True) for name, part in parts.items()
    }


def find(layers: Mapping[str, nn.Layer], arrays: Mapping[str, np.ndarray], source: str | Path) -> dict[str, Candidate]:
    """The best place in a file for each network that is there.

    Args:
        layers: {name: network}.
        arrays: {key: array} of `read_weights`.
        source: the file, for hints.

    Returns:
        {name: Candidate}, in the order of `layers`; also of places that do not fit.
    """
    tried, found = places(arrays), {}
    claims = {name: {name, *_aliases(layer, name)} for name, layer in layers.items()}
    for name, layer in layers.items():
        others = set().union(*(claims[other] for other in layers if other != name)) - claims[name]
        is_official = getattr(arrays, "is_official", True)
        candidates = list(_candidates(layer, tried, claims[name], others, is_official, source))
        claiming = [one for one in candidates if one.is_claim()]
        present = claiming or (candidates if len(layers) == 1 else ())
        found[name] = min(present, key=Candidate.rank, default=None)
    fitting = {candidate.place for candidate in found.values() if candidate and not candidate.problem}
    for name, candidate in found.items():  # keys in common are no claim on what is another network's
        if candidate and candidate.problem and not candidate.row and not candidate.is_named:
            found[name] = None if candidate.place in fitting else candidate
    for candidate in [candidate for candidate in found.values() if candidate and candidate.row]:
        for name, taken in candidate.row.beside.items():
            part = taken(tried[candidate.place]) if name in layers and not found[name] else None
            if part is not None and not mismatch(layers[name].state_dict(), part):
                found[name] = Candidate(candidate.place, part, None, "", len(part), len(part), True)
    return {name: candidate for name, candidate in found.items() if candidate}


def _aliases(layer, name):
    """Names under which published files of several networks keep this one."""
    return {alias for row in rows_of(layer) for alias in row.places.get(name, ())}


def _candidates(layer, tried, claims, others, is_official, source):
    """Candidates for a network among a file's places: those with a key of it that are not another's."""
    tensors, rows = layer.state_dict(), rows_of(layer)
    keys = {*tensors, *(official for official, _ in official_names(layer).values())}
    for place, part in tried.items():
        row = next((row for row in rows if row.gives_itself_away(part)), None)
        is_wrapper = set(names_in(("", place[1]))) <= WRAPPERS | claims
        names = names_in(place)
        if (names and others & set(names)) or (row is None and not (is_wrapper and keys & part.keys())):
            continue
        is_named = names_in((place[0], ""))[-1:] != [] and names_in((place[0], ""))[-1] in claims
        ours, problem = _fitted(layer, row, rows, part, is_official)
        hits = len(ours.keys() & tensors.keys())
        problem = problem or mismatch(tensors, ours)
        hint = _hint(row, rows, part, source) if problem else ""
        yield Candidate(place, ours, row, problem + hint, hits, len(tensors), is_named)


def _fitted(layer, row, rows, part, is_official):
    """(arrays under our keys, "" or what keeps them from being translated)."""
    try:
        official = part if row is None else translated(row, part)[0]
        ours = from_official(layer, official, is_official)
        return (rows[0].completed(layer, ours) if rows else ours), ""
    except InputError as error:
        return part, str(error)


def _hint(row, rows, part, source):
    """What the file's network is where it is of another size or form than the one it is for."""
    if row is None:
        names = [row.name for row in rows if row.gives_itself_away(part, by_name=True)]
        return f"; tools/convert_weights.py {source} OUT --as {names[0]} brings it to this form" if names else ""
    try:
        sizes = ", ".join(f"{key} {value}" for key, value in row.arguments(translated(row, part)[0]).items())
    except InputError:
        return ""
    return f"; the file's is {row.title}{f' ({sizes})' if sizes else ''}"


def _refuse_ambiguous(wanted, source):
    """InputError where one place would be taken for two networks of the same keys."""
    for candidate in wanted.values():
        same = [other for other, one in wanted.items() if one.place == candidate.place and not one.is_named]
        if len(same) > 1:
            raise InputError(f"{source}: one network that may be {' or '.join(same)}; expected entries of these names")
