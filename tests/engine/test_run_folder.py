"""Folders, weights and resume points: what train, test, predict and export share."""

from pathlib import Path

import numpy as np
import pytest

from engine.errors import ConfigError, InputError
from engine.run_config import DataConfig, OutputConfig, RunConfig, TrainConfig
from engine.settings import Settings
from engine.training import checkpoint
from engine.training.run_folder import make_run_folder, newest_run, resume_point, run_folder, save_config, with_folder


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def config(folder=None, **changes):
    data = DataConfig(train=Settings(), validation=Settings(), batch_size=1)
    return RunConfig(
        system="toy",
        data=data,
        optimizers={},
        recipe=Settings(),
        train=TrainConfig(steps=1),
        output=OutputConfig(dir=folder),
        **changes,
    )


def saved(folder, step, network=None):
    return checkpoint.save_checkpoint(folder, step, {"generator": {"w": np.ones(2, np.float32)}}, {}, {}, {}, keep=9)


def test_run_folders_are_numbered():
    assert run_folder(config(), "configs/gpen_lite.yaml") == Path("runs/gpen_lite/0001")
    assert newest_run(config(), "configs/gpen_lite.yaml") == Path("runs/gpen_lite/0001")
    for name in ("0001", "0007", "notes", "00012"):
        Path("runs/gpen_lite", name).mkdir(parents=True)
    assert run_folder(config(), "configs/gpen_lite.yaml") == Path("runs/gpen_lite/0008")
    assert newest_run(config(), "configs/gpen_lite.yaml") == Path("runs/gpen_lite/0007")
    assert run_folder(config(Path("here")), "configs/gpen_lite.yaml") == Path("here")
    assert newest_run(config(Path("here")), "configs/gpen_lite.yaml") == Path("here")


def test_earlier_run_in_the_folder_is_kept():
    for round_number in (1, 2):
        saved("run", 3)
        for name in ("metrics.jsonl", "train.log", "mine.txt"):
            Path("run", name).write_text(str(round_number))
        make_run_folder("run")
        kept = Path("run", f"earlier_{round_number}")
        names = {path.name for path in kept.iterdir()}
        assert names == {"step_0000003", "latest.pdparams", "metrics.jsonl", "train.log"}
        assert (kept / "train.log").read_text() == str(round_number)
        assert checkpoint.newest_checkpoint("run") is None
    assert Path("run/mine.txt").exists()


def test_fresh_folder_is_made_and_left_empty():
    make_run_folder("a/b/c")
    assert not list(Path("a/b/c").iterdir())
    Path("a/b/c/notes.txt").write_text("mine")
    make_run_folder("a/b/c")
    assert [path.name for path in Path("a/b/c").iterdir()] == ["notes.txt"]


def test_folder_that_cannot_be_written():
    Path("file").write_text("")
    with pytest.raises(InputError, match="file/run: output folder cannot be written"):
        make_run_folder("file/run")


def test_resume_point():
    assert resume_point("auto", config(Path("run")), "x.yaml") is None
    for word in ("run", "run/step_0000003"):
        with pytest.raises(ConfigError, match=f"--resume {word}: no checkpoint there"):
            resume_point(word, config(), "x.yaml")
    for step in (3, 12):
        saved("run", step)
    Path("run/step_0000099").mkdir()  # half a checkpoint
    assert resume_point("auto", config(Path("run")), "x.yaml") == Path("run/step_0000012")
    assert resume_point("run", config(), "x.yaml") == Path("run/step_0000012")
    assert resume_point("run/step_0000003", config(), "x.yaml") == Path("run/step_0000003")
    saved("runs/x/0002", 5)
    assert resume_point("auto", config(), "configs/x.yaml") == Path("runs/x/0002/step_0000005")


def test_saved_configuration_names_its_folder():
    resolved = with_folder(config(), "somewhere")
    Path("somewhere").mkdir()
    save_config(resolved, "somewhere")
    assert "dir: somewhere" in Path("somewhere/config.yaml").read_text()
