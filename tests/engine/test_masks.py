"""Masks mean what they show, in prediction, tests and scores alike."""

import numpy as np
import pytest
from PIL import Image

from engine.masks import read_hole

HOLE = np.zeros((32, 32), bool)
HOLE[4:10, 6:20] = True
NOISE = np.random.default_rng(0).integers(0, 256, (32, 32, 3)).astype(np.uint8)


def where(inside, outside):
    """[H, W, C] uint8 of two colours."""
    return np.where(HOLE[..., None], np.uint8(inside), np.uint8(outside)).astype(np.uint8)


def labels(inside, outside):
    """A palette picture whose labels 1 and 0 are shown in two colours."""
    image = Image.fromarray(np.uint8(HOLE)).convert("P")
    image.putpalette([*outside, *inside])
    return image


def deep(values):
    return Image.fromarray(values.astype(np.uint16))


MASKS = {
    "white on black": Image.fromarray(where(255, 0)[..., 0]),
    "one and zero": Image.fromarray(where(1, 0)[..., 0]),
    "128 and zero": Image.fromarray(where(128, 0)[..., 0]),
    "255 and 200": Image.fromarray(where(255, 200)[..., 0]),
    "red on black": Image.fromarray(where([255, 0, 0], [0, 0, 0])),
    "blue on black": Image.fromarray(where([0, 0, 255], [0, 0, 0])),
    "red on blue": Image.fromarray(where([255, 0, 0], [0, 0, 255])),
    "white on red": Image.fromarray(where([255, 255, 255], [255, 0, 0])),
    "labels in red": labels([200, 0, 0], [0, 0, 0]),
    "labels in dark green": labels([0, 60, 0], [0, 0, 0]),
    "bilevel": Image.fromarray(where(255, 0)[..., 0]).convert("1"),
    "16 bits, 1 and 0": deep(HOLE * 1),
    "16 bits, white": deep(HOLE * 65535),
    "white strokes on a transparent layer": Image.fromarray(where([255, 255, 255, 255], [255, 255, 255, 0])),
    "black strokes on a transparent layer": Image.fromarray(where([0, 0, 0, 255], [0, 0, 0, 0])),
    "half transparent strokes": Image.fromarray(where([255, 0, 0, 90], [0, 0, 0, 0])),
    "a picture with an erased part": Image.fromarray(np.concatenate([NOISE, where([0], [255])], 2)),
    "alpha that is full": Image.fromarray(np.concatenate([where([255] * 3, [0] * 3), where([255], [255])], 2)),
}


@pytest.mark.parametrize("name", MASKS)
def test_a_mask_means_what_it_shows(tmp_path, name):
    MASKS[name].save(tmp_path / "mask.png")
    hole = read_hole(tmp_path / "mask.png")
    assert hole.shape == (32, 32, 1) and hole.dtype == np.float32 and np.array_equal(hole[..., 0], HOLE)
    assert np.array_equal(read_hole(tmp_path / "mask.png", "valid")[..., 0], ~HOLE)


def test_grey_edges_count_from_one_half(tmp_path):
    levels = where(255, 0)
    levels[3], levels[10] = 127, 128
    Image.fromarray(levels[..., 0]).save(tmp_path / "mask.png")
    expected = HOLE.copy()
    expected[10] = True
    assert np.array_equal(read_hole(tmp_path / "mask.png")[..., 0], expected)
    strokes = np.zeros((32, 32, 3), np.uint8)
    strokes[..., 0] = levels[..., 0]  # red with soft edges: one half of red
    Image.fromarray(strokes).save(tmp_path / "mask.png")
    assert np.array_equal(read_hole(tmp_path / "mask.png")[..., 0], expected)
    layer = np.dstack([np.full((32, 32, 3), 255, np.uint8), levels])
    Image.fromarray(layer).save(tmp_path / "mask.png")
    assert np.array_equal(read_hole(tmp_path / "mask.png")[..., 0], expected)


@pytest.mark.parametrize("level, share", [(0, 0), (1, 0), (127, 0), (128, 1), (255, 1)])
def test_one_level_marks_nothing_or_everything(tmp_path, level, share):
    Image.fromarray(np.full((8, 8), level, np.uint8)).save(tmp_path / "mask.png")
    assert read_hole(tmp_path / "mask.png").mean() == share
    noisy = np.clip(level + np.random.default_rng(0).integers(0, 3, (8, 8)), 0, 255).astype(np.uint8)
    Image.fromarray(noisy).save(tmp_path / "mask.png")
    assert level == 127 or read_hole(tmp_path / "mask.png").mean() == share
