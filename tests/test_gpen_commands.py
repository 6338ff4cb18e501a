"""GPEN's old command lines: its files lie where its own readers look."""

import re
import shutil

import numpy as np
import pytest

from engine.images import read_image, resize, to_uint8
from metric.psnr_ssim import psnr
from tests.script_calls import ROOT, told
from tests.training_process import faces_to_train_on


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    """Six faces to train on and two to test on."""
    return faces_to_train_on(tmp_path_factory.mktemp("faces"))


@pytest.mark.slow
def test_gpens_own_commands_leave_their_files_where_its_readers_look(faces, tmp_path, monkeypatch):
    """The words of GPEN's README with small numbers, in a folder that holds only the configurations."""
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    shutil.copytree(faces, tmp_path / "data" / "GPEN")
    shutil.copyfile(faces / "val" / "face_100.png", tmp_path / "F.png")
    (tmp_path / "data" / "GPEN" / "val").rename(tmp_path / "data" / "GPEN" / "test")
    monkeypatch.chdir(tmp_path)
    size = ["--size=32", "--mul=1", "--narrow=0.03125"]

    told(
        "train",
        *size,
        "--start_iter=0",
        "--max_iter=2",
        "--batch_size=2",
        "--pretrain=None",
        "--train_path=data/GPEN/train/",
        "--test_path=data/GPEN/test/",
    )
    assert {path.name for path in (tmp_path / "ckpts").iterdir()} >= {"train.log", "latest.pdparams", "step_0000002"}
    assert [path.name for path in (tmp_path / "samples").iterdir()] == ["step_0000002.png"]
    weights = "ckpts/latest.pdparams"
    assert "2 pictures, 0 skipped" in told("test", "-w", weights, "--test_path=data/GPEN/test/", *size)
    words = ["--size", "32", "--mul=1", "--narrow=0.03125", "--w", weights, "--img", "F.png"]
    told("predict", *words)
    restored = to_uint8(read_image("results/predict/F_predict.png"))
    line = r"F\.png: PSNR degraded (\S+) dB, restored (\S+) dB\nno FID: "
    scores = re.search(line, told("predict", *words, "--degrade"))
    clean = to_uint8(resize(read_image("F.png"), (32, 32), "area"))
    for score, name in zip(scores.groups(), ("F_predict_degraded.png", "F_predict.png"), strict=True):
        written = to_uint8(read_image(f"results/predict/{name}"))
        assert float(score) == pytest.approx(psnr(written, clean), abs=0.006)
        assert not np.array_equal(written, restored)
    told("export_model", "--model_path", weights, "--save_dir", "inference/GPEN", *size, "--ir", "legacy")
    for program in ("model.json", "model.pdmodel"):
        told(
            "infer",
            "--model_file",
            f"inference/GPEN/{program}",
            "--params_file",
            "inference/GPEN/model.pdiparams",
            "--img",
            "F.png",
        )
        levels = np.abs(to_uint8(read_image("results/infer/F_predict.png")).astype(int) - restored)
        assert levels.max() <= 1
        assert (levels > 0).mean() < 0.005
