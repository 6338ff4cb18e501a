"""Rows of the table: whole and hole, landmarks, detection, identification, and what was not run."""

import math

import numpy as np
import pytest

from metric.evaluation.face_table import COLUMNS, FaceScores, to_markdown
from metric.identification import Gallery


@pytest.fixture
def faces():
    """Two pictures, holes of a quarter, landmarks with eyes ten pixels apart."""
    true = np.random.default_rng(0).integers(0, 200, (2, 24, 24, 3)).astype(np.uint8)
    masks = np.zeros((2, 24, 24, 1), np.float32)
    masks[:, 12:, 6:18] = 1
    points = np.zeros((2, 68, 2))
    points[:, 45] = [10, 0]
    return true, masks, points


def test_what_is_equal(faces):
    scores = FaceScores()
    scores.update(faces[0], faces[0], faces[1], lambda pictures: np.ones(len(pictures)), (faces[2], faces[2]))
    found = scores.result()
    assert found == {
        "mse": 0,
        "psnr": math.inf,
        "ssim": pytest.approx(1),
        "hole_mse": 0,
        "hole_psnr": math.inf,
        "hole_ssim": pytest.approx(1),
        "face": 100,
        "nme": 0,
    }


def test_what_differs_in_the_hole_only(faces):
    true, masks, points = faces
    scores, other = FaceScores(), np.where(masks == 1, true + 51, true).astype(np.uint8)
    gallery = Gallery(np.eye(3), ["a", "b", "c"])
    found_in = iter(([0.0], [1.0]))
    for i in range(2):  # batches of one
        part = slice(i, i + 1)
        scores.update(
            other[part],
            true[part],
            masks[part],
            lambda pictures: next(found_in),
            (points[part] + [0.5, 0], points[part]),
            np.eye(3)[part] + 0.1,
        )
    found = scores.result(gallery, ["a", "c"])
    assert found["mse"] == pytest.approx(0.2**2 / 4) and found["hole_mse"] == pytest.approx(0.2**2)
    assert found["psnr"] - found["hole_psnr"] == pytest.approx(10 * np.log10(4))
    assert found["nme"] == pytest.approx(5) and found["face"] == 50
    assert found["top1"] == 50 and found["top5"] == 100


def test_markdown():
    rows = {"RAW": {"mse": 0.0, "psnr": math.inf}, "Ours": None}
    head, rule, raw, ours, gap, note = to_markdown(rows, ["detector: x"]).splitlines()
    assert head.count("|") == rule.count("|") == raw.count("|") == ours.count("|") == len(COLUMNS) + 2
    assert raw.startswith("| RAW | 0.0000 | inf | - |") and ours.startswith("| Ours | not run | not run |")
    assert (gap, note) == ("", "* detector: x")
