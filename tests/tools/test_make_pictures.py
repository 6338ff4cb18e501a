"""tools/make_pictures.py: the picture of the README."""

import subprocess
import sys
from pathlib import Path

import pytest

from engine.images import read_image
from tests.script_calls import copy_project

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "pictures"


def test_committed_pictures_are_small():
    assert 0 < sum(path.stat().st_size for path in PICTURES.iterdir()) <= 400_000


@pytest.mark.slow
def test_picture_is_made_in_a_fresh_clone(tmp_path):
    clone = copy_project(tmp_path / "clone")

    def run(*words):
        return subprocess.run([sys.executable, *words], cwd=clone, capture_output=True, text=True, timeout=300)

    early = run("tools/make_pictures.py", "--output", "early.jpg")
    assert early.returncode == 2
    assert "run python tools/make_lite_data.py" in early.stderr
    assert run("tools/make_lite_data.py", "--train", "1", "--val", "8").returncode == 0
    done = run("tools/make_pictures.py", "--output", "made.jpg")
    assert done.returncode == 0, done.stderr
    made, kept = read_image(clone / "made.jpg"), read_image(PICTURES / "before_after.jpg")
    assert made.shape == kept.shape
    assert abs(made - kept).mean() < 0.02
