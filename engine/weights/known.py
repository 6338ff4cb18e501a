"""The networks whose checkpoints this project knows: the rows that describe them, and where they are found.

A row stands beside its network, in NETWORKS of `model/<paper>/keys.py`. It names the builder, the keys that give the
network away, the function that reads its sizes off the shapes (`engine.weights.shapes`), and, where
`engine.weights.official_keys` does not do, a function that translates its keys. Builders are dotted paths, imported
when one is needed, and so are the files of rows: whoever loads weights into a network reads the rows beside it only.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, eq=False)
class Network:
    """One row.

    Attributes:
        name: what `--as` takes.
        title: what a person calls it.
        builder: dotted path of the class; empty for a network that is only recognised.
        signature: keys that all have to be there, in the official form; a tuple of tuples for several forms.
        arguments: function of the official arrays that gives the builder's keyword arguments.
        example: keyword arguments of a small one, for comparison with keys that no row knows.
        absent: keys that must not be there.
        on_demand: further forms, which are taken only where the row is asked for by its name.
        renamed: function that translates the official arrays where names, parts or scale differ from ours by more than
            `engine.weights.official_keys` knows.
        completed: function of (layer, arrays) that adds what a network of ours has and a file need not.
        beside: {network of the system: function that gives its arrays out of this one's, or None}.
        places: {network of the system: names under which a file of several keeps it}.
        goes_back: whether `to_official` gives what the authors' code loads.
        dropped: regular expression of keys that have no place in the builder's network.
        settings: dotted path of the typed section that the builder takes in place of keyword arguments.
        note: what else `--inspect` should say; of a network that is only recognised: why it is not converted.
    """

    name: str
    title: str
    builder: str
    signature: tuple
    arguments: Callable = lambda arrays: {}
    example: dict = field(default_factory=dict)
    absent: tuple = ()
    on_demand: tuple = ()
    renamed: Callable = dict
    completed: Callable = lambda layer, arrays: arrays
    beside: dict = field(default_factory=dict)
    places: dict = field(default_factory=dict)
    goes_back: bool = True
    dropped: str = ""
    settings: str = ""
    note: str = ""

    def gives_itself_away(self, arrays: Mapping[str, Any], by_name: bool = False) -> bool:
        """Whether the arrays have the row's keys; `by_name`: forms taken on demand count too."""
        forms = self.signature if type(self.signature[0]) is tuple else (self.signature,)
        forms += self.on_demand if by_name else ()
        return any(all(key in arrays for key in form) for form in forms) and not any(k in arrays for k in self.absent)


def imported(path: str) -> Any:
    """The object that a dotted path names."""
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)


@cache
def known_networks() -> dict[str, Network]:
    """{name: row} of all files of rows."""
    modules = [f"model.{path.parent.name}.keys" for path in sorted(ROOT.glob("model/*/keys.py"))]
    rows = [row for module in modules for row in import_module(module).NETWORKS]
    return {row.name: row for row in rows}


def rows_of(layer: Any) -> tuple[Network, ...]:
    """The rows whose builder is the class of a layer; of the file beside that class only."""
    kind = type(layer)
    package = kind.__module__.rpartition(".")[0]
    if not (ROOT / package.replace(".", "/") / "keys.py").is_file() or not package.startswith("model."):
        return ()
    path = f"{kind.__module__}.{kind.__qualname__}"
    return tuple(row for row in import_module(f"{package}.keys").NETWORKS if row.builder == path)
