"""Facial parts: circles of landmarks, boxes, flips that change nothing stored, tables, and what a batch carries."""

import json

import numpy as np
import pytest

from data_loader.batches import collate
from data_loader.drawn_faces.rendering import flip_landmarks, render
from data_loader.facial_parts import PARTS, PartTable, boxes_of, circles_of, flipped, read_table, write_table
from data_loader.restoration import DegradedFaces
from engine.errors import InputError
from engine.images import write_image
from loss import facial_parts
from tests.data_loader.test_degrade import NOTHING

CIRCLES = np.array([[190.0, 240.0, 20.0], [320.0, 244.0, 25.0], [256.0, 370.0, 50.0]])
PLAIN = {
    "image_size": 64,
    "degrade_size": 64,
    "resize_kernel": "area",
    "flip_probability": 0.0,
    "grey_probability": 0.0,
    "degradation": NOTHING,
    "gives_parts": True,
}


def landmarks():
    """68 points at 512 px: eyes 60 and 10 wide, mouth 100 wide and 40 high."""
    points = np.full((68, 2), 256.0)
    points[36:42] = [[160, 240], [180, 230], [200, 230], [220, 240], [200, 250], [180, 250]]
    points[42:48] = [[315, 240], [317, 238], [321, 238], [325, 240], [321, 242], [317, 242]]
    points[48:68] = np.stack([np.linspace(206, 306, 20), np.tile([350, 390], 10)], 1)
    return points


def test_the_order_of_the_parts_is_that_of_the_losses():
    assert tuple(PARTS) == facial_parts.PARTS


def test_circles_are_the_official_ones():
    circles = circles_of(landmarks(), 512)
    np.testing.assert_allclose(circles, [[190, 240, 30], [319.3333, 240, 16], [256, 370, 50]], atol=1e-3)
    np.testing.assert_allclose(circles_of(landmarks() / 2, 256), circles / 2, atol=1e-3)  # the smallest half too


def test_a_part_with_an_unknown_point_is_not_visible():
    points = landmarks()
    points[50] = np.nan
    boxes, visible = boxes_of(circles_of(points, 512))
    assert visible.tolist() == [1, 1, 0] and (boxes[2] == 0).all() and np.isfinite(boxes).all()


def test_boxes_are_the_official_ones():
    boxes, visible = boxes_of(CIRCLES)
    expected = [[190 - 28 + 1, 240 - 28 + 1, 190 + 28, 240 + 28], [286, 210, 355, 279], [207, 321, 306, 420]]
    np.testing.assert_allclose(boxes, expected)
    assert boxes.dtype == visible.dtype == np.float32 and visible.tolist() == [1, 1, 1]


def test_flip_exchanges_the_eyes_and_leaves_what_is_stored():
    before = CIRCLES.copy()
    once = flipped(CIRCLES, 512)
    np.testing.assert_array_equal(CIRCLES, before)
    np.testing.assert_allclose(once, [[192, 244, 25], [322, 240, 20], [256, 370, 50]])
    np.testing.assert_array_equal(flipped(once, 512), CIRCLES)


def test_flip_of_circles_is_the_circle_of_the_flip():
    """Up to the pixel by which the official flip of centres (512 - x) and of pictures (511 - x) differ."""
    points = render(3, 1, 64).landmarks.astype(np.float64)
    both = flipped(circles_of(points, 64), 64), circles_of(flip_landmarks(points, 64), 64)
    np.testing.assert_allclose(both[0] - both[1], np.tile([1.0, 0.0, 0.0], (3, 1)), atol=1e-4)


@pytest.mark.parametrize("name", ["parts.json", "parts.npz"])
def test_table_is_read_as_written(tmp_path, name):
    hidden = np.where([[True], [False], [True]], CIRCLES, np.nan)
    write_table(tmp_path / name, PartTable({"00000": CIRCLES, "a": hidden}, 512))
    table = read_table(tmp_path / name)
    np.testing.assert_allclose(table.circles("folder/00000", 512), CIRCLES)
    np.testing.assert_allclose(table.circles("a", 128), hidden / 4)
    assert np.isnan(table.circles("unknown", 512)).all()


@pytest.mark.parametrize(
    "content",
    [
        "{",
        '{"size": 512}',
        '{"size": 512, "faces": {"a": {"left_eye": [1, 2, 3]}}}',
        '{"size": 0, "faces": {}}',
        '{"size": 1, "faces": [1]}',
    ],
)
def test_other_files_are_one_line(tmp_path, content):
    (tmp_path / "t.json").write_text(content)
    with pytest.raises(InputError, match="t.json: .*table of facial parts") as error:
        read_table(tmp_path / "t.json")
    assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="none.json: cannot be read"):
        read_table(tmp_path / "none.json")


def dataset(training=True, **changes):
    return DegradedFaces(DegradedFaces.Config(**PLAIN | changes), 0, training)


def test_procedural_faces_bring_their_own_boxes():
    synthetic = {"identities": [3, 5], "variants": 1}
    sample = dataset(synthetic=synthetic)[(0, 0)]
    np.testing.assert_allclose(sample["boxes"], boxes_of(circles_of(render(3, 0, 64).landmarks, 64))[0], atol=1e-4)
    assert sample["boxes"].shape == (3, 4) and sample["visible"].tolist() == [1, 1, 1]
    assert "boxes" not in dataset(synthetic=synthetic, gives_parts=False)[(0, 0)]
    assert "boxes" not in dataset(False, synthetic=synthetic)[(0, 0)]
    mirrored = dataset(synthetic=synthetic, flip_probability=1.0)
    first = mirrored[(0, 0)]["boxes"]
    left, right, mouth = sample["boxes"]
    np.testing.assert_allclose(first[:, 0], [65 - right[2], 65 - left[2], 65 - mouth[2]], atol=1e-4)
    np.testing.assert_array_equal(mirrored[(1, 0)]["boxes"], first)  # a second epoch flips the same stored circles
    batch = collate([(sample, []), (mirrored[(0, 1)], [])])
    assert batch["boxes"].shape == (2, 3, 4) and batch["visible"].shape == (2, 3)


def test_folder_takes_its_boxes_from_the_table(tmp_path, caplog):
    for name in ("a", "sub/b"):
        write_image(tmp_path / "faces" / f"{name}.png", np.full((64, 64, 3), 0.5, np.float32))
    table = tmp_path / "parts.json"
    write_table(table, PartTable({"b": CIRCLES}, 512))
    faces = dataset(root=tmp_path / "faces", part_file=table, image_size=32)
    assert "1 of 2 pictures are not in it" in caplog.text and "such as a" in caplog.text
    first, second = faces[(0, 0)], faces[(0, 1)]
    assert first["visible"].tolist() == [0, 0, 0] and second["visible"].tolist() == [1, 1, 1]
    np.testing.assert_allclose(second["boxes"], boxes_of(CIRCLES / 16)[0])
    mirrored = dataset(root=tmp_path / "faces", part_file=table, flip_probability=1.0)
    boxes = [mirrored[(epoch, 1)]["boxes"] for epoch in range(3)]
    np.testing.assert_allclose(boxes[0], boxes_of(flipped(CIRCLES / 8, 64))[0])
    np.testing.assert_array_equal(boxes[0], boxes[1])
    np.testing.assert_array_equal(boxes[0], boxes[2])
    table.write_text(json.dumps({"size": 512, "faces": {}}))
    with pytest.raises(InputError, match="holds none of the 2 pictures"):
        dataset(root=tmp_path / "faces", part_file=table)
    with pytest.raises(ValueError, match="needs 'part_file'"):
        dataset(root=tmp_path / "faces")
