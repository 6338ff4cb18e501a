"""The first minute of a newcomer: what mistakes answer, and what the version is."""

import tomllib
from pathlib import Path

import pytest
import yaml

import engine
from tests.test_command_lines import ended

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("program", ["train.py", "infer.py", "tools/make_lite_data.py"])
def test_version(program):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert ended(program, "--version") == (0, f"Kintsugi {project['version']}\n", "")
    assert engine.__version__ == project["version"]
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == project["version"]
    assert f"## {project['version']} - " in (ROOT / "CHANGELOG.md").read_text()


def test_flag_of_another_configuration_names_it():
    """The landmark project's command without -c."""
    status, _, err = ended("train.py", "--model_G", "./demo/model_cn", "--phase1", "8")
    assert (status, err.count("\n")) == (2, 1)
    assert "unknown flag '--model_G'; configs/landmark.yaml takes it: add -c configs/landmark.yaml." in err


def test_wrong_webcaricature_folder_names_the_right_one(tmp_path):
    words = ["-c", "configs/sphereface_lite.yaml", "--pretrained", "weights/lite/sphereface_lite.pdparams"]
    status, _, err = ended("tools/verify_faces.py", *words, "--root", str(tmp_path))
    assert (status, err.count("\n")) == (2, 1)
    assert f"{tmp_path}: has no folder EvaluationProtocols/" in err
    assert "--root data/WebCaricature" in err


def test_training_without_a_configuration_says_which_it_takes(tmp_path):
    words = ["--data_dir", str(tmp_path / "nowhere"), "--output_dir", str(tmp_path / "run")]
    status, out, err = ended("train.py", *words)
    assert status == 2
    assert (out + err).startswith("no -c: system.gpen.GPEN, configs/gpen_256.yaml; for another: -c configs/NAME.yaml")
