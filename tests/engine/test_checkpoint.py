"""Checkpoints: what is saved comes back, and a damaged or half-written one is never used."""

import json
import logging

import numpy as np
import pytest

from engine.errors import InputError
from engine.training.checkpoint import load_checkpoint, newest_checkpoint, save_checkpoint, usable_checkpoint
from engine.weights.files import read_weights
from tests.engine.saved_checkpoint import check, names, save


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
