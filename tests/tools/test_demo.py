"""The closing table: which numbers it shows, from what it reads them, and when it refuses."""

import json

import numpy as np
import pytest

from data_loader.group_photo import group_photo
from engine import images
from engine.errors import InputError
from test_tipc.closing_table import SUMMARY, table
from tools import demo

SCORES = {"psnr/degraded": 20.0, "psnr/restored": 23.0, "ssim/degraded": 0.5, "ssim/restored": 0.75}


def stage(kind, **facts):
    return {"kind": kind, "name": f"{kind}_x", "status": "passed", "command": f"python {kind}.py", "facts": facts}


@pytest.fixture
def report(tmp_path, monkeypatch):
    """A passed run's summary, with pictures, in the current folder."""
    monkeypatch.chdir(tmp_path)
    for name, level in (("lite_data/val/lq/a", 0.2), ("lite_data/val/hq/a", 0.8), ("restored/a_predict", 0.6)):
        images.write_image(f"{name}.png", np.full((8, 8, 3), level, np.float32))
    stages = [
        stage("train", start="", steps=10, weights="out/latest.pdparams"),
        stage("eval", **SCORES),
        stage("export", folder="out"),
        stage("infer", ips=4.0, folder="restored"),
        stage("infer", ips=9.0, folder="restored") | {"name": "infer_fast"},
    ]
    return {"ok": True, "stages": stages}


@pytest.fixture(autouse=True)
def no_model(monkeypatch):
    """The whole photo has a test of its own."""
    monkeypatch.setattr(demo, "whole_photo", lambda: np.ones((200, 600, 3), np.float32))


def write(report):
    SUMMARY.parent.mkdir(parents=True, exist_ok=True)
    SUMMARY.write_text(json.dumps(report))


def test_table_of_a_run_from_random_weights(report, capsys):
    write(report)
    assert demo.main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[-2:] for line in lines if line.startswith(("degraded", "restored"))] == [
        ["20.00", "0.5000"],
        ["23.00", "0.7500"],
    ]
    assert any("random weights" in line for line in lines)
    assert any(line.startswith("images per second") and "9.0 (infer_fast" in line for line in lines)
    sheet = images.read_image("results/demo/before_after.png")
    below = round(sheet.shape[1] / 3)
    columns = [float(np.median(part)) for part in np.array_split(sheet[-below - 6 : -below], 3, axis=1)]
    assert columns[0] < columns[1] < columns[2]
    assert sheet[-below:].min() == 1  # where the photo of three stands


def test_table_names_the_starting_weights_and_both_scores(report):
    report["stages"][0]["facts"]["start"] = "weights/a.pdparams"
    lines = table(report, {"psnr/restored": 22.5, "ssim/restored": 0.7}, "sheet.png")
    before, after = [line for line in lines if line.startswith("restored")]
    assert before.split() == ["restored", "by", "weights/a.pdparams", "22.50", "0.7000"]
    assert after.split() == ["restored", "after", "10", "steps", "more", "23.00", "0.7500"]
    assert any(line.split() == ["training", "started", "from", "weights/a.pdparams"] for line in lines)


def test_failed_chain_fails_the_demo(report, capsys):
    write(report | {"ok": False})
    assert demo.main([]) == 1 and "the chain failed" in capsys.readouterr().err


def test_no_chain_is_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="run make demo"):
        demo.main([])


@pytest.mark.slow
def test_a_whole_photo_is_restored(tmp_path, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(demo, "FOLDER", tmp_path)
    found = demo.whole_photo()
    photo, points = group_photo(320, 480)
    before, after = (images.read_image(tmp_path / name) for name in ("photo.png", "photo_predict.png"))
    assert found.shape[1] >= 960 and after.shape == photo.shape
    for face in points:  # nearer to the original on every face
        (left, top), (right, bottom) = face.min(axis=0).astype(int), face.max(axis=0).astype(int)
        errors = [np.square(one - photo)[top:bottom, left:right].mean() for one in (before, after)]
        assert errors[1] < errors[0]
