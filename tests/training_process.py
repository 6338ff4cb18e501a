"""A training of ten steps as a process of its own: its words, its lines and records, and its end."""

import json
import os
import re
import signal
import subprocess
import time
from contextlib import contextmanager, suppress

from tests.script_calls import LITE, ROOT, command, draw_faces

STEPS = 10
LOG_LINE = re.compile(r"^\[Epoch \d+, iter: (\d+)/\d+\] .*$", re.MULTILINE)


def faces_to_train_on(folder):
    """Draw six faces to train on and two to test on; returns the folder."""
    draw_faces(folder / "train", 6)
    draw_faces(folder / "val", 2, first=100)
    return folder


def training(faces, folder, *words):
    """Words of a ten-step training with every kind of record in it, a worker process included."""
    own = [
        f"data.validation.root={faces}",
        "data.num_workers=1",
        "train.log_every=1",
        "train.save_every=4",
        "train.preview_every=5",
        "train.validate_every=5",
        "recipe.r1_every=3",
        "recipe.path_every=2",
    ]
    return [*LITE, *own, "--data_dir", faces, "--batch_size=2", f"--iters={STEPS}", "--output_dir", folder, *words]


def records(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def losses(text):
    """The training lines without their times."""
    return [line[0].split(", avg_reader_cost")[0] for line in LOG_LINE.finditer(text)]


@contextmanager
def begun(*words):
    """A training process in a group of its own, of which nothing is left after the block."""
    child = subprocess.Popen(
        command("train", *words),
        cwd=ROOT,
        text=True,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        yield child
    finally:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.communicate()


def wait_for(child, text):
    """Read the child's lines up to the first with `text`."""
    for line in child.stdout:
        if text in line:
            return
    raise AssertionError(f"never said '{text}': {child.stderr.read()}")


def group_is_gone(child, seconds=20):
    """True once no process of the child's group is left."""
    for _ in range(10 * seconds):
        try:
            os.killpg(child.pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False
