"""Files that are written whole or not at all."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from engine.errors import InputError


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A temporary path beside `path`; it takes `path`'s place when the block ends well and is removed when it does not.

    Raises:
        InputError: the file cannot be written (no such folder, no permission, disk full).
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text, whole or not at all; bytes of a file's name that are no text are escaped."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def check_regular(path: str | Path) -> None:
    """InputError where the path is a pipe, a socket or a device, which would be waited for; a missing file passes."""
    with suppress(OSError):
        kind = os.stat(path).st_mode
        if not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):
            raise InputError(f"{path}: is a pipe, a socket or a device; expected a file")


def check_writable(folder: str | Path) -> None:
    """Make a folder and try that a file can be written there.

    Raises:
        InputError: it cannot be made or written.
    """
    trial = Path(folder) / f".writable_{os.getpid()}"
    try:
        trial.parent.mkdir(parents=True, exist_ok=True)
        trial.write_bytes(b"")
        trial.unlink()
    except OSError as error:
        raise InputError(f"{folder}: output folder cannot be written ({error.strerror})") from None
