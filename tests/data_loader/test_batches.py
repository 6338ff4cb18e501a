"""Order and content follow from (seed, step) alone; unreadable files are named once, counted and passed over."""

import logging
import subprocess
import sys
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from data_loader.batches import EvaluationBatches, TrainingBatches
from data_loader.restoration import DegradedFaces
from engine.errors import InputError
from engine.images import write_image
from tests.data_loader.test_degrade import GPEN

ROOT = Path(__file__).resolve().parents[2]
LENGTH, BATCH, STEPS = 7, 3, 6


class Numbered:
    """Sample values say which key they came from; `broken` indices cannot be read."""

    def __init__(self, broken=()):
        self.broken = broken

    def __len__(self):
        return LENGTH

    def __getitem__(self, key):
        epoch, index = key
        if index in self.broken:
            raise InputError(f"{index}.png: cannot be read")
        return {"image": np.array([epoch, index], np.float32), "name": str(index)}


def faces(**changes):
    settings = {
        "synthetic": {"identities": [0, LENGTH], "variants": 1},
        "image_size": 16,
        "degrade_size": 32,
        "resize_kernel": "area",
        "flip_probability": 0.5,
        "grey_probability": 0.3,
        "degradation": GPEN,
    }
    return DegradedFaces(DegradedFaces.Config(**settings | changes), 3, training=True)


def steps(dataset, first=0, last=STEPS, workers=0, rank=0, world=1, seed=1, batch=BATCH):
    batches = TrainingBatches(dataset, seed, batch, workers, rank, world)
    return [
        {key: value if isinstance(value, list) else value.numpy() for key, value in found.items()}
        for found in batches.iterate(first, last)
    ]


def names(*arguments, **options):
    return [batch["name"] for batch in steps(*arguments, **options)]


def assert_same(found, wanted):
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        assert one.keys() == other.keys() and one["name"] == other["name"]
        for key in one.keys() - {"name"}:
            np.testing.assert_array_equal(one[key], other[key])


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_number_of_workers_changes_nothing(workers):
    dataset = faces()
    alone = steps(dataset)
    assert alone[0]["image"].shape == alone[0]["degraded"].shape == (BATCH, 3, 16, 16)
    assert set(alone[0]) == {"image", "degraded", "name"}
    assert_same(steps(dataset, workers=workers), alone)
    assert_same(steps(faces(), first=4, workers=workers), alone[4:])


def test_draws_of_an_epoch_differ_from_those_of_the_next():
    found = {}
    for batch in steps(faces(), last=5):
        for name, image in zip(batch["name"], batch["degraded"], strict=True):
            found.setdefault(name, []).append(image)
    assert len(found) == LENGTH
    assert all(not np.array_equal(*pictures[:2]) for pictures in found.values() if len(pictures) > 1)


def test_workers_start_after_opencv_ran_in_this_process():
    cv2.setNumThreads(4)
    cv2.GaussianBlur(np.zeros((512, 512, 3), np.float32), (9, 9), 2)  # its threads exist and are not forked
    assert len(steps(faces(), last=2, workers=2)) == 2


@pytest.mark.parametrize("first", range(STEPS + 1))
def test_entering_at_a_step_gives_the_tail(first):
    whole = names(Numbered())
    assert names(Numbered(), first=first) == whole[first:]


