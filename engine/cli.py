"""The command line of programs that work with a configuration.

A program names the standing flags it takes and its own; a YAML file adds short names for its own keys (section
`flags`), and only those; a system adds what the command lines of its own project say (its Config's `dialects`).
"""

import functools
import sys
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from engine import config as configuration
from engine.errors import ConfigError
from engine.files import parse_value, read_yaml
from engine.flags import STANDING, Flag, Parser, at_least, boolean, choice, guarded, optional, overrides, read
from engine.run_config import RunConfig

__all__ = [
    "STANDING",
    "Arguments",
    "Dialect",
    "Flag",
    "OwnFlag",
    "Parser",
    "at_least",
    "boolean",
    "choice",
    "default_config",
    "guarded",
    "optional",
    "overrides",
    "parse",
    "read",
]

DEFAULT = Path("configs/default.txt")
CONFIGURATION = {
    "config": Flag(
        "YAML file of the run; default: the file that configs/default.txt names", aliases=("-c",), metavar="YAML"
    ),
    "overrides": Flag(
        "set any key of the YAML, e.g. -o train.steps=20", aliases=("-o",), metavar="KEY=VALUE", many=True
    ),
    "dry_run": Flag("print the resolved configuration and stop", boolean, aliases=("-n", "--dry-run")),
}


def default_config() -> str:
    """Path of the YAML that is meant where none is named; configs/default.txt says which.

    Raises:
        ConfigError: there is no such file, as outside the project's folder.
    """
    try:
        return DEFAULT.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(f"{DEFAULT}: cannot be read ({error.strerror}); name a configuration with -c YAML") from None


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


@dataclass
class Arguments:
    """Arguments of a program: the resolved configuration, and the flags that set no key of it."""

    config: RunConfig
    flags: Namespace
    config_path: Path
    dialect: Dialect

    def __getattr__(self, name: str) -> Any:
        """A flag by its name."""
        return getattr(self.flags, name)

    def wrapped(self, graph: Any) -> Any:
        """The graph, or what the system's own flags put in its place."""
        for name, flag in self.dialect.flags.items():
            if flag.wraps and getattr(self.flags, name):
                graph = flag.wraps(graph, self.config, self.config_path)
        return graph


