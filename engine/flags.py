"""One table of flags for scripts and tools, so that all of them have the same habits.

Every value may be written `--flag value` or `--flag=value`; booleans arrive as True or False; `None` and `null` mean
"not given". What is misspelt is one line with a suggestion. `read` is for programs without a configuration, those with
one use engine.cli.parse; `guarded` says how any program ends.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from engine import __version__
from engine.errors import ConfigError, InputError, did_you_mean
from engine.files import parse_value
from engine.runtime import MAX_PIXELS, allow


def boolean(text: str) -> bool:
    """True or False from the strings TIPC passes."""
    if str(text).lower() in ("true", "1"):
        return True
    if str(text).lower() in ("false", "0"):
        return False
    raise argparse.ArgumentTypeError(f"expected True or False, found '{text}'")


def optional(kind: Callable[[str], Any]) -> Callable[[str], Any]:
    """A type that reads `None`, `null` and the empty string as "not given"."""

    def read(text):
        return None if text in ("None", "null", "") else kind(text)

    read.__name__ = kind.__name__
    return read


def at_least(least: int) -> Callable[[str], int]:
    """A type that takes whole numbers from `least` on."""

    def read(text):
        if int(text) < least:
            raise argparse.ArgumentTypeError(f"expected at least {least}, found {text}")
        return int(text)

    read.__name__ = "int"
    return read


def port(text: str) -> int:
    """A type that takes the number of a port; 0 is any free one."""
    if not 0 <= int(text) < 2**16:
        raise argparse.ArgumentTypeError(f"expected 0 to 65535, found {text}")
    return int(text)


def choice(*values: str) -> Callable[[str], str]:
    """A type that takes one of `values`; the error names them."""

    def read(text):
        if text not in values:
            raise argparse.ArgumentTypeError(f"expected one of {', '.join(values)}; found '{text}'")
        return text

    return read


def overrides(words: Iterable[str]) -> list[tuple[str, Any, str]]:
    """(key, value, label) triples of words KEY=VALUE, the values in YAML's reading. ConfigError for another word."""
    found = []
    for word in words:
        key, equals, text = word.partition("=")
        if not equals or not key:
            raise ConfigError(f"-o {word}: expected KEY=VALUE")
        found.append((key, parse_value(text), f"-o {word}"))
    return found


@dataclass(frozen=True)
class Flag:
    """One flag, or one place of bare words where a program takes some.

    Attributes:
        help: what it does.
        kind: callable that reads a value; it raises ValueError or ArgumentTypeError.
        key: the YAML key it sets, if it sets one.
        aliases: other spellings, with their dashes.
        default: value where it is not given.
        metavar: how help shows its value.
        required: it has to be given.
        many: takes several values; a list, empty where it is not given.
        bare: value where the flag stands without one.
    """

    help: str
    kind: Callable = str
    key: str | None = None
    aliases: tuple[str, ...] = ()
    default: object = None
    metavar: str | None = None
    required: bool = False
    many: bool = False
    bare: str | None = None


STANDING = {
    "device": Flag(
        "where to run; auto takes a GPU if Paddle has one",
        choice("auto", "cpu", "gpu"),
        default="auto",
        metavar="auto|cpu|gpu",
    ),
    "output_dir": Flag("folder of the run", key="output.dir", metavar="DIR"),
    "pretrained": Flag("weights to start from or to use", metavar="FILE"),
    "iters": Flag("number of training steps", int, key="train.steps", metavar="N"),
    "batch_size": Flag("samples per step and process", int, key="data.batch_size", metavar="N"),
    "precision": Flag("number format of forward passes", key="train.precision", metavar="fp32|fp16|bf16"),
    "to_static": Flag("capture networks as static graphs, those that the system names", boolean, key="train.to_static"),
    "seed": Flag("seed of weights, data order, noise and degradations", int, key="seed", metavar="N"),
    "max_pixels": Flag(f"largest picture that is read; default: {MAX_PIXELS}", at_least(1), metavar="N"),
}


