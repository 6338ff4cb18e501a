"""Drawn holes: size, place, shape, and that the generator passed in alone decides."""

import numpy as np
import pytest
from pydantic import ValidationError

from data_loader.drawn_faces.rendering import face_landmarks
from data_loader.masks import SHAPES, Masks, MaskSettings, drawn_hole, lower_face

BUCKETS = [(0.01, 0.1), (0.1, 0.2), (0.2, 0.3), (0.3, 0.4), (0.4, 0.5), (0.5, 0.6)]


def rng(*seed):
    return np.random.default_rng([7, *seed])


def masks(training=False, size=(32, 32), **settings):
    return Masks(MaskSettings(**settings), size, training)


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("size, margin", [((32, 32), 0), ((48, 31), 0), ((40, 40), 0.1)])
def test_ratio_and_margin_are_kept(kind, size, margin):
    edges = [round(margin * side) for side in size]
    for i, (low, high) in enumerate(BUCKETS):
        hole = drawn_hole(kind, size, (low, high), margin, rng(i))
        assert hole.shape == size and hole.dtype == bool and low < hole.mean() <= high
        if margin:
            assert not hole[: edges[0]].any() and not hole[-edges[0] :].any()
            assert not hole[:, : edges[1]].any() and not hole[:, -edges[1] :].any()


@pytest.mark.parametrize("kind", ["strokes", "walk", "rectangle", "half", "composition"])
def test_draws_follow_their_generator(kind):
    first, same, other = (drawn_hole(kind, (32, 32), (0.2, 0.4), 0, rng(i)) for i in (1, 1, 2))
    assert np.array_equal(first, same) and not np.array_equal(first, other)


def connected(hole):
    """Number of pieces of a hole, 8-connected."""
    from scipy.ndimage import label

    return label(hole, np.ones((3, 3)))[1]


def test_shapes():
    size = (40, 60)
    box = drawn_hole("rectangle", size, (0.2, 0.3), 0, rng(3))
    rows, columns = np.flatnonzero(box.any(1)), np.flatnonzero(box.any(0))
    assert box.sum() == len(rows) * len(columns) and np.ptp(rows) == len(rows) - 1
    middle = drawn_hole("centre", size, None, 0, rng(0))
    assert middle[10:30, 15:45].all() and middle.sum() == 20 * 30
    bands = {
        (hole[0].all(), hole[-1].all(), hole[:, 0].all(), hole[:, -1].all())
        for hole in (drawn_hole("half", size, None, 0, rng(i)) for i in range(40))
        if hole.mean() == 0.5
    }
    assert bands == {tuple(edge == i for i in range(4)) for edge in range(4)}
    path = drawn_hole("walk", size, (0.2, 0.3), 0, rng(4))
    assert connected(path) == 1 and path.sum() != len(np.flatnonzero(path.any(1))) * len(np.flatnonzero(path.any(0)))
    assert max(connected(drawn_hole("strokes", (64, 64), (0.1, 0.2), 0, rng(i))) for i in range(8)) > 1


def test_lower_face_covers_the_mouth_and_not_the_eyes():
    landmarks = face_landmarks(3, 0, 96)
    hole = lower_face((96, 96), rng(1), landmarks)
    chin, mouth, nose, eye, other_eye, brow = 8, 62, 33, 37, 44, 19
    x, y = np.rint(landmarks[[chin, mouth, nose, eye, other_eye, brow]]).astype(int).T
    assert list(hole[y, x]) == [True, True, True, False, False, False]
    box = lower_face((8, 8), rng(1))
    assert box[4:, 2:6].all() and box.sum() == 16


def test_validation_takes_every_case_in_turn_and_training_draws():
    kinds = {"kinds": {"rectangle": 1}, "ratios": [(0.1, 0.2), (0.4, 0.5)], "margins": [0, 0.1]}
    found = []
    for i in range(8):
        mask, border = masks(**kinds).draw(i, rng(i))
        found.append((mask.mean() > 0.3, border))
    assert found == [(False, "free"), (False, "inside"), (True, "free"), (True, "inside")] * 2
    drawn = {
        (bool(mask.mean() > 0.3), border)
        for mask, border in (masks(training=True, **kinds).draw(0, rng(i)) for i in range(40))
    }
    assert len(drawn) == 4


def test_a_mask_is_float_zeros_and_ones():
    mask, _ = masks(kinds={"strokes": 1}).draw(0, rng(0))
    assert mask.shape == (32, 32, 1) and mask.dtype == np.float32 and set(np.unique(mask)) == {0, 1}
    assert 0.01 < mask.mean() <= 0.6


def test_kinds_come_by_weight():
    settings = {"kinds": {"centre": 3, "half": 1}}
    centred = [
        masks(**settings).draw(0, rng(i))[0][0, 0, 0] + masks(**settings).draw(0, rng(i))[0][-1, -1, 0] == 0
        for i in range(200)
    ]
    assert np.mean(centred) == pytest.approx(0.75, abs=0.08)


@pytest.mark.parametrize(
    "settings, line",
    [
        ({}, "either 'kinds'"),
        ({"kinds": {"strokes": 1}, "files": "x"}, "either 'kinds'"),
        ({"kinds": {"strokes": 1}, "white_means": "hole"}, "are for 'files'"),
        ({"kinds": {"strokes": 0}}, "greater than 0"),
        ({"kinds": {"circle": 1}}, "composition"),
        (
            {"kinds": {"strokes": 1}, "ratios": [(0.5, 0.6)], "margins": [0.2]},
            "ratio 0.6 does not fit inside margin 0.2",
        ),
        ({"kinds": {"strokes": 1}, "ratios": [(0.3, 0.2)]}, "low <= high"),
        ({"files": "x", "margins": [0.1]}, "margins is"),
    ],
)
def test_settings_that_contradict_themselves(settings, line):
    with pytest.raises(ValidationError, match=line):
        MaskSettings(**settings)
