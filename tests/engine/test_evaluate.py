"""Means over pictures, not batches; the right picture against the right target; a sheet in the order asked for."""

import numpy as np
import paddle
import pytest

from data_loader.batches import EvaluationBatches
from engine.errors import InputError
from engine.evaluate import evaluate
from engine.system import System


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
    found = evaluate(system, {"step": paddle.to_tensor(50 / 255)}, batches, {"red": red}, 3, unused)
    assert found["scores"] == pytest.approx({"largest/green": 120 / 255, "largest/batches": 2}, abs=1e-6)
    assert [row["name"] for row in found["rows"]] == ["0", "1", "3", "4"] and found["sheet"] == []
