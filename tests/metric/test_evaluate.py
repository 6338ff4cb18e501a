"""Means over pictures, not batches; the right picture against the right target; a sheet in the order asked for."""

import numpy as np
import paddle
import pytest

from data_loader.batches import EvaluationBatches
from engine.errors import InputError
from engine.images import composite, picture_grid, to_uint8
from engine.system import System
from metric.evaluation.evaluate import evaluate


class Brighter(System):
    """Adds a step to the degraded picture."""

    scored = ("degraded", "restored")
    shown = ("restored", "degraded", "image")

    def generate(self, batch, networks):
        return {"restored": batch["degraded"] + networks["step"]}


class Levels:
    """Red 128; green and blue 20 * index, 10 less in the degraded picture. Index 2 cannot be read."""

    def __len__(self):
        return 5

    def __getitem__(self, key):
        if key[1] == 2:
            raise InputError("2.png: cannot be read")
        image = np.full((3, 4, 4), key[1] * 20 / 255, np.float32)
        image[0] = 128 / 255
        darker = np.float32([0, 10 / 255, 10 / 255]).reshape(3, 1, 1)
        return {"image": image, "degraded": image - darker, "name": str(key[1])}


def difference(picture, target):
    """Signed, in levels, of the green channel; the target comes second."""
    assert picture.dtype == target.dtype == np.uint8 and picture.shape == target.shape == (4, 4, 3)
    return (picture.astype(int) - target.astype(int))[..., 1].mean()


def red(picture, target):
    return picture[..., 0].mean()


@pytest.fixture
def batches():
    return EvaluationBatches(Levels(), batch_size=3, num_workers=0)


def scored(batches, **metrics):
    return evaluate(Brighter(), {"step": paddle.to_tensor(50 / 255)}, batches, metrics, show=3)


def test_mean_over_pictures(batches):
    found = scored(batches, difference=difference)
    assert [row["name"] for row in found["rows"]] == ["0", "1", "3", "4"]
    assert batches.skipped == ["2.png: cannot be read"]
    assert [row["difference/degraded"] for row in found["rows"]] == [0, -10, -10, -10]  # the first is clipped
    assert [row["difference/restored"] for row in found["rows"]] == [40, 40, 40, 40]
    assert found["scores"] == {"difference/degraded": -7.5, "difference/restored": 40}


def test_channels_are_rgb(batches):
    assert [row["red/degraded"] for row in scored(batches, red=red)["rows"]] == [128] * 4


def test_sheet_shows_the_first_pictures_in_the_systems_order(batches):
    sheet = scored(batches, difference=difference)["sheet"]
    assert len(sheet) == 3 and all(len(row) == 3 for row in sheet)
    restored, degraded, image = (picture[0, 0, 1] for picture in sheet[1])
    assert [restored, degraded, image] == pytest.approx([60 / 255, 10 / 255, 20 / 255])
    assert evaluate(Brighter(), {"step": paddle.to_tensor(50 / 255)}, batches, {"red": red})["sheet"] == []


class Holes(Levels):
    """The hole is the left column, or the left half where the index is odd."""

    def __getitem__(self, key):
        mask = np.zeros((1, 4, 4), np.float32)
        mask[..., : 1 + key[1] % 2] = 1
        sample = super().__getitem__(key)
        return sample | {"mask": mask, "border": "free" if key[1] < 3 else "inside"}


class Filling(System):
    """Adds a step in the hole and leaves everything else."""

    scored = ("composite",)
    shown = ("mask", "composite", "image")

    def generate(self, batch, networks):
        return {"composite": composite(batch["image"] + networks["step"], batch["image"], batch["mask"])}


def in_hole(picture, target, mask):
    assert mask.shape == (4, 4, 1) and picture.dtype == np.uint8
    return (picture.astype(int) - target)[mask[..., 0] == 1].mean()


def filled(batches):
    return evaluate(
        Filling(),
        {"step": paddle.to_tensor(50 / 255)},
        batches,
        {"difference": difference},
        4,
        hole_metrics={"inside": in_hole},
        fills={"black": lambda picture, mask: np.where(mask == 1, np.uint8(0), picture)},
    )


