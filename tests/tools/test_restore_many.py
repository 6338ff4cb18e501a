"""A folder over Ray: the bytes of infer.py, whatever ends the job in between, on one machine and on two nodes."""

import json
import os
import signal
import subprocess
import time

import numpy as np
import pytest

from data_loader.group_photo import group_photo
from engine import images
from tests.ray_nodes import environment, two_nodes
from tests.script_calls import ROOT, call, command, draw_faces

pytest.importorskip("ray", reason="ray (requirements-serve.txt) is absent")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gpen")
    words = ["-c", "configs/gpen_lite.yaml", "--pretrained=weights/lite/gpen_lite.pdparams"]
    assert call("export_model", *words, "--save_inference_dir", folder).returncode == 0
    return folder


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Aligned faces, a photo of three, one of none, and a broken file."""
    folder = draw_faces(tmp_path_factory.mktemp("photos"), 20, size=64)
    images.write_image(folder / "deep" / "group.png", group_photo(240, 320)[0])
    images.write_image(folder / "wall.png", np.full((40, 60, 3), 0.5, np.float32))
    (folder / "broken.png").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="module")
def wanted(model, photos, tmp_path_factory):
    """What infer.py writes: name -> bytes, and its faces.json."""
    out = tmp_path_factory.mktemp("wanted")
    result = call("infer", "--model_dir", model, "-i", photos, "-o", out, "--cpu_threads=1", "--strength=0.7")
    assert result.returncode == 0, result.stderr
    return written(out), json.loads((out / "faces.json").read_text())


def written(folder):
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*_predict.png")}
    return {name: path.read_bytes() for name, path in found.items()}


def line(model, photos, out, *words):
    return command("tools/restore_many", "--model_dir", model, "-i", photos, "-o", out, "--strength=0.7", *words)


def done(out):
    """Names in the manifest; it is whole whenever it is read."""
    path = out / "manifest.json"
    return list(json.loads(path.read_text())["done"]) if path.exists() else []


def until(true, process, seconds=300):
    end = time.monotonic() + seconds
    while not true():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_job_that_is_killed_goes_on_and_ends_with_the_bytes_of_infer(model, photos, wanted, tmp_path):
    environ = environment()
    with subprocess.Popen(line(model, photos, tmp_path, "--workers=2"), cwd=ROOT, env=environ, start_new_session=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as first:  # fmt: skip
        until(lambda: len(done(tmp_path)) >= 3, first)
        os.killpg(first.pid, signal.SIGKILL)
    kept = done(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*_predict.png")}
    assert 3 <= len(kept) < 23
    second = subprocess.run(line(model, photos, tmp_path, "--workers=1"), cwd=ROOT, env=environ, timeout=300,
                            capture_output=True, text=True)  # fmt: skip
    assert second.returncode == 0, second.stderr
    assert "skipped: " in second.stderr and "broken.png" in second.stderr
    assert second.stdout.startswith("22 pictures, 1 skipped"), second.stdout
    assert written(tmp_path) == wanted[0]
    assert json.loads((tmp_path / "faces.json").read_text()) == wanted[1]
    for name in kept:  # what was done is not done again
        path = tmp_path / name.replace(".png", "_predict.png")
        assert name == "broken.png" or path.stat().st_mtime_ns == before[path]
    other = subprocess.run(line(model, photos, tmp_path, "--upscale=2"), cwd=ROOT, env=environ, timeout=300,
                           capture_output=True, text=True)  # fmt: skip
    assert other.returncode == 2 and "is of a job with --upscale 1; expected another --output_dir" in other.stderr


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_job_on_two_nodes_outlives_one(model, photos, wanted, tmp_path):
    environ = environment()
    with two_nodes(environ) as (address, dying):
        words = [f"--address={address}", "--workers=2"]
        with subprocess.Popen(line(model, photos, tmp_path, *words), cwd=ROOT, env=environ, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as job:  # fmt: skip
            until(lambda: len(done(tmp_path)) >= 2, job)
            dying.kill()
            out, err = job.communicate(timeout=300)
    assert job.returncode == 0 and "22 pictures, 1 skipped" in out, err  # Ray says that a node has gone
    assert written(tmp_path) == wanted[0]


def test_mistakes_are_one_line(photos, tmp_path):
    for words, expected in (
        (["--model_dir", tmp_path / "none", "-i", photos], "none"),
        (["-i", photos], "--model_dir is missing"),
    ):
        result = call("tools/restore_many", *words, "-o", tmp_path / "out")
        assert result.returncode == 2 and expected in result.stderr and result.stderr.count("\n") == 1
