"""The command line of the scripts: one table of flags, so that all of them have the same habits.

A script names the standing flags it takes and its own aliases. A YAML file adds short names for its own keys (section
`flags`), and only those. Every value may be written `--flag value` or `--flag=value`; booleans arrive as True or False;
`None` and `null` mean "not given". Words without a flag are taken where the system says what they mean (System.words).
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

from engine import config as configuration
from engine import yaml_files
from engine.errors import ConfigError, InputError

DEFAULT_CONFIG = "configs/gpen_256.yaml"


def boolean(text):
    """True or False from the strings TIPC passes."""
    if str(text).lower() in ("true", "1"):
        return True
    if str(text).lower() in ("false", "0"):
        return False
    raise argparse.ArgumentTypeError(f"expected True or False, found '{text}'")


def optional(kind):
    """A type that reads `None`, `null` and the empty string as "not given"."""

    def read(text):
        return None if text in ("None", "null", "") else kind(text)

    read.__name__ = kind.__name__
    return read


def at_least(least):
    """A type that takes whole numbers from `least` on."""

    def read(text):
        if int(text) < least:
            raise argparse.ArgumentTypeError(f"expected at least {least}, found {text}")
        return int(text)

    read.__name__ = "int"
    return read


def choice(*values):
    """A type that takes one of `values`; the error names them."""

    def read(text):
        if text not in values:
            raise argparse.ArgumentTypeError(f"expected one of {', '.join(values)}; found '{text}'")
        return text

    return read


@dataclass(frozen=True)
class Flag:
    """One flag: its type, what it does, and the YAML key it sets, if it sets one."""

    help: str
    kind: object = str
    key: str | None = None
    aliases: tuple = ()
    default: object = None
    metavar: str | None = None


STANDING = {
    "device": Flag(
        "where to run; auto takes a GPU if Paddle has one",
        choice("auto", "cpu", "gpu"),
        default="auto",
        metavar="auto|cpu|gpu",
    ),
    "output_dir": Flag("the run folder itself", key="output.dir", metavar="DIR"),
    "original_config": Flag(
        "configuration file of the project a system is from, where the system reads one", metavar="FILE"
    ),
    "pretrained": Flag("weights to start from or to use", metavar="FILE"),
    "iters": Flag("number of training steps", int, key="train.steps", metavar="N"),
    "batch_size": Flag("samples a step and process", int, key="data.batch_size", metavar="N"),
    "precision": Flag("number format of the forward passes", key="train.precision", metavar="fp32|fp16|bf16"),
    "to_static": Flag("capture the networks a system names as static graphs", boolean, key="train.to_static"),
    "seed": Flag("seed of weights, data order, noise and degradations", int, key="seed", metavar="N"),
}


@dataclass
class Arguments:
    """What a script works with: the resolved configuration and the flags that set no key of it."""

    config: object
    flags: argparse.Namespace
    config_path: Path

    def __getattr__(self, name):
        """A flag by its name."""
        return getattr(self.flags, name)


class Parser(argparse.ArgumentParser):
    """argparse with this project's error form: one line."""

    def __init__(self, **options):
        """As argparse's, but flags are written out and the description is shown as it stands."""
        super().__init__(allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **options)

    def error(self, message):
        """Raise instead of printing the usage; exit status 2."""
        raise ConfigError(f"{self.prog}: {message}; see --help")

    def known_flags(self):
        """Every option string."""
        return [text for action in self._actions for text in action.option_strings]