def test_holes_are_scored_inside_and_beside_fillings():
    found = filled(EvaluationBatches(Holes(), 3, 0))
    facts = [(row["name"], row["hole"], row["border"]) for row in found["rows"]]
    assert facts == [("0", 0.25, "free"), ("1", 0.5, "free"), ("3", 0.5, "inside"), ("4", 0.25, "inside")]
    assert [row["inside/composite"] for row in found["rows"]] == [50, 50, 50, 50]
    assert [row["difference/composite"] for row in found["rows"]] == [12.5, 25, 25, 12.5]
    assert [row["difference/black"] for row in found["rows"]] == [0, -10, -30, -20]
    assert found["scores"]["difference/black"] == -15 and "hole" not in found["scores"]


def test_sheet_shows_the_mask_and_known_pixels_as_they_are():
    sheet = filled(EvaluationBatches(Holes(), 3, 0))["sheet"]
    written = to_uint8(picture_grid(sheet))
    assert written.shape == (16, 12, 3)
    mask, composite, image = np.split(written[4:8], 3, axis=1)
    assert np.array_equal(mask[..., 0], [[255, 255, 0, 0]] * 4)
    assert np.array_equal(composite[:, 2:], image[:, 2:]) and (composite[:, :2] == image[:, :2] + 50).all()


def test_observer_sees_every_batch_unrounded(batches):
    seen = []
    evaluate(Brighter(), {"step": paddle.to_tensor(50.3 / 255)}, batches, {}, observe=lambda *given: seen.append(given))
    assert [list(names) for names, _ in seen] == [["0", "1"], ["3", "4"]]
    assert all(list(pictures) == ["degraded", "restored", "image"] for _, pictures in seen)
    assert seen[0][1]["restored"].shape == (2, 4, 4, 3)
    np.testing.assert_allclose(seen[0][1]["restored"][1, 0, 0] * 255, [178.3, 60.3, 60.3], rtol=1e-5)


def test_observer_gets_masks_where_there_are_some():
    class Masked(Levels):
        def __getitem__(self, key):
            return super().__getitem__(key) | {"mask": np.ones((1, 4, 4), np.float32)}

    seen = []
    evaluate(
        Brighter(),
        {"step": paddle.zeros([1])},
        EvaluationBatches(Masked(), 3, 0),
        {},
        observe=lambda names, pictures: seen.append(pictures["mask"].shape),
    )
    assert seen == [(2, 4, 4, 1), (2, 4, 4, 1)]


def test_nothing_readable():
    class Unreadable(Levels):
        def __getitem__(self, key):
            raise InputError(f"{key[1]}.png: cannot be read")

    with pytest.raises(InputError, match="none of the 5 files can be read; the first: 0.png"):
        scored(EvaluationBatches(Unreadable(), 2, 0), red=red)


class Largest:
    """Set metric: the largest green value of a kind over all batches."""

    def __init__(self):
        self.seen = []

    def update(self, pictures):
        self.seen.append(float(pictures["restored"][:, 1].max()))

    def result(self):
        return {"green": max(self.seen), "batches": len(self.seen)}


def test_a_set_metric_sees_every_batch_with_what_was_made_of_it(batches):
    system = Brighter()
    system.scored, system.shown, system.measured = (), (), ("largest",)
    unused = {"largest": Largest, "unused": None}
    found = evaluate(system, {"step": paddle.to_tensor(50 / 255)}, batches, {"red": red}, 3, set_metrics=unused)
    assert found["scores"] == pytest.approx({"largest/green": 120 / 255, "largest/batches": 2}, abs=1e-6)
    assert [row["name"] for row in found["rows"]] == ["0", "1", "3", "4"] and found["sheet"] == []


def test_evidence_is_made_for_set_metrics_alone(batches):
    class Evident(Brighter):
        def evidence(self, batch, networks, measures):
            self.asked = measures
            return {"restored": batch["degraded"] + 1}

    system = Evident()
    system.measured = ("largest", "absent")
    sets = {"largest_proxy": Largest, "unused": None}
    found = evaluate(system, {"step": paddle.zeros([1])}, batches, {}, set_metrics=sets)
    assert system.asked == ("largest_proxy",) and found["scores"]["largest_proxy/green"] > 1
    evaluate(system, {"step": paddle.zeros([1])}, batches, {})
    assert system.asked == ()
