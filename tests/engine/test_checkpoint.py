"""Checkpoints: what is saved comes back, and a kill or a full disk at any moment leaves a usable one."""

import errno
import json
import logging
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
from engine.training.checkpoint import load_checkpoint, newest_checkpoint, save_checkpoint, usable_checkpoint
from engine.weights.files import read_weights

ROOT = Path(__file__).parents[2]
CHANGES = ("mkdir", "replace", "rename", "unlink", "rmdir", "fsync")  # of `os`: every way to change a folder's content


def save(run, step, value=None, keep=1):
    """A checkpoint of two networks, one of them averaged, all of whose arrays tell the step, or `value`."""
    value = step if value is None else value
    networks = {name: {"a.weight": np.full((2, 3), value, "f4"), "n": np.array(value)} for name in ("g", "d")}
    ema = {"g": {"a.weight": np.full((2, 3), value + 0.5, "f4"), "n": np.array(value)}}
    state = {"optimizer/g/moment": np.full(3, value / 3, "f8"), "state/path": np.array(value, "f4")}
    return save_checkpoint(run, step, networks, ema, state, {"config": {"x": [1, None]}, "value": value}, keep)


def check(checkpoint, value):
    """Everything in a Checkpoint is what `save` wrote with this value."""
    assert checkpoint.meta == {"config": {"x": [1, None]}, "value": value}
    assert list(checkpoint.networks) == ["g", "d"] and list(checkpoint.ema) == ["g"]
    for arrays, weight in ((checkpoint.networks["g"], value), (checkpoint.networks["d"], value),
                           (checkpoint.ema["g"], value + 0.5)):  # fmt: skip
        np.testing.assert_array_equal(arrays["a.weight"], np.full((2, 3), weight, "f4"), strict=True)
        np.testing.assert_array_equal(arrays["n"], np.array(value), strict=True)
    moment, path = checkpoint.train_state["optimizer/g/moment"], checkpoint.train_state["state/path"]
    np.testing.assert_array_equal(moment, np.full(3, value / 3, "f8"), strict=True)
    np.testing.assert_array_equal(path, np.array(value, "f4"), strict=True)


def names(run):
    return sorted(path.name for path in run.iterdir())


def test_what_is_saved_comes_back(tmp_path):
    folder = save(tmp_path / "runs" / "a", 12)
    assert folder == tmp_path / "runs" / "a" / "step_0000012" == newest_checkpoint(tmp_path / "runs" / "a")
    assert names(folder) == ["d.pdparams", "g.pdparams", "g_ema.pdparams", "meta.json", "train_state.safetensors"]
    assert load_checkpoint(folder).step == 12
    check(load_checkpoint(folder), 12)
    meta = json.loads((folder / "meta.json").read_text())
    assert meta["format"] == 1 and meta["files"]["g.pdparams"] == (folder / "g.pdparams").stat().st_size


def test_latest_holds_every_network_the_averaged_one_first(tmp_path):
    save(tmp_path, 3)
    arrays = read_weights(tmp_path / "latest.pdparams")
    assert sorted(arrays) == ["d/a.weight", "d/n", "g/a.weight", "g/n"]
    assert (arrays["g/a.weight"] == 3.5).all() and (arrays["d/a.weight"] == 3).all()


def test_the_newest_are_kept_and_nothing_else_is_touched(tmp_path):
    (tmp_path / "samples").mkdir()
    (tmp_path / "step_list.txt").write_text("x")
    for step in (2, 9, 10, 11):
        save(tmp_path, step, keep=3)
    kept = ["step_0000009", "step_0000010", "step_0000011"]
    assert names(tmp_path) == ["latest.pdparams", "samples", *kept, "step_list.txt"]
    save(tmp_path, 5, keep=1)
    assert names(tmp_path)[2:-1] == ["step_0000005", *kept]
    save(tmp_path, 12_345_678, keep=2)
    assert names(tmp_path)[2:-1] == ["step_0000011", "step_12345678"]
    assert newest_checkpoint(tmp_path).name == "step_12345678"
    save(tmp_path, 9_999_999, keep=0)
    assert newest_checkpoint(tmp_path).name == "step_12345678" and len(names(tmp_path)[2:-1]) == 3


def test_no_run_has_no_checkpoint(tmp_path):
    assert newest_checkpoint(tmp_path) is None and newest_checkpoint(tmp_path / "none") is None
    (tmp_path / "step_0000001").mkdir()
    assert newest_checkpoint(tmp_path) is None