def test_order_depends_on_the_seed_and_the_epoch():
    epochs = np.array(names(Numbered(), last=3 * LENGTH, batch=1)).reshape(3, LENGTH)
    assert all(sorted(epoch) == [str(i) for i in range(LENGTH)] for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3
    assert names(Numbered(), seed=2) != names(Numbered())


def test_keys_carry_the_epoch():
    found = np.concatenate([batch["image"] for batch in steps(Numbered(), last=STEPS)])
    assert found[:, 0].tolist() == [position // LENGTH for position in range(STEPS * BATCH)]


def test_two_ranks_share_the_joint_batch():
    joint = names(Numbered(), batch=4)
    parts = [names(Numbered(), batch=2, rank=rank, world=2) for rank in range(2)]
    assert [one + two for one, two in zip(*parts, strict=True)] == joint


def test_epochs_completed():
    batches = TrainingBatches(Numbered(), 1, 2, 0, rank=1, world=2)
    assert [batches.epoch(step) for step in (0, 1, 2, 4)] == [0, 0, 1, 2]


@pytest.mark.parametrize("workers", [0, 2])
def test_unreadable_file_is_replaced_and_named_once(workers, caplog):
    batches = TrainingBatches(Numbered(broken=(2, 3)), 1, BATCH, workers)
    with caplog.at_level(logging.WARNING, logger="kintsugi"):
        found = [batch["name"] for batch in batches.iterate(0, 3 * LENGTH)]
    swap = {"2": "4", "3": "4"}
    assert found == [[swap.get(name, name) for name in batch] for batch in names(Numbered(), last=3 * LENGTH)]
    lines = [record.getMessage() for record in caplog.records]
    assert [line[:20] for line in lines] == ["skipped (1 so far): ", "skipped (2 so far): "]
    assert {line[20:] for line in lines} == {"2.png: cannot be read", "3.png: cannot be read"}
    assert len(batches.skipped) == 2


@pytest.mark.parametrize("workers", [0, 2])
def test_unreadable_file_is_left_out_of_evaluation(workers, caplog):
    batches = EvaluationBatches(Numbered(broken=(0, 1, 5)), 2, workers)
    with caplog.at_level(logging.WARNING, logger="kintsugi"):
        found = [batch["name"] for batch in batches]
    assert found == [["2", "3"], ["4"], ["6"]]
    assert batches.skipped == [f"{i}.png: cannot be read" for i in (0, 1, 5)]
    assert len(caplog.records) == 3 and len(batches) == 4
    assert [batch["name"] for batch in batches] == found and len(batches.skipped) == 3


@pytest.mark.parametrize("workers", [0, 2])
def test_none_readable(workers):
    text = rf"none of the {LENGTH} files can be read; the first: \d.png: cannot be read"
    nothing = Numbered(broken=range(LENGTH))
    with pytest.raises(InputError, match=text):
        list(TrainingBatches(nothing, 1, BATCH, workers).iterate(0, STEPS))
    with pytest.raises(InputError, match=text):
        list(EvaluationBatches(nothing, BATCH, workers))


class Faulty(Numbered):
    """A mistake in the code, not in a file."""

    def __getitem__(self, key):
        raise ZeroDivisionError


@pytest.mark.parametrize(("workers", "error"), [(0, ZeroDivisionError), (2, (ZeroDivisionError, SystemError))])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_of_the_code_is_raised_and_waits_for_nothing(workers, error):
    before = set(threading.enumerate())
    with pytest.raises(error):
        next(TrainingBatches(Faulty(), 1, BATCH, workers).iterate(0, STEPS))
    for thread in set(threading.enumerate()) - before:
        if "_thread_loop" in thread.name:  # it prints the worker's traceback
            thread.join(timeout=10)


def test_truncated_file_of_a_folder(tmp_path, caplog):
    for i in range(4):
        write_image(tmp_path / f"{i}.png", np.random.default_rng(i).random((32, 32, 3)).astype(np.float32))
    (tmp_path / "1.png").write_bytes((tmp_path / "1.png").read_bytes()[:200])
    dataset = faces(root=tmp_path)
    with caplog.at_level(logging.WARNING, logger="kintsugi"):
        found = names(dataset, last=2, batch=4)
    assert [sorted(batch) for batch in found] == [["0", "2", "2", "3"]] * 2
    assert len(caplog.records) == 1 and str(tmp_path / "1.png") in caplog.text


INTERRUPTED = """
import os, signal, subprocess, time
import engine
from data_loader.batches import TrainingBatches
from tests.data_loader.test_batches import Numbered
caught = []
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, frame: caught.append(number))
iterator = TrainingBatches(Numbered(), 1, 2, 2).iterate(0, 50)
names = next(iterator)["name"]
for number in (signal.SIGINT, signal.SIGTERM):
    time.sleep(0.2)
    subprocess.run(["kill", f"-{number}", "--", f"-{os.getpgrp()}"])
names += [name for batch in iterator for name in batch["name"]]
print(len(caught), len(names))
"""


@pytest.mark.slow
def test_signal_to_the_group_leaves_the_workers_alone():
    child = subprocess.run(
        [sys.executable, "-c", INTERRUPTED],
        cwd=ROOT,
        start_new_session=True,
        timeout=60,
        capture_output=True,
        text=True,
    )
    assert (child.returncode, child.stdout, child.stderr) == (0, "2 100\n", "")
