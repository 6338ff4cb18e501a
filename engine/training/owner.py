"""The lock of a run folder: only one process writes there, and a second one is told which."""

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from engine.errors import InputError
from engine.log import logger

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]
try:
    import msvcrt  # Windows, where asking whether a process lives would end it
except ImportError:
    msvcrt = None  # type: ignore[assignment]

NAME = ".owner.json"
_held: set[int] = set()  # open descriptors; a forked data worker would keep the lock of a killed run


def _let_go_in_child() -> None:
    for descriptor in _held:
        with suppress(OSError):
            os.close(descriptor)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go_in_child)


@contextmanager
def owned(folder: Path | str) -> Iterator[None]:
    """Own a run folder inside the block; it is made if it is not there. A dead owner's lock is taken over with a line.

    Raises:
        InputError: another process owns it, or it cannot be written.
    """
    path = Path(folder) / NAME
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = _locked(path)
    except OSError as error:
        raise InputError(f"{folder}: output folder cannot be written ({error.strerror})") from None
    _held.add(descriptor)
    try:
        if earlier := _owner(descriptor):
            logger.info(f"{folder}: {_named(earlier)} has ended without a word; this run takes the folder over")
        now = time.strftime("%Y-%m-%d %H:%M:%S")
        note = json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "started": now})
        with suppress(OSError):  # a full disk: the lock holds without its note
            os.ftruncate(descriptor, 0)
            os.lseek(descriptor, 0, os.SEEK_SET)
            os.write(descriptor, note.encode() + b"\n")
        yield
    finally:
        with suppress(OSError):
            os.ftruncate(descriptor, 0)
            path.unlink()
        _held.discard(descriptor)
        os.close(descriptor)


def _locked(path):
    """Descriptor of the lock file, locked; the file may go between opening and locking, then again."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            if not _take(descriptor):
                owner = _named(_owner(descriptor))
                raise InputError(
                    f"{path.parent}: {owner} is writing there; wait until it ends, stop it, or use another --output_dir"
                )
            if path.exists() and os.stat(path).st_ino == os.fstat(descriptor).st_ino:
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _take(descriptor):
    """Lock; False where another process holds it. Where the file system has no flock, a living process holds it."""
    if fcntl:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            return False
        except OSError:  # no locks on this file system: the process number in the file decides
            pass
    elif msvcrt:
        os.lseek(descriptor, 1 << 20, os.SEEK_SET)  # past the note, which others have to read
        with suppress(OSError):
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
            return True
        return False
    owner = _owner(descriptor)
    if not owner or owner.get("host") != socket.gethostname():
        return not owner
    try:
        os.kill(int(owner["pid"]), 0)
    except (ProcessLookupError, KeyError, TypeError, ValueError, OverflowError):
        return True
    except PermissionError:
        return False
    return int(owner["pid"]) == os.getpid()


def _owner(descriptor):
    """What the lock file says, or {}."""
    try:
        os.lseek(descriptor, 0, os.SEEK_SET)
        found = json.loads(os.read(descriptor, 1000).decode("utf-8", "replace"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _named(owner):
    known = {name: str(owner.get(name, "?"))[:60] for name in ("pid", "host", "started")}
    return "process {pid} on {host}, started {started},".format(**known)
