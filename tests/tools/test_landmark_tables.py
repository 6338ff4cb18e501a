"""The tables by one command: rows that were run and rows that were not, what is absent, files in people's folders."""

import json

import numpy as np
import paddle
import pytest

from data_loader.drawn_faces.rendering import render
from data_loader.galleries import drawn_gallery, person
from engine.errors import InputError
from engine.images import read_image, write_image
from engine.weights.files import write_weights
from model.landmark.network import CompletionNetwork
from model.landmark_predictor.network import LaFInPredictor
from system.landmark import LandmarkInpainting
from tools import landmark_tables

SMALLEST = [
    "-o",
    *(f"{key}={value}" for key, value in LandmarkInpainting.smoke.items() if "mean_pixel" not in key),
    "data.validation.synthetic={identities: [100000, 100003], variants: 1}",
    "recipe.landmark_width=0.1",
    "recipe.landmark_size=32",
]
LITE = ["-c", "configs/landmark_lite.yaml", *SMALLEST]
MEAN = np.float32([0.5, 0.4, 0.3])


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Weights of a completion network with a mean pixel, and of a landmark predictor."""
    folder = tmp_path_factory.mktemp("tables")
    paddle.seed(4)
    network, predictor = CompletionNetwork(LandmarkInpainting.smoke["recipe.width"]), LaFInPredictor(0.1)
    arrays = {f"completion/{key}": value.numpy() for key, value in network.state_dict().items()}
    write_weights(folder / "w.pdparams", arrays | {"fill/mean_pixel": MEAN.reshape(1, 3, 1, 1)})
    write_weights(folder / "p.pdparams", {key: value.numpy() for key, value in predictor.state_dict().items()})
    return folder


def tables(capsys, tmp_path, *words):
    assert landmark_tables.main([*LITE, *map(str, words), "--output_dir", str(tmp_path / "out")]) == 0
    report = json.loads((tmp_path / "out" / "tables.json").read_text())
    text = (tmp_path / "out" / "tables.md").read_text()
    assert text in capsys.readouterr().out
    return report, text


def test_rows_and_notes(files, tmp_path, capsys):
    report, text = tables(
        capsys,
        tmp_path,
        f"recipe.landmark_network={files / 'p.pdparams'}",
        "--weights",
        files / "w.pdparams",
        "--gallery_pictures",
        2,
        "--recogniser",
        "insightface:none.onnx",
    )
    rows = report["rows"]
    assert list(rows) == ["RAW", "MASK", "No landmark", "Ours"] and rows["No landmark"] is None
    assert "| No landmark | not run |" in text
    assert rows["RAW"]["mse"] == 0 and rows["RAW"]["psnr"] == "inf"
    assert rows["MASK"]["hole_mse"] == pytest.approx(4 * rows["MASK"]["mse"])  # the hole is a quarter
    assert rows["Ours"]["hole_psnr"] != rows["MASK"]["hole_psnr"]
    assert "nme" in rows["Ours"] and "top1" not in rows["Ours"]
    assert any(note.startswith("insightface:none.onnx: not ") for note in report["notes"])
    assert read_image(tmp_path / "out" / "sheet.png").shape == (16 + 3 * 32, 3 * 32, 3)


@pytest.mark.slow
def test_drawn_people_are_identified_among_other_pictures(files, tmp_path, capsys):
    report, _ = tables(
        capsys,
        tmp_path,
        f"recipe.landmark_network={files / 'none'}",
        "--without",
        files / "w.pdparams",
        "--gallery_pictures",
        2,
        "--blend",
        "none",
    )
    assert report["rows"]["Ours"] is None and "gallery: 6 pictures of 3 people" in " ".join(report["notes"])
    assert report["rows"]["No landmark"]["top5"] == 100  # three people
    raw, whole = report["rows"]["RAW"], report["rows"]["No landmark"]
    assert raw["top1"] >= whole["top1"] and whole["mse"] > whole["hole_mse"] / 4  # none: known pixels change too


def test_gallery_and_probes_share_no_picture():
    config = landmark_tables.parse("", {}, LITE, standing=(), own={}).config
    pictures, points, people = drawn_gallery(config.data.validation, 2)
    assert people == ["face_100000", "face_100001", "face_100002"] * 2 and points.shape == (6, 68, 2)
    probe = np.round(255 * render(100000, 0, 32).image)
    assert np.abs(pictures.astype(float) - probe).mean((1, 2, 3)).min() > 2


def test_files_in_folders_of_people(files, tmp_path, capsys):
    """Without landmarks the predictor's stand in; without weights RAW and MASK are there, with the probes' mean."""
    for i in range(2):
        write_image(tmp_path / "probes" / f"p{i}" / "1.png", render(i, 0, 32).image)
        write_image(tmp_path / "gallery" / f"p{i}" / "2.png", render(i, 1, 32).image)
    report, _ = tables(
        capsys,
        tmp_path,
        f"recipe.landmark_network={files / 'p.pdparams'}",
        "--data_dir",
        tmp_path / "probes",
        "--gallery",
        tmp_path / "gallery",
        "--detector",
        "none",
    )
    rows, notes = report["rows"], " ".join(report["notes"])
    assert rows["Ours"] is None and rows["RAW"]["nme"] == 0 and rows["MASK"]["nme"] > 0
    assert "gallery: 2 pictures of 2 people" in notes and "of the probes" in notes
    assert rows["RAW"]["top5"] == 100 and "face" not in rows["RAW"]
    report, _ = tables(
        capsys,
        tmp_path,
        f"recipe.landmark_network={files / 'none'}",
        "--data_dir",
        tmp_path / "probes",
        "--detector",
        "none",
    )
    assert "nme" not in report["rows"]["RAW"] and "top1" not in report["rows"]["RAW"]
    assert "Top-1 and Top-5 not run: landmark predictor not there" in " ".join(report["notes"])


def test_people():
    assert [person(name) for name in ("face_00042_3", "face_00042_4", "anna/x/1")] == ["face_00042"] * 2 + ["anna"]


def test_another_system_is_refused():
    with pytest.raises(InputError, match="expected system.landmark.LandmarkInpainting"):
        landmark_tables.main(["-c", "configs/gpen_lite.yaml"])
