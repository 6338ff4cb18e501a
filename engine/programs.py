"""A program of this project, called by another one in a process of its own."""

import subprocess
import sys
from pathlib import Path

from engine.errors import InputError


def called(*words: object, folder: Path | None = None) -> str:
    """The output of a program.

    Args:
        words: its file and its flags, such as "infer.py", "--img", PATH.
        folder: where it runs; default: here.

    Raises:
        InputError: it fails; what it said.
    """
    run = subprocess.run([sys.executable, *map(str, words)], cwd=folder, capture_output=True, text=True)
    if run.returncode:
        raise InputError(f"{words[0]} failed: {run.stderr.strip() or run.stdout.strip()}")
    return run.stdout
