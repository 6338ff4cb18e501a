"""Rows of the table: whole and hole, landmarks, detection, identification, and what was not run."""

import math

import numpy as np
import pytest

from metric.evaluation import registry
from metric.evaluation.face_table import (
    COLUMNS,
    ERRORS,
    IdentificationScorer,
    detection,
    landmark_error,
    to_markdown,
)
from metric.evaluation.scores import Scores
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


def scorers(find, detector, gallery):
    """All of the table's; the recogniser's vector is red, green and blue of the first pixel."""
    return [
        *registry.paired(ERRORS),
        detection(detector),
        landmark_error(find),
        IdentificationScorer(
            lambda pictures, points: pictures[:, 0, 0] / 255 + 0.01, gallery, find, lambda name: name[0]
        ),
    ]


def test_what_is_equal(faces):
    true, masks, points = faces
    gallery = Gallery(true[:, 0, 0] / 255 + 0.01, ["a", "b"])
    scores = Scores(scorers(lambda pictures: points, lambda pictures: np.ones(len(pictures)), gallery))
    batch = {"name": ["a/1", "b/1"], "landmarks": points}
    scores.update(batch["name"], batch, {"image": true, "RAW": true, "mask": masks})
    assert scores.means() == {
        "mse/RAW": 0,
        "psnr/RAW": math.inf,
        "ssim/RAW": pytest.approx(1),
        "hole_mse/RAW": 0,
        "hole_psnr/RAW": math.inf,
        "hole_ssim/RAW": pytest.approx(1),
        "face/RAW": 100,
        "nme/RAW": 0,
        "top1/RAW": 100,
        "top5/RAW": 100,
        "psnr/RAW/0.2-0.3": math.inf,
        "ssim/RAW/0.2-0.3": pytest.approx(1),
    }


def test_what_differs_in_the_hole_only(faces):
    """Points are found half a pixel off in what was made; without true ones those of the picture stand in."""
    true, masks, points = faces
    true[:, 0, 0] = [[250, 0, 0], [0, 250, 0]]
    other = np.where(masks == 1, true + 51, true).astype(np.uint8)
    gallery, found_in = Gallery(np.eye(3), ["a", "c", "b"]), iter(([0.0], [1.0]))

    def find(pictures):
        return points[:1] + ([0, 0] if any(np.array_equal(pictures[0], each) for each in true) else [0.5, 0])

    scores = Scores(scorers(find, lambda pictures: np.array(next(found_in)), gallery))
    for i, name in enumerate(("a/1", "b/1")):  # batches of one
        part = slice(i, i + 1)
        pictures = {"image": true[part], "Ours": other[part], "mask": masks[part]}
        scores.update([name], {"name": [name]} | ({"landmarks": points[part]} if i else {}), pictures)
    found = {key.partition("/")[0]: value for key, value in scores.means().items() if key.endswith("/Ours")}
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