def without_meta(folder):
    (folder / "meta.json").unlink()


def with_half_a_file(folder):
    data = (folder / "train_state.safetensors").read_bytes()
    (folder / "train_state.safetensors").write_bytes(data[:-1])


def without_a_network(folder):
    (folder / "g_ema.pdparams").unlink()


def with_half_its_meta(folder):
    text = (folder / "meta.json").read_text()
    (folder / "meta.json").write_text(text[: len(text) // 2])


def of_another_format(folder):
    meta = json.loads((folder / "meta.json").read_text())
    (folder / "meta.json").write_text(json.dumps(meta | {"format": 2}))


def with_paths_for_names(folder):
    meta = json.loads((folder / "meta.json").read_text())
    (folder / "meta.json").write_text(json.dumps(meta | {"networks": ["../step_0000001/g"]}))


def with_a_list_for_meta(folder):
    (folder / "meta.json").write_text("[" * 100_000)


FAULTS = {
    without_meta: "is not a complete checkpoint (No such file or directory: ",
    with_half_a_file: "is not a complete checkpoint; train_state.safetensors has ",
    without_a_network: "is not a complete checkpoint (No such file or directory: ",
    with_half_its_meta: "meta.json: is damaged",
    of_another_format: "checkpoint of format '2'; expected 1",
    with_paths_for_names: "meta.json: is damaged",
    with_a_list_for_meta: "meta.json: is damaged",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_half_written_one_is_never_picked_up(tmp_path, fault):
    save(tmp_path, 1, keep=0)
    folder = save(tmp_path, 2, keep=0)
    fault(folder)
    assert newest_checkpoint(tmp_path).name == "step_0000001"
    with pytest.raises(InputError) as caught:
        load_checkpoint(folder)
    assert str(caught.value).startswith(str(folder)) and FAULTS[fault] in str(caught.value)
    assert "\n" not in str(caught.value)


FILES = ["d.pdparams", "g.pdparams", "g_ema.pdparams", "meta.json", "train_state.safetensors"]


def flip(path, bit):
    data = bytearray(path.read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    path.write_bytes(data)


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_is_named_and_an_older_checkpoint_used(tmp_path, caplog, monkeypatch, name):
    monkeypatch.setattr(logging.getLogger("kintsugi"), "propagate", True)
    save(tmp_path, 1, keep=0)
    newest = save(tmp_path, 2, keep=0)
    assert usable_checkpoint(tmp_path) == newest
    whole = (newest / name).read_bytes()
    for bit in np.random.default_rng(5).integers(0, 8 * len(whole), 60):
        flip(newest / name, bit)
        caplog.clear()
        assert usable_checkpoint(tmp_path).name == "step_0000001", bit
        (line,) = caplog.messages
        assert line.startswith(f"damaged checkpoint: {newest / name}: ") or name == "meta.json"
        assert str(newest) in line and line.endswith(f"{tmp_path / 'step_0000001'} is used instead")
        with pytest.raises(InputError, match="step_0000002"):
            load_checkpoint(newest)
        (newest / name).write_bytes(whole)


def test_all_damaged_is_an_error_not_a_beginning(tmp_path):
    for step in (1, 2):
        flip(save(tmp_path, step, keep=0) / "g.pdparams", 99)
    with pytest.raises(
        InputError, match=r"no usable checkpoint, all 2 are damaged; the newest: .*step_0000002/g.pdpar"
    ):
        usable_checkpoint(tmp_path)


def test_a_checkpoint_without_hashes_is_read(tmp_path):
    folder = save(tmp_path, 3)
    meta = json.loads((folder / "meta.json").read_text())
    del meta["sha256"], meta["digest"]
    (folder / "meta.json").write_text(json.dumps(meta))
    assert usable_checkpoint(tmp_path) == folder
    check(load_checkpoint(folder), 3)


def test_clashing_names_are_our_own_mistake(tmp_path):
    array = {"w": np.ones(1)}
    for networks, ema, meta in (({"a": array, "a_ema": array}, {"a": array}, {}), ({"a/b": array}, {}, {}),
                                ({"a": array}, {}, {"step": 1})):  # fmt: skip
        with pytest.raises(ValueError):
            save_checkpoint(tmp_path, 1, networks, ema, {}, meta, 1)
        assert names(tmp_path) == []


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
