"""The networks in a file's arrays: which row of `engine.weights.known` they are, of what size, and whether all fits."""

import re
from dataclasses import dataclass

import paddle
from pydantic import ValidationError

from engine.errors import InputError
from engine.weights import known as known_networks
from engine.weights.files import mismatch, shown
from engine.weights.known import Network, imported
from engine.weights.official_keys import from_official, to_official

MAX_PARTS = 12  # parts of an unknown tree of keys that are looked at for networks of their own


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
    layer: object
    ours: dict
    dropped: list
    problem: str = ""

    def official(self):
        """The arrays under the official keys. InputError where the row has no way back."""
        if not self.network.goes_back:
            raise InputError(f"{self.network.title} has no way back to the official form; write .pdparams")
        return to_official(self.layer, self.ours)

    def describe(self):
        """One line: which network, of what size, how much of it."""
        sizes = ", ".join(f"{key} {value}" for key, value in self.arguments.items())
        values = sum(array.size for array in self.ours.values())
        text = f"{self.network.title}{f' ({sizes})' if sizes else ''}: {len(self.ours)} arrays, {values:,} values"
        text += f"; without {', '.join(map(shown, self.dropped[:3]))}" if self.dropped else ""
        text += f" and {len(self.dropped) - 3} more" if len(self.dropped) > 3 else ""
        return text + (f"; {self.network.note}" if self.network.note and self.network.builder else "")


def match(arrays, name=None):
    """The Match of arrays that belong together, or None where no row knows them. Keys are official ones or ours.

    Args:
        arrays: {key: array}.
        name: the row to prefer where several have the same keys.
    """
    for network in sorted(known_networks.NETWORKS, key=lambda network: network.name != name):
        if network.gives_itself_away(arrays):
            return _fit(network, arrays)
    return None


def _fit(network, arrays):
    try:
        official = network.renamed(arrays)
    except InputError as error:
        return Match(network, {}, None, arrays, [], str(error))
    dropped = [key for key in official if network.dropped and re.fullmatch(network.dropped, key)]
    official = {key: array for key, array in official.items() if key not in set(dropped)}
    if not network.builder:
        return Match(network, {}, None, official, dropped, network.note)
    try:
        arguments = network.arguments(official)
        layer = build(network, arguments)
        ours = from_official(layer, official)
    except InputError as error:
        return Match(network, {}, None, official, dropped, str(error))
    return Match(network, arguments, layer, ours, dropped, mismatch(layer.state_dict(), ours))


def build(network, arguments):
    """The row's network without values: names, shapes and types only. InputError for impossible settings."""
    builder, settings = imported(network.builder), imported(network.settings) if network.settings else None
    try:
        with paddle.LazyGuard():
            return builder(**arguments) if settings is None else builder(settings(**arguments))
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"impossible {'.'.join(map(str, first['loc'])) or 'settings'}: {first['msg']}") from None


def networks_in(arrays, name=None):
    """All networks of a file.

    Args:
        arrays: {key: array} of `read_weights`.
        name: as of `match`.

    Returns:
        {place: Match or number of unknown arrays}: a place is a path of dicts ("g_ema"), with the beginning of the
        keys where a network is a part of a larger one ("state_dict/netG."), "" for the file itself.
    """
    entries = {}
    for key, array in arrays.items():
        path, _, name = key.rpartition("/")
        entries.setdefault(path, {})[name] = array
    found = {}
    for path, entry in entries.items():
        inside = _search(entry, name, f"{path}/" if path else "")
        found |= {place.rstrip("/"): result for place, result in inside.items()} or {path: len(entry)}
    return found


def _search(arrays, name, place, depth=0):
    """{place: Match} of a dict: the whole, or else its parts by what their keys begin with."""
    result = match(arrays, name)
    if result is not None:
        return {place: result}
    parts = {}
    for key, array in arrays.items():
        first, dot, rest = key.partition(".")
        if dot and not first.isdigit():
            parts.setdefault(first, {})[rest] = array
    if depth == 3 or len(parts) > MAX_PARTS:
        return {}
    return {
        at: found
        for first, part in parts.items()
        for at, found in _search(part, name, f"{place}{first}.", depth + 1).items()
    }