def parse(
    description: str | None,
    flags: Mapping[str, str],
    argv: Sequence[str] | None = None,
    standing: Sequence[str] = (),
    own: Mapping[str, Flag] | None = None,
    reads_data: bool = True,
) -> Arguments:
    """Read the command line, then the YAML with its overrides.

    Args:
        description: the program's docstring; shown by --help as it is.
        flags: name -> key for values that depend on the program, e.g. {"data_dir": "data.train.root"}.
        argv: words, sys.argv[1:] by default.
        standing: names out of STANDING that this program takes.
        own: name -> Flag for the rest.
        reads_data: as of engine.config.load; False for a program that makes no data set.

    Returns:
        Arguments. With --dry-run the resolved configuration is printed and the process ends with status 0.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    path = _config_path(argv)
    content = read_yaml(path)
    declared, implied = _declared_flags(path, content)
    system, recipe = configuration.system_of(path, content)
    dialect = _dialect(recipe)
    table = {name: STANDING[name] for name in standing} | dict(own or {}) | dialect.flags
    taken = {f"--{name}" for name in table} | {spelling for flag in table.values() for spelling in flag.aliases}
    declared = {name: keys for name, keys in declared.items() if f"--{name}" not in taken}
    described = {name: Flag(f"sets {', '.join(keys)}", metavar="VALUE") for name, keys in declared.items()}
    places = {name: replace(table[name], metavar=f"[{name.upper()}]") for name in dialect.places}
    parser = Parser(description, CONFIGURATION | table | described, places)
    parser.elsewhere = _taken_by
    namespace, words = parser.read(argv)
    _output_as_elsewhere(namespace)
    _check_words(words, dialect, system)
    dialect.place(parser, namespace, words, system)
    dialect.translate(namespace)
    settings = _declared_overrides(namespace, declared, implied) + _standing_overrides(namespace, table, flags)
    config = configuration.load(path, settings, content, reads_data)
    for name, flag in dialect.flags.items():
        if flag.settings and getattr(namespace, name) is not None:
            config = configuration.replaced(config, flag.settings(getattr(namespace, name)))
    parser.complete(namespace)
    if namespace.dry_run:
        print(configuration.to_yaml(config), end="")
        raise SystemExit(0)
    return Arguments(config, namespace, path, dialect)


def _output_as_elsewhere(namespace):
    """`-o FOLDER`, as GFPGAN's and CodeFormer's programs take it, where a program makes pictures."""
    words = namespace.overrides or []
    if len(words) == 1 and "=" not in words[0] and "img" in namespace and namespace.output_dir is None:
        namespace.output_dir, namespace.overrides = words[0], None


def _config_path(argv):
    """The YAML named by -c or --config, found before the real parse since it declares flags of its own."""
    finder = Parser("", {"config": CONFIGURATION["config"]}, add_help=False)
    return Path(finder.parse_known_args(argv)[0].config or default_config())


def _taken_by(word):
    """Which YAML beside the default one declares the unknown flag, as the end of a sentence, or nothing."""
    name = word.lstrip("-")
    for path, flags, dialect in _configurations():
        if name in flags or name in dialect.flags:
            return f"; {path} takes it: add -c {path}."
    return ""


def _check_words(words, dialect, system):
    """ConfigError where bare words are given that this YAML's system does not take, but another one's does."""
    for path, _, other in _configurations() if words and not dialect.places else ():
        if len(other.places) == len(words):
            said = f"unknown word '{words[0]}'; {system} takes flags only"
            raise ConfigError(f"{said}, {path} takes such words: add -c {path}")


def _dialect(recipe):
    """What a system adds to this script, by its Config."""
    return getattr(recipe, "dialects", {}).get(Path(sys.argv[0]).stem, Dialect())


def _configurations():
    """(path, names of the flags it declares, its system's dialect) of the YAML files beside the default one."""
    for path in sorted(DEFAULT.parent.glob("*.yaml")):
        flags, recipe = _said_in(path.resolve(), path.stat().st_mtime_ns)
        yield path, flags, _dialect(recipe)


@functools.cache
def _said_in(path, changed):
    """(names of the declared flags, the system's Config) of a YAML file that was changed at some time."""
    content = read_yaml(path)
    return tuple(content.get("flags") or ()), configuration.system_of(path, content)[1]


def _declared_flags(path, content):
    """Flag name -> dotted keys (`flags`), and key -> value that using one of them implies (`flags_imply`)."""
    declared = content.get("flags") or {}
    if not isinstance(declared, dict):
        raise ConfigError(f"{path}.flags: expected flag names with their keys, found {declared!r}")
    for name, keys in declared.items():
        if not isinstance(keys, (str, list)):
            raise ConfigError(f"{path}.flags.{name}: expected a key or a list of keys, found {keys!r}")
    implied = content.get("flags_imply") or {}
    if not isinstance(implied, dict):
        raise ConfigError(f"{path}.flags_imply: expected keys with their values, found {implied!r}")
    return {name: [keys] if isinstance(keys, str) else list(keys) for name, keys in declared.items()}, implied


def _declared_overrides(namespace, declared, implied):
    """(key, value, label) triples of the flags the YAML declares, after what their use implies."""
    found = []
    for name, keys in declared.items():
        text = getattr(namespace, name)
        value = None if text is None else parse_value(text)
        if value is not None:
            found += [(key, value, f"--{name}={text}") for key in keys]
    return [(key, value, f"flags_imply.{key}") for key, value in _there(implied).items()] * bool(found) + found


def _there(implied):
    """What flags imply, with the training pictures in the place of a folder for validation that is not there."""
    wanted, instead = implied.get("data.validation.root"), implied.get("data.train.root")
    if wanted is None or instead is None or Path(wanted).exists() or not Path(instead).exists():
        return implied
    print(f"{wanted}: is not there; {instead} is validated on instead", file=sys.stderr)
    return implied | {"data.validation.root": instead}


def _standing_overrides(namespace, table, program_keys):
    """(key, value, label) triples of standing flags, then of -o, so that the most explicit wins."""
    found = []
    for name, flag in table.items():
        key, value = program_keys.get(name, flag.key), getattr(namespace, name)
        if key is not None and value is not None:
            found.append((key, value, f"--{name}={value}"))
    return found + overrides(namespace.overrides or [])