def parse(description, flags, argv=None, standing=(), own=None):
    """Read the command line, then the YAML with its overrides.

    Args:
        description: the script's docstring; shown by --help as it is.
        flags: name -> key for values that depend on the script, e.g. {"data_dir": "data.train.root"}.
        argv: words, sys.argv[1:] by default.
        standing: names out of STANDING that this script takes.
        own: name -> Flag for the rest.

    Returns:
        Arguments. With --dry-run the resolved configuration is printed and the process ends with status 0.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    table = {name: STANDING[name] for name in standing} | (own or {})
    path = _config_path(argv)
    declared, implied = _declared_flags(path)
    parser = _parser(description, table, declared)
    namespace, unknown = parser.parse_known_args(argv)
    if flags_unknown := [word for word in unknown if word.startswith("-")]:
        word = flags_unknown[0].split("=")[0]
        raise ConfigError(
            f"{parser.prog}: unknown flag '{word}'"
            f"{configuration.did_you_mean(word, parser.known_flags()) or '.'} See --help"
        )
    system = configuration.system_class(path)
    _place_words(parser, namespace, unknown, table, system)
    overrides = _declared_overrides(namespace, declared, implied) + _standing_overrides(namespace, table, flags)
    config = configuration.load(path, overrides)
    if getattr(namespace, "original_config", None):
        config = configuration.replaced(config, system.original_settings(namespace.original_config))
    if namespace.dry_run:
        print(configuration.to_yaml(config), end="")
        raise SystemExit(0)
    return Arguments(config, namespace, path)


def _config_path(argv):
    """The YAML named by -c or --config, found before the real parse since it declares flags of its own."""
    finder = Parser(prog=Path(sys.argv[0]).name, add_help=False)
    finder.add_argument("-c", "--config", default=DEFAULT_CONFIG)
    return Path(finder.parse_known_args(argv)[0].config)


def _declared_flags(path):
    """Flag name -> dotted keys (`flags`), and key -> value that using one of them implies (`flags_imply`)."""
    content = yaml_files.read_yaml(path)
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


def _parser(description, table, declared):
    parser = Parser(prog=Path(sys.argv[0]).name, description=description)
    parser.add_argument("-c", "--config", default=DEFAULT_CONFIG, metavar="YAML", help="the run (%(default)s)")
    parser.add_argument(
        "-o",
        dest="overrides",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="set any key of the YAML, e.g. -o train.steps=20",
    )
    parser.add_argument("-n", "--dry-run", action="store_true", help="print the resolved configuration and stop")
    add_flags(parser, table)
    taken = set(parser.known_flags())
    for name, keys in declared.items():
        if f"--{name}" not in taken:
            parser.add_argument(f"--{name}", dest=f"declared_{name}", metavar="VALUE", help=f"sets {', '.join(keys)}")
    return parser


def add_flags(parser, table):
    """Give a parser the flags of a table, name -> Flag."""
    for name, flag in table.items():
        shown = flag.help + (f" (sets {flag.key})" if flag.key else "")
        bare = {"nargs": "?", "const": True} if flag.kind is boolean else {}
        parser.add_argument(
            f"--{name}",
            *flag.aliases,
            dest=name,
            type=optional(flag.kind),
            default=flag.default,
            metavar=flag.metavar or ("True|False" if bare else None),
            help=shown,
            **bare,
        )


def _place_words(parser, namespace, words, table, system):
    """Give the flags that bare words stand for their values, and what the use of words implies. In place."""
    if not words:
        return
    known = system.words.get(Path(parser.prog).stem)
    if known is None:
        raise ConfigError(f"{parser.prog}: unknown word '{words[0]}'; {system.__name__} takes flags only. See --help")
    if len(words) != len(known.flags):
        names = " ".join(name.upper() for name in known.flags)
        raise ConfigError(f"{parser.prog}: expected {names}, or flags only; found '{' '.join(words)}'")
    for name, word in zip(known.flags, words, strict=True):
        if getattr(namespace, name) != table[name].default:
            raise ConfigError(f"{parser.prog}: '{word}' and --{name} say the same; give one of them")
        setattr(namespace, name, optional(table[name].kind)(word))
    for name, value in known.implied.items():
        if getattr(namespace, name) == table[name].default:
            setattr(namespace, name, value)


def _declared_overrides(namespace, declared, implied):
    """(key, value, label) triples of the flags the YAML declares, after what their use implies."""
    found = []
    for name, keys in declared.items():
        text = getattr(namespace, f"declared_{name}", None)
        value = None if text is None else yaml_files.parse_value(text)
        if value is not None:
            found += [(key, value, f"--{name}={text}") for key in keys]
    return [(key, value, f"flags_imply.{key}") for key, value in implied.items()] * bool(found) + found


def _standing_overrides(namespace, table, script_keys):
    """(key, value, label) triples of standing flags, then of -o, so that the most explicit wins."""
    found = []
    for name, flag in table.items():
        key, value = script_keys.get(name, flag.key), getattr(namespace, name)
        if key is not None and value is not None:
            found.append((key, value, f"--{name}={value}"))
    for word in namespace.overrides:
        key, equals, text = word.partition("=")
        if not equals or not key:
            raise ConfigError(f"-o {word}: expected KEY=VALUE")
        found.append((key, yaml_files.parse_value(text), f"-o {word}"))
    return found


def guarded(main):
    """Run a script's `main`; what is the user's to mend becomes one line on stderr and exit status 2."""
    try:
        status = main()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise SystemExit(130) from None
    raise SystemExit(status or 0)
