"""The exception for everything that is the user's to mend: one line, exit status 2, no traceback; and for lost help."""


class InputError(Exception):
    """A bad file, key, flag or value. The text names it, says what was found and what was expected, in one line."""


class ConfigError(InputError):
    """A bad key or value in a YAML file, in `-o` or in a flag."""


class WorkerDied(Exception):
    """A process that prepares samples ended by itself or was killed. The text says how."""
