"""A kill or a full disk at any moment of saving leaves a usable checkpoint."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from engine.errors import InputError
from engine.training.checkpoint import load_checkpoint, newest_checkpoint, save_checkpoint
from engine.weights.files import read_weights
from tests.engine.saved_checkpoint import check, names, save

ROOT = Path(__file__).parents[2]
CHANGES = ("mkdir", "replace", "rename", "unlink", "rmdir", "fsync")  # of `os`: every way to change a folder's content


def after_every_change(monkeypatch, act):
    """Call `act` after each change that is made to a folder through `os`, its own changes excepted."""
    acting = []

    def watched(change):
        def changed(*args, **kwargs):
            result = change(*args, **kwargs)
            if not acting:
                acting.append(True)
                act()
                acting.clear()
            return result

        return changed

    for name in CHANGES:
        monkeypatch.setattr(os, name, watched(getattr(os, name)))


@pytest.mark.parametrize("step, value", [(20, 20), (10, 99)])
def test_a_kill_at_any_moment_leaves_a_usable_checkpoint(tmp_path, monkeypatch, step, value):
    """What lies on the disk after each change is what a kill there leaves. Saving step 10 again replaces it."""
    run, left = tmp_path / "run", []
    save(run, 10)
    with monkeypatch.context() as patch:
        after_every_change(patch, lambda: left.append(shutil.copytree(run, tmp_path / f"left_{len(left)}")))
        save(run, step, value)
    assert len(left) > 20
    values = []
    for folder in left:
        checkpoint = load_checkpoint(newest_checkpoint(folder))
        values.append(checkpoint.meta["value"])
        assert checkpoint.step == (10 if values[-1] == 10 else step)
        check(checkpoint, values[-1])
        assert read_weights(folder / "latest.pdparams")["d/n"] in (10, value)
    assert values == sorted(values) and set(values) == {10, value}
    for folder in left:
        save(folder, 30)
        assert names(folder) == ["latest.pdparams", "step_0000030"]


def test_what_a_rename_makes_valid_is_on_the_disk_before_it(tmp_path, monkeypatch):
    """Every file and the names in the folder are synced before the folder gets its name, the name after it."""
    done, rename, fsync = [], os.rename, os.fsync

    def synced(descriptor):
        done.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).relative_to(tmp_path).as_posix())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "rename", lambda *paths: (done.append("rename"), rename(*paths)))
    save(tmp_path, 10)
    moment = done.index("rename")
    before = {name.replace(".tmp", "").rpartition("/.")[2] for name in done[:moment]}
    assert all(any(written in name for name in before) for written in names(tmp_path / "step_0000010")), done
    assert done[moment - 1] == "saving_0000010" and done[moment + 1] == "."


def before_every_change(monkeypatch, act):
    """Call `act` before each change that needs room on the disk."""

    def guarded(change):
        return lambda *args, **kwargs: (act(), change(*args, **kwargs))[1]

    for name in ("mkdir", "replace", "rename", "fsync"):
        monkeypatch.setattr(os, name, guarded(getattr(os, name)))


def test_a_full_disk_at_any_moment_leaves_a_usable_checkpoint(tmp_path, monkeypatch):
    failed = 0
    for moment in range(50):
        run, changes = tmp_path / f"run_{moment}", []
        save(run, 10, keep=2)

        def full(changes=changes, moment=moment):
            changes.append(1)
            if len(changes) == moment:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as patch:
            before_every_change(patch, full)
            try:
                save(run, 20, keep=2)
            except InputError as error:
                failed += 1
                newest = newest_checkpoint(run)
                assert str(error).startswith("step 20 is not completely saved: ") and "\n" not in str(error)
                assert "No space left on device" in str(error) and str(error).endswith(f"checkpoint is {newest}")
        check(load_checkpoint(newest_checkpoint(run)), load_checkpoint(newest_checkpoint(run)).step)
        assert not [name for name in names(run) if not name.startswith(("step_", "latest.pdparams"))]
    assert 8 < failed < 45


CHILD = """
import resource, sys
import numpy as np
from engine.training.checkpoint import save_checkpoint
from engine.errors import InputError
run, first, last, size, limit = sys.argv[1], *map(int, sys.argv[2:])
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
print("ready", flush=True)
try:
    for step in range(first, last):
        weights = {"w": np.full(size, step, "f4")}
        save_checkpoint(run, step, {"g": weights}, {"g": weights}, {"m": np.full(size, step, "f4")}, {}, 2)
except InputError as error:
    print(error)
"""


def child(run, first, last, size, limit=0):
    command = [sys.executable, "-c", CHILD, *map(str, (run, first, last, size, limit))]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_a_real_kill_leaves_a_usable_checkpoint(tmp_path):
    first = 1
    for delay in (0.11, 0.23):
        process = child(tmp_path, first, 1_000_000, 300_000)
        process.stdout.readline()
        deadline = time.monotonic() + 20
        while not (tmp_path / "latest.pdparams").exists() and time.monotonic() < deadline:  # written last of the first
            time.sleep(0.01)
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
        checkpoint = load_checkpoint(newest_checkpoint(tmp_path))
        for arrays in (checkpoint.networks["g"], checkpoint.ema["g"], {"w": checkpoint.train_state["m"]}):
            np.testing.assert_array_equal(arrays["w"], np.full(300_000, checkpoint.step, "f4"))
        assert checkpoint.step >= first and set(read_weights(tmp_path / "latest.pdparams")) == {"g/w"}
        first = checkpoint.step + 1


@pytest.mark.slow
def test_a_real_size_limit_names_the_checkpoint_that_is_left(tmp_path):
    folder = save_checkpoint(tmp_path, 1, {"g": {"w": np.ones(3)}}, {}, {}, {}, 2)
    process = child(tmp_path, 2, 3, 10_000, limit=20_000)
    lines = process.communicate()[0].splitlines()
    assert process.returncode == 0 and len(lines) == 2
    assert lines[1].startswith("step 2 is not completely saved: ") and "File too large" in lines[1]
    assert lines[1].endswith(f"; the newest complete checkpoint is {folder}")
    assert names(tmp_path) == ["latest.pdparams", "step_0000001"]
