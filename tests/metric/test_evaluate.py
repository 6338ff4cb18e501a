"""Means over pictures, not batches; the right picture against the right target; a sheet in the order asked for."""

import numpy as np
import paddle
import pytest

from data_loader.batches import EvaluationBatches
from engine.errors import InputError
from engine.images import composite, picture_grid, to_uint8
from engine.system import System
from metric.evaluation.evaluate import evaluate
from metric.evaluation.scorers import of_pairs
from metric.scorer import Scorer, SetScorer


class Brighter(System):
    """Adds a step to the degraded picture."""

    scored = ("degraded", "restored")
    shown = ("restored", "degraded", "image")

    def generate(self, batch, networks):
        return {"restored": batch["degraded"] + networks["step"].step}


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


class Step(paddle.nn.Layer):
    """A network of one number."""

    def __init__(self, levels):
        super().__init__()
        self.step = paddle.to_tensor(levels / 255)


def pairs(**functions):
    return [of_pairs(name, function, {}) for name, function in functions.items()]


def scored(batches, levels=50, **functions):
    return evaluate(Brighter(), {"step": Step(levels)}, batches, pairs(**functions), show=3)


def test_mean_over_pictures(batches):
    found = scored(batches, difference=difference)
    assert [row["name"] for row in found.rows] == ["0", "1", "3", "4"]
    assert batches.skipped == ["2.png: cannot be read"]
    assert [row["difference/degraded"] for row in found.rows] == [0, -10, -10, -10]  # the first is clipped
    assert [row["difference/restored"] for row in found.rows] == [40, 40, 40, 40]
    assert found.means() == {"difference/degraded": -7.5, "difference/restored": 40}


def test_channels_are_rgb(batches):
    assert [row["red/degraded"] for row in scored(batches, red=red).rows] == [128] * 4


def test_sheet_shows_the_first_pictures_in_the_systems_order(batches):
    sheet = scored(batches, difference=difference).sheet
    assert len(sheet) == 3 and all(len(row) == 3 for row in sheet)
    restored, degraded, image = (picture[0, 0, 1] for picture in sheet[1])
    assert [restored, degraded, image] == pytest.approx([60 / 255, 10 / 255, 20 / 255])
    assert evaluate(Brighter(), {"step": Step(50)}, batches, pairs(red=red)).sheet == []


def test_networks_are_in_evaluation_mode_without_gradients_meanwhile(batches):
    seen, step = [], Step(50)
    step.step.stop_gradient = False

    class Watching(Brighter):
        def generate(self, batch, networks):
            made = super().generate(batch, networks)
            seen.append((step.training, made["restored"].stop_gradient))
            return made

    evaluate(Watching(), {"step": step}, batches, [])
    assert set(seen) == {(False, True)} and step.training


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_network_that_gives_no_numbers_is_an_error_not_a_black_picture(batches, value):
    with pytest.raises(InputError, match="restored: NaN or infinite values among 0, 1"):
        scored(batches, value, red=red)
    unscored = Brighter()
    unscored.scored, unscored.shown = (), ()  # numbers that are no pictures
    with pytest.raises(InputError, match="restored: NaN or infinite values"):
        evaluate(unscored, {"step": Step(value)}, batches, [SetScorer("largest", Largest)])


def test_scorers_begin_anew_in_every_evaluation(batches):
    scorer = SetScorer("largest", Largest)
    for _ in range(2):
        found = evaluate(Brighter(), {"step": Step(50)}, batches, [scorer])
        assert found.means() == pytest.approx({"largest/green": 120 / 255, "largest/batches": 2}, abs=1e-6)


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
        return {"composite": composite(batch["image"] + networks["step"].step, batch["image"], batch["mask"])}


def in_hole(picture, target, mask):
    assert mask.shape == (4, 4, 1) and picture.dtype == np.uint8
    return (picture.astype(int) - target)[mask[..., 0] == 1].mean()


def filled(batches):
    return evaluate(
        Filling(),
        {"step": Step(50)},
        batches,
        [of_pairs("inside", in_hole, {}, in_hole=True), *pairs(difference=difference)],
        show=4,
        fills={"black": lambda picture, mask: np.where(mask == 1, np.uint8(0), picture)},
    )


def test_holes_are_scored_inside_and_beside_fillings():
    found = filled(EvaluationBatches(Holes(), 3, 0))
    facts = [(row["name"], row["hole_ratio"], row["border"]) for row in found.rows]
    assert facts == [("0", 0.25, "free"), ("1", 0.5, "free"), ("3", 0.5, "inside"), ("4", 0.25, "inside")]
    assert [row["inside/composite"] for row in found.rows] == [50, 50, 50, 50]
    assert [row["difference/composite"] for row in found.rows] == [12.5, 25, 25, 12.5]
    assert [row["difference/black"] for row in found.rows] == [0, -10, -30, -20]
    assert found.means()["difference/black"] == -15 and "hole_ratio" not in found.means()


def test_sheet_shows_the_mask_and_known_pixels_as_they_are():
    sheet = filled(EvaluationBatches(Holes(), 3, 0)).sheet
    written = to_uint8(picture_grid(sheet))
    assert written.shape == (16, 12, 3)
    mask, composite, image = np.split(written[4:8], 3, axis=1)
    assert np.array_equal(mask[..., 0], [[255, 255, 0, 0]] * 4)
    assert np.array_equal(composite[:, 2:], image[:, 2:]) and (composite[:, :2] == image[:, :2] + 50).all()


class Watcher(Scorer):
    """Keeps what it is given."""

    names = ("watch",)

    def start(self, networks):
        self.seen = []

    def update(self, batch, pictures):
        self.seen.append((batch, pictures))
        return {}


def test_a_scorer_sees_every_batch_unrounded_and_in_8_bits(batches):
    watcher = Watcher()
    evaluate(Brighter(), {"step": Step(50.3)}, batches, [watcher])
    assert [list(batch["name"]) for batch, _ in watcher.seen] == [["0", "1"], ["3", "4"]]
    assert all(set(pictures) == {"degraded", "restored", "image"} for _, pictures in watcher.seen)
    batch, pictures = watcher.seen[0]
    np.testing.assert_allclose(batch["restored"].numpy()[1, :, 0, 0] * 255, [178.3, 60.3, 60.3], rtol=1e-5)
    assert pictures["restored"][1, 0, 0].tolist() == [178, 60, 60] and pictures["restored"].shape == (2, 4, 4, 3)


def test_a_scorer_gets_masks_where_there_are_some():
    watcher = Watcher()
    evaluate(Filling(), {"step": Step(0)}, EvaluationBatches(Holes(), 3, 0), [watcher])
    assert [pictures["mask"].shape for _, pictures in watcher.seen] == [(2, 4, 4, 1), (2, 4, 4, 1)]


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
    system.scored, system.shown = (), ()
    scorers = [SetScorer("largest", Largest), *pairs(red=red)]
    found = evaluate(system, {"step": Step(50)}, batches, scorers, show=3)
    assert found.means() == pytest.approx({"largest/green": 120 / 255, "largest/batches": 2}, abs=1e-6)
    assert [row["name"] for row in found.rows] == ["0", "1", "3", "4"] and found.sheet == []


def test_evidence_is_made_with_the_networks_that_are_scored(batches):
    def evidence(batch, networks):
        return {"restored": batch["degraded"] + 10 * networks["step"].step}

    found = evaluate(Brighter(), {"step": Step(51)}, batches, [SetScorer("largest", Largest, evidence=evidence)])
    assert found.means()["largest/green"] == pytest.approx(2 + 70 / 255, abs=1e-5)
