"""Run one command without a shell: write its output into a log, and end it when its time is up."""

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from glob import glob
from pathlib import Path

from engine.errors import ConfigError

PATIENCE = 10  # seconds between asking a process to end and ending it


@dataclass
class Outcome:
    """The end of a process."""

    status: int
    seconds: float
    timed_out: bool
    text: str


def interpreter(word):
    """(path, notice) of a `python:` word: the word where it can be run, else this interpreter, with a notice."""
    found = shutil.which(word)
    if found:
        return found, ""
    return sys.executable, f"python:{word} cannot be run here; {sys.executable} is used in its place"


def argument_list(command, python, word=None):
    """The words of a command as a program receives them.

    Args:
        command: text as the official scripts assemble it; quotes group, `*` and `?` name existing files.
        python: path that takes the place of the first word.
        word: what the first word must be for that; another program stays. None: any.

    Raises:
        ConfigError: quotes that do not close, or a pattern that matches no file.
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ConfigError(f"cannot be split into words ({error}): {command}") from None
    expanded = [python if word in (None, words[0]) else words[0]]
    for text in words[1:]:
        matches = sorted(glob(text)) if "*" in text or "?" in text else [text]
        if not matches:
            raise ConfigError(f"'{text}' matches no file")
        expanded += matches
    return expanded


def execute(arguments, log, limit, environment=None, echo=False):
    """Run a command to its end or to its time limit.

    Args:
        arguments: list of words.
        log: file that receives stdout and stderr.
        limit: seconds after which the process and all it started are ended.
        environment: variables to add.
        echo: also print the output as it comes.

    Returns:
        Outcome; status 127 where the program cannot be started.
    """
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    variables = {**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})}
    with open(log, "w", encoding="utf-8", errors="replace") as file:
        try:
            process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                errors="replace",
                env=variables,
                start_new_session=True,
            )
        except OSError as error:
            file.write(f"{error}\n")
            return Outcome(127, 0.0, False, f"{error}\n")
        lines, late = [], threading.Event()
        timer = threading.Timer(limit, _end, (process, late))
        timer.start()
        try:
            for line in process.stdout:
                lines.append(line)
                file.write(line)
                file.flush()
                if echo:
                    print("  " + line, end="", flush=True)
            status = process.wait()
        except BaseException:
            _end(process, late)
            raise
        finally:
            timer.cancel()
    return Outcome(status, time.monotonic() - began, late.is_set(), "".join(lines))


def _end(process, late):
    """End a process and the group it leads: politely first, then whatever is left of it."""
    late.set()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE)
        os.killpg(process.pid, signal.SIGKILL)
