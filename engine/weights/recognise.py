"""Recognise the networks in a file's arrays: which known row, of which size, and whether all fits.

A checkpoint keeps a network under names of its own (`params_ema`, `state_dict`, `g_ema`), behind beginnings of keys
(`module.`, `generator.`), or both. Every such place is tried; the averaged copy of a network is known by its name.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import paddle
from paddle import nn
from pydantic import ValidationError

from engine.errors import InputError
from engine.weights import known
from engine.weights.files import AVERAGED, is_averaged, mismatch, shown
from engine.weights.known import Network, imported
from engine.weights.official_keys import from_official, official_names, to_official

MAX_WRAPPERS = 4  # beginnings of a key that may be no part of its network: state_dict/ is none of them
MAX_PLACES = 4000
WRAPPERS = {  # beginnings of keys that are no part of a network, without what says that it is an average
    "", "module", "_orig_mod", "model", "net", "network", "net_g", "net_d", "netG", "netD", "g", "d", "G", "D", "gen",
    "dis", "generator", "discriminator", "state_dict", "params",
}  # fmt: skip


@dataclass
class Match:
    """A network found among a file's arrays.

    Attributes:
        network: its row.
        arguments: what the builder takes.
        layer: the network, built without values (`paddle.LazyGuard`); None where it cannot be built.
        ours: its arrays under our keys; under the file's where they cannot be translated.
        dropped: keys of the file that the network has no place for.
        problem: "" or what keeps the arrays from fitting, in one line.
    """

    network: Network
    arguments: dict
    layer: Any
    ours: dict
    dropped: list
    problem: str = ""

    def official(self) -> dict[str, np.ndarray]:
        """The arrays under the official keys. InputError where the row has no way back."""
        if not self.network.goes_back:
            raise InputError(f"{self.network.title} cannot be converted back to the official form; write .pdparams")
        return to_official(self.layer, self.ours)

    def describe(self) -> str:
        """One line: which network, of what size, how much of it."""
        sizes = ", ".join(f"{key} {value}" for key, value in self.arguments.items())
        values = sum(array.size for array in self.ours.values())
        text = f"{self.network.title}{f' ({sizes})' if sizes else ''}: {len(self.ours)} arrays, {values:,} values"
        text += f"; without {', '.join(map(shown, self.dropped[:3]))}" if self.dropped else ""
        text += f" and {len(self.dropped) - 3} more" if len(self.dropped) > 3 else ""
        return text + (f"; {self.network.note}" if self.network.note and self.network.builder else "")


def match(arrays: Mapping[str, np.ndarray], name: str | None = None) -> Match | None:
    """The Match of arrays that belong together, or None where no row knows them. Keys are official ones or ours.

    Args:
        arrays: {key: array}.
        name: the row to prefer where several have the same keys; its forms on demand count.
    """
    for network in sorted(known.known_networks().values(), key=lambda network: network.name != name):
        if network.gives_itself_away(arrays, network.name == name):
            return _fit(network, arrays)
    return None


def _fit(network, arrays):
    try:
        official, dropped = translated(network, arrays)
    except InputError as error:
        return Match(network, {}, None, dict(arrays), [], str(error))
    if not network.builder:
        return Match(network, {}, None, official, dropped, network.note)
    try:
        arguments = network.arguments(official)
        layer = build(network, arguments)
        ours = {key: as_float32(array) for key, array in from_official(layer, official).items()}
    except InputError as error:
        return Match(network, {}, None, official, dropped, str(error))
    return Match(network, arguments, layer, ours, dropped, mismatch(layer.state_dict(), ours))


def as_float32(array: np.ndarray) -> np.ndarray:
    """An array as a network holds it: float64, a translation's exact quotients say, becomes float32."""
    return array.astype(np.float32) if array.dtype == np.float64 else array


def translated(network: Network, arrays: Mapping[str, np.ndarray]) -> tuple[dict[str, np.ndarray], list[str]]:
    """(arrays under the row's official keys or ours, keys it has no place for). InputError where they cannot be."""
    try:
        official = network.renamed(arrays)
    except (KeyError, ValueError, IndexError) as error:
        raise InputError(f"keys of a {network.title} that do not fit together ({shown(str(error))})") from None
    dropped = [key for key in official if network.dropped and re.fullmatch(network.dropped, key)]
    return {key: array for key, array in official.items() if key not in set(dropped)}, dropped


def build(network: Network, arguments: Mapping[str, Any]) -> nn.Layer:
    """The row's network without values: names, shapes and types only. InputError for impossible settings."""
    builder, settings = imported(network.builder), imported(network.settings) if network.settings else None
    try:
        with paddle.LazyGuard():
            return builder(**arguments) if settings is None else builder(settings(**arguments))
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"impossible {'.'.join(map(str, first['loc'])) or 'settings'}: {first['msg']}") from None


