"""What a system adds to a script's command line: the words of the project it is from (its Config's `dialects`)."""

from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from engine.errors import ConfigError
from engine.flags import Flag, Parser, optional


@dataclass(frozen=True)
class OwnFlag(Flag):
    """A flag of one system in one script.

    Attributes:
        means: value -> {flag of the script: value}, for a word that stands for others.
        settings: value -> {dotted key of the configuration: value}.
        wraps: (graph, config, path of the config) -> what runs in the graph's place, a graph with `remarks(names)`.
    """

    means: Callable | None = None
    settings: Callable | None = None
    wraps: Callable | None = None


@dataclass(frozen=True)
class Dialect:
    """Words of one system for one script.

    Attributes:
        flags: name -> OwnFlag.
        places: names of flags that bare words stand for, in their order.
        implied: flag -> value it has where bare words are used and the flag is not.
    """

    flags: dict[str, OwnFlag] = field(default_factory=dict)
    places: tuple[str, ...] = ()
    implied: dict[str, object] = field(default_factory=dict)

    def place(self, parser: Parser, namespace: Namespace, words: Sequence[str], system: str) -> None:
        """Give the flags that bare words stand for their values, and what the use of words implies. In place."""
        if not words:
            return
        if not self.places:
            raise ConfigError(f"{parser.prog}: unknown word '{words[0]}'; {system} takes flags only. See --help")
        if len(words) != len(self.places):
            names = " ".join(name.upper() for name in self.places)
            raise ConfigError(f"{parser.prog}: expected {names}, or flags only; found '{' '.join(words)}'")
        for name, word in zip(self.places, words, strict=True):
            if getattr(namespace, name) is not None:
                raise ConfigError(f"{parser.prog}: '{word}' and --{name} say the same; give one of them")
            setattr(namespace, name, optional(parser.table[name].kind)(word))
        for name, value in self.implied.items():
            if getattr(namespace, name) is None:
                setattr(namespace, name, value)

    def translate(self, namespace: Namespace) -> None:
        """Set the flags that the given own ones mean. In place. ConfigError where they disagree with what is set."""
        for name, flag in self.flags.items():
            given = getattr(namespace, name)
            if flag.means is None or given is None:
                continue
            for target, value in flag.means(given).items():
                if getattr(namespace, target) not in (None, value):
                    found = getattr(namespace, target)
                    raise ConfigError(f"--{name} {given} means --{target} {value}, but --{target} is {found}")
                setattr(namespace, target, value)
