"""The scripts as tests call them: the smallest run, faces to run it on, a call in this process and in its own."""

import contextlib
import io
import logging
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest

from data_loader.drawn_faces.rendering import render
from engine.images import write_image
from system.gpen import GPEN

ROOT = Path(__file__).resolve().parents[1]
SMALLEST = [f"{key}={value}" for key, value in GPEN.smoke.items()]
LITE = ["-c", "configs/gpen_lite.yaml", "-o", *SMALLEST, "data.num_workers=0"]


def copy_project(folder, takes=lambda name: True):
    """Copy the files that git knows or would add, those whose name `takes` says so; skips where there is no git."""
    listing = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    if listing.returncode:
        pytest.skip("needs a git checkout to know which files belong to the project")
    for name in listing.stdout.splitlines():
        if takes(name) and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    return folder


def draw_faces(folder, count, first=0, size=48):
    """Write `count` pictures of different people; returns the folder."""
    for identity in range(first, first + count):
        write_image(folder / f"face_{identity}.png", render(identity, 0, size).image)
    return folder


def call(script, *words):
    """Run a script's file as `python SCRIPT.py WORDS` does, but in this process.

    Returns:
        subprocess.CompletedProcess; a traceback comes out as the exception it is.
    """
    words = [str(word) for word in words]
    logger, out, err = logging.getLogger("kintsugi"), io.StringIO(), io.StringIO()
    before = logger.handlers[:], logger.level, logger.propagate
    logger.handlers.clear()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            with mock.patch.object(sys, "argv", [f"{script}.py", *words]):
                runpy.run_path(str(ROOT / f"{script}.py"), run_name="__main__")
    except SystemExit as stop:
        return subprocess.CompletedProcess([script, *words], stop.code, out.getvalue(), err.getvalue())
    finally:
        logger.handlers[:], logger.level, logger.propagate = before
    raise AssertionError(f"{script}.py left without a status")


def told(script, *words):
    """What a `call` that goes well prints."""
    result = call(script, *words)
    assert result.returncode == 0, result.stderr
    return result.stdout


def command(script, *words):
    """The words of a real process."""
    return [sys.executable, str(ROOT / f"{script}.py"), *map(str, words)]


def process(script, *words):
    """Run a script as a process of its own, from the root of the project."""
    return subprocess.run(command(script, *words), cwd=ROOT, capture_output=True, text=True, timeout=120)


def one_line(result, *parts):
    """Status 2 and one line on stderr that holds every part."""
    assert (result.returncode, result.stderr.count("\n")) == (2, 1), f"{result.returncode}\n{result.stderr}"
    assert result.stderr.startswith("error: ")
    for part in parts:
        assert part in result.stderr
    assert "Traceback" not in result.stderr + result.stdout