def places(arrays: Mapping[str, np.ndarray]) -> dict[tuple[str, str], dict[str, np.ndarray]]:
    """Places in a file that may hold a network: its dicts, and in each the arrays behind a beginning of the keys.

    Args:
        arrays: {key: array} of `read_weights`.

    Returns:
        {(path of dicts, beginning of the keys): {rest of the key: array}}, e.g. ("state_dict/", "module.").
    """
    found: dict = {}
    for key, array in arrays.items():
        path, slash, rest = key.rpartition("/")
        beginning = ""
        for _ in range(MAX_WRAPPERS + 1):
            place = path + slash, beginning
            if place not in found and len(found) >= MAX_PLACES:
                break
            found.setdefault(place, {})[rest] = array
            head, dot, rest = rest.partition(".")
            if not dot or head.isdigit():
                break
            beginning += f"{head}."
    return found


def names_in(place: Iterable[str]) -> list[str]:
    """The names that a place consists of, without what only says that it is an average: params_ema is params."""
    return [AVERAGED.sub("", name).strip("_") for name in re.findall(r"[^/.]+", "".join(place))]


def unwrapped(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The largest place of a file whose beginning is no part of a network, the averaged copy if there are several.

    Args:
        arrays: {key: array} of `read_weights`.
    """
    found = {place: part for place, part in places(arrays).items() if set(names_in(("", place[1]))) <= WRAPPERS}
    return found[max(found, key=lambda place: (len(found[place]), is_averaged(place), len(place[1])))]


def networks_in(arrays: Mapping[str, np.ndarray], name: str | None = None) -> dict[str, Match | int]:
    """All networks of a file.

    Args:
        arrays: {key: array} of `read_weights`.
        name: as of `match`.

    Returns:
        {place: Match or number of unknown arrays}: a place is a path of dicts ("g_ema"), with the beginning of the
        keys where a network is a part of a larger one ("state_dict/netG."), "" for the file itself.
    """
    tried, found = places(arrays), dict[tuple[str, str], Match]()
    for place in sorted(tried, key=lambda place: place[1].count(".")):  # the whole before its parts
        path, beginning = place
        if not any(path == other and beginning.startswith(start) for other, start in found):
            result = match(tried[place], name)
            if result is not None:
                found[place] = result
    results: dict[str, Match | int] = {}
    for path in dict.fromkeys(path for path, _ in tried):
        inside = [place for place in tried if place[0] == path and place in found]
        results |= {"".join(place).rstrip("/"): found[place] for place in inside}
        if not inside:
            results[path.rstrip("/")] = len(tried[path, ""])
    return results


def held(arrays: Mapping[str, np.ndarray]) -> str:
    """Contents of a file, for a message: its known networks, or its first keys and the most similar network.

    Args:
        arrays: {key: array} of `read_weights`.
    """
    found = [(place, what) for place, what in networks_in(arrays).items() if isinstance(what, Match)]
    if found:
        return ", ".join(f"{what.network.title}{f' at {shown(place)}' if place else ''}" for place, what in found[:4])
    first = ", ".join(f"{shown(key)} {list(array.shape)}" for key, array in list(arrays.items())[:3])
    return f"no known network among its {len(arrays)} arrays; the first: {first}; {closest(arrays)}"


def closest(arrays: Mapping[str, np.ndarray]) -> str:
    """The known network whose keys are most like those of a file, in words; numbers in the keys do not count."""
    groups = sorted(places(arrays).values(), key=len, reverse=True)[:40]
    patterns = [(len(group) / len(groups[0]), _patterns(group)) for group in groups]
    words = _words(patterns[0][1])
    scores = {}
    for network in known.known_networks().values():
        own = _patterns(_official_keys(network))
        alike = max(part * len(own & group) / len(own | group) for part, group in patterns)
        scores[network] = alike, len(words & _words(own)) / len(words | _words(own))
    best = max(scores, key=lambda network: scores[network])
    return f"the closest known network is {best.title} ({best.name}, {scores[best][0]:.0%} of the kinds of keys)"


def _official_keys(network):
    """Keys that a row's network has in a published file, as far as they are known without one."""
    if network.builder:
        return [official for official, _ in official_names(build(network, network.example)).values()]
    return network.signature if type(network.signature[0]) is str else sum(network.signature, ())


def _patterns(keys):
    return {re.sub(r"\d+", "#", key) for key in keys}


def _words(patterns):
    return {word for pattern in patterns for word in pattern.split(".")}
