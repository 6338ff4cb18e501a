"""What the programs import before they answer: --help and --dry-run come without Paddle, by the real commands."""

import subprocess
import sys

import pytest

from tests.source_tree import AT_ONCE, PROGRAMS, ROOT


def ended(program, *words):
    """Modules that a command has imported when it has printed what is asked for."""
    code = (
        "import runpy, sys, atexit; sys.path.insert(0, sys.argv[1].rpartition('/')[0] or '.'); "
        "atexit.register(lambda: print(*sys.modules, file=sys.stderr)); sys.argv = sys.argv[1:]; "
        "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    command = [sys.executable, "-c", code, program, *words]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert found.returncode == 0 and found.stdout, found.stderr[-500:]
    return set(found.stderr.split())


@pytest.mark.slow
@pytest.mark.parametrize("program", PROGRAMS)
def test_help_comes_before_paddle(program):
    """NumPy may come: the rows of known networks need it, which one program lists."""
    assert not ended(program, "--help") & (AT_ONCE - {"numpy"})


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_dry_run_comes_before_paddle(path):
    """The whole configuration, checked; data sets that it names may need OpenCV."""
    assert not ended("predict.py", "-c", str(path), "--dry-run") & {"paddle", "matplotlib", "visualdl", "skimage"}
