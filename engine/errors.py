"""The exception for mistakes that a user can mend: one line, exit status 2, no traceback; and suggestions of names."""

import difflib
from collections.abc import Iterable


class InputError(Exception):
    """A bad file, key, flag or value. The text names it, says what was found and what was expected, in one line."""


class ConfigError(InputError):
    """A bad key or value in a YAML file, in `-o` or in a flag."""


class WorkerDied(Exception):
    """A process that prepares samples ended by itself or was killed. The text says how."""


def did_you_mean(name: object, known: Iterable[object]) -> str:
    """' Did you mean ...?' for the nearest of `known`, or nothing."""
    words = {str(item).lstrip("-"): item for item in known}  # dashes make every flag look like every other
    near = difflib.get_close_matches(str(name).lstrip("-"), words, n=1, cutoff=0.5)
    return f". Did you mean '{words[near[0]]}'?" if near else ""