class Parser(argparse.ArgumentParser):
    """argparse with this project's error form: one line."""

    def __init__(
        self,
        description: str | None,
        table: Mapping[str, Flag],
        places: Mapping[str, Flag] | None = None,
        **options: Any,
    ) -> None:
        """Args: the docstring shown by --help as it is; name -> Flag; name -> Flag of places for bare words."""
        super().__init__(
            prog=Path(sys.argv[0]).name,
            description=description,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            **options,
        )
        self.table, self.places = table, places or {}
        self.elsewhere: Callable[[str], str] = lambda word: ""  # who else takes an unknown flag, for its message
        self.add_argument("--version", action="version", version=f"Kintsugi {__version__}", help="print it and stop")
        for name, flag in table.items():
            self._add(name, flag)

    def _add(self, name: str, flag: Flag) -> None:
        shown = flag.help + (f" (sets {flag.key})" if flag.key else "")
        form: dict[str, Any]
        if flag.many:
            form = {"nargs": "+", "action": "extend"}
        else:
            bare = True if flag.kind is boolean else flag.bare
            form = {} if bare is None else {"nargs": "?", "const": bare}
            shown += f" (default: {flag.default})" if flag.default not in (None, False, "") else ""
        self.add_argument(
            *(spelling for spelling in flag.aliases if not spelling.startswith("--")),
            f"--{name}",
            *(spelling for spelling in flag.aliases if spelling.startswith("--")),
            dest=name,
            type=flag.kind if flag.many else optional(flag.kind),
            metavar=flag.metavar or ("True|False" if flag.kind is boolean else None),
            help=shown,
            **form,
        )

    def format_help(self) -> str:
        """Help that names the places of bare words too."""
        for name, flag in self.places.items():
            shown = flag.metavar or name.upper()
            self.add_argument(name, metavar=shown, help=flag.help, nargs="+" if flag.many and flag.required else None)
        return super().format_help()

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage; exit status 2."""
        raise ConfigError(f"{self.prog}: {message.removeprefix('argument ')}; see --help")

    def known_flags(self) -> list[str]:
        """Every option string."""
        return [text for action in self._actions for text in action.option_strings]

    def read(self, argv: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
        """The command line.

        Args:
            argv: words.

        Returns:
            (values of the flags, None where they are not given; bare words). ConfigError for an unknown flag.
        """
        namespace, unknown = self.parse_known_args(_told_apart(argv, self) if self.places else argv)
        if flags_unknown := [word for word in unknown if word.startswith("-") and word != "-"]:
            word = flags_unknown[0].split("=")[0]
            hint = did_you_mean(word, self.known_flags()) or "."
            raise ConfigError(f"{self.prog}: unknown flag '{word}'{self.elsewhere(word) or hint} See --help")
        return namespace, unknown

    def complete(self, namespace: argparse.Namespace) -> None:
        """Give the flags that were not given their defaults. In place. ConfigError for one that is required."""
        for name, flag in self.table.items():
            if getattr(namespace, name) is None:
                if flag.required:
                    raise ConfigError(f"{self.prog}: --{name} is missing: {flag.help}; see --help")
                setattr(namespace, name, [] if flag.many and flag.default is None else flag.default)
        if pixels := getattr(namespace, "max_pixels", None):
            allow(pixels)


def _told_apart(argv, parser):
    """The words with `=True` after booleans that stand before a bare word: `--inspect FILE` names a file."""
    booleans = [(f"--{name}", *flag.aliases) for name, flag in parser.table.items() if flag.kind is boolean]
    bare = {spelling for spellings in booleans for spelling in spellings}
    values = {"true", "false", "0", "1", "none", "null", ""}
    following = [*argv, "-"][1:]
    return [
        f"{word}=True" if word in bare and not after.startswith("-") and after.lower() not in values else word
        for word, after in zip(argv, following, strict=True)
    ]


def read(
    description: str | None,
    flags: Mapping[str, Flag],
    argv: Sequence[str] | None = None,
    places: Mapping[str, Flag] | None = None,
    standing: Sequence[str] = (),
    epilog: str | None = None,
) -> argparse.Namespace:
    """Read the command line of a program without a configuration.

    Args:
        description: the program's docstring; shown by --help as it is.
        flags: name -> Flag.
        argv: words, sys.argv[1:] by default.
        places: name -> Flag of the places for bare words, in order; `many` takes all that are left.
        standing: names out of STANDING that the program takes.
        epilog: text at the end of --help.

    Returns:
        Namespace with a value for every flag and place. ConfigError in one line for what is misspelt, wrong or missing.
    """
    table, places = {name: STANDING[name] for name in standing} | dict(flags), places or {}
    parser = Parser(description, table, places, epilog=epilog)
    namespace, words = parser.read(sys.argv[1:] if argv is None else list(argv))
    parser.complete(namespace)
    for name, flag in places.items():
        count = len(words) if flag.many else 1
        given, words = words[:count], words[count:]
        if flag.required and not given:
            raise ConfigError(f"{parser.prog}: {flag.metavar or name.upper()} is missing: {flag.help}; see --help")
        try:
            values = [flag.kind(word) for word in given]
        except (ValueError, argparse.ArgumentTypeError) as error:
            raise ConfigError(f"{parser.prog}: '{given[0]}': {error}; see --help") from None
        setattr(namespace, name, values if flag.many else (values or [flag.default])[0])
    if words:
        raise ConfigError(f"{parser.prog}: unknown word '{words[0]}'. See --help")
    return namespace


def refuse(args: Any, flags: Mapping[str, Flag], why: str) -> None:
    """InputError for the first of `flags` that is not at its default; `why` says what it is for and what to give."""
    for name, flag in flags.items():
        if getattr(args, name) != flag.default:
            raise InputError(f"--{name}: {why}")


def guarded(main: Callable[[], int | None]) -> NoReturn:
    """Run a program's `main`; what is the user's to mend becomes one line on stderr and exit status 2.

    What the console's encoding cannot show, such as a file's name, is printed escaped.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        status = main()
        if "PADDLE_TRAINER_ID" in os.environ:  # one process of several
            from engine import peers

            peers.say_goodbye()
    except InputError as error:
        print(f"error: {' '.join(str(error).splitlines())}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise SystemExit(130) from None
    raise SystemExit(status or 0)
