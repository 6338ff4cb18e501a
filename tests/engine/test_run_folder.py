"""Folders, weights and resume points: what train, test, predict and export share."""

from pathlib import Path

import numpy as np
import pytest

from engine import config as configuration
from engine.errors import ConfigError, InputError
from engine.run_config import DataConfig, OptimizerConfig, OutputConfig, RunConfig, TrainConfig
from engine.settings import Settings
from engine.training import checkpoint
from engine.training.resume import binding, changes, data_fingerprints, resume_folder, resume_point
from engine.training.run_folder import make_run_folder, newest_run, run_folder, save_config, with_folder


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


def resumed(word, folder=None, yaml="x.yaml"):
    return resume_point(word, resume_folder(word, config(folder), newest_run(config(folder), yaml)))


def test_resume_point():
    assert resumed("auto", Path("run")) is None
    for word in ("run", "run/step_0000003"):
        with pytest.raises(ConfigError, match=f"--resume {word}: no checkpoint there"):
            resumed(word)
    for step in (3, 12):
        saved("run", step)
    Path("run/step_0000099").mkdir()  # half a checkpoint
    assert resumed("auto", Path("run")) == Path("run/step_0000012")
    assert resumed("run") == Path("run/step_0000012")
    assert resumed("run/step_0000003") == Path("run/step_0000003")
    with pytest.raises(ConfigError, match="--resume run: the run is in run; output.dir is elsewhere"):
        resumed("run", Path("elsewhere"))
    saved("runs/x/0002", 5)
    assert resumed("auto", yaml="configs/x.yaml") == Path("runs/x/0002/step_0000005")


def test_the_same_pictures_under_another_path_are_the_same_data():
    """Another place, another order of writing: the same; one file more or larger: not."""
    for folder, names in (("a", "xyz"), ("b/c", "zyx"), ("more", "wxyz"), ("larger", "xyz")):
        for name in names:
            file = Path(folder, "inside", f"{name}.png")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("12" if folder == "larger" and name == "x" else "1")

    class Pictures(Settings):
        root: Path

    def reading(root, lr=0.1):
        it = config()
        data = it.data.model_copy(update={"train": Pictures(root=root)})
        adam = OptimizerConfig(kind="adam", lr=lr)
        return it.model_copy(update={"data": data, "optimizers": {"g": adam}})

    before = reading("a")
    meta = {"config": configuration.as_dict(before), "data": data_fingerprints(before)}
    for root, same in (("a", True), ("b/c", True), ("more", False), ("larger", False)):
        it = reading(root)
        if same:
            assert changes("step", meta, it, data_fingerprints(it), allowed=False) == []
        else:
            with pytest.raises(ConfigError, match=f"another 'data.train.root' .*'a' -> '{root}'"):
                changes("step", meta, it, data_fingerprints(it), allowed=False)
        assert binding(it) == binding(before)
    assert binding(reading("a", 0.2)) != binding(before)
    assert changes("step", meta, reading("more", 0.2), data_fingerprints(reading("more")), allowed=True) == [
        "data.train.root: 'a' -> 'more'",
        "optimizers.g.lr: 0.1 -> 0.2",
    ]


def test_saved_configuration_names_its_folder():
    resolved = with_folder(config(), "somewhere")
    Path("somewhere").mkdir()
    save_config(resolved, "somewhere")
    assert "dir: somewhere" in Path("somewhere/config.yaml").read_text()
