"""A frontal face passes; every rule rejects what it is for, and names it."""

import numpy as np
import pytest

from data_loader.landmark_filter import rejections
from tests.engine.test_face_alignment import landmarks


def changed(index, axis, value):
    points = landmarks()
    points[index, axis] = value
    return points


def test_a_frontal_face_is_kept():
    assert rejections(landmarks()) == []
    turn = np.array([[np.cos(0.4), -np.sin(0.4)], [np.sin(0.4), np.cos(0.4)]])
    assert rejections(3 * landmarks() @ turn.T + 500) == []  # where and how it stands in the picture does not matter


@pytest.mark.parametrize(
    ("points", "rule"),
    [
        (changed(0, 1, 70), "0 is the topmost"),
        (changed(2, 1, 50), "2 is the lowest"),
        (changed(1, 0, 60), "1 is the leftmost"),
        (changed(3, 0, 40), "3 is the rightmost"),
        (changed(5, 0, 70), "brows 4 < 5 < 6 < 7"),
        (changed(9, 0, 20), "eyes 8 < 9 < 10 < 11"),
        (changed(13, 0, 70), "mouth corners enclose"),
        (changed(12, 1, 94), "nose above the mouth"),
        (changed(1, 0, 35), "between the ears"),
        (changed(3, 0, 55), "between the ears"),
        (changed(0, 1, 41), "hairline above the brows"),
        (changed(4, 1, 56), "brows above the eyes"),
        (changed(10, 1, 90), "eyes above nose and mouth"),
        (changed(2, 1, 95), "nose and mouth above the chin"),
    ],
)
def test_each_rule_of_the_order(points, rule):
    assert any(rule in reason for reason in rejections(points)), rejections(points)


def test_the_right_mouth_corner_is_checked():
    """An ear between lips and mouth corner: nothing else of the middle is out of place."""
    assert rejections(changed(3, 0, 60)) == ["order: nose and mouth between the ears"]


def test_a_nose_far_from_its_place():
    """Radius: 10 % of 200 x 232 pixels is a disc of 38.4 pixels, 19.2 of the template's."""
    far = [reason for reason in rejections(changed(12, 0, 48 + 33)) if reason.startswith("radius")]
    assert len(far) == 1 and "more than 38.4" in far[0]
    assert not any(reason.startswith("radius") for reason in rejections(changed(12, 0, 48 + 14)))


def test_a_mirrored_face_is_rejected_not_mirrored_back():
    assert rejections(landmarks() * [-1, 1])


def test_degenerate_landmarks():
    assert rejections(np.zeros([17, 2])) == ["landmarks: all on one line"]
