"""The first minute of a newcomer: what mistakes answer, and what the version is."""

import subprocess
import tomllib
from pathlib import Path

import paddle
import pytest
import yaml

import engine
from tests.script_calls import call, draw_faces
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


def test_words_of_another_configuration_name_it():
    """The landmark project's commands without -c."""
    status, _, err = ended("predict.py", "models/phase_3", "config.json", "result")
    assert (status, err.count("\n")) == (2, 1)
    assert "unknown word 'models/phase_3'; GPEN takes flags only, configs/landmark.yaml takes such words" in err
    status, _, err = ended("predict.py", "--mode", "stack")
    assert (status, err.count("\n")) == (2, 1) and "unknown flag '--mode'; configs/landmark.yaml takes it" in err


@pytest.mark.slow
def test_landmark_training_names_the_folder_it_wants_and_works_without(tmp_path, monkeypatch):
    for name in ("configs", "weights"):
        (tmp_path / name).symlink_to(ROOT / name)
    draw_faces(tmp_path / "datasets", 3)
    monkeypatch.chdir(tmp_path)
    small = ["recipe.width=0.0625", "recipe.landmark=none"]
    words = ["-c", "configs/landmark.yaml", "--phase1=0", "--phase2=0", "--phase3=1", "--batch_size=2", "-o", *small]
    status, out, err = ended("train.py", *words)
    assert status == 0, err
    assert "test_data: is not there; datasets is validated on instead" in err and "iter: 1/1" in out


@pytest.mark.slow
def test_the_program_of_an_older_paddle_is_found_under_its_present_name(tmp_path):
    """The seed's `--model_file model.pdmodel`, where the export wrote model.json."""
    words = ["-c", "configs/gpen_lite.yaml", "--pretrained=weights/lite/gpen_lite.pdparams"]
    assert call("export_model", *words, "--save_inference_dir", tmp_path / "model").returncode == 0
    draw_faces(tmp_path / "in", 1)
    program = tmp_path / "model" / "inference.pdmodel"
    files = ["--model_file", program, "--params_file", program.with_suffix(".pdiparams")]
    result = call("infer", *files, "--image_dir", tmp_path / "in", "--output_dir", tmp_path / "out")
    assert result.returncode == 0, result.stderr
    assert f"{program}: is not there; inference.json, Paddle 3's form of it, is taken\n" in result.stderr


LITE_CONFIG, LITE_FILE = ["-c", "configs/gpen_lite.yaml"], "--pretrained=weights/lite/gpen_lite.pdparams"
LARGE = ["-c", "configs/gpen_256.yaml"]
MISTAKES = [  # what a newcomer does: program, words ({} is an empty folder), what the line says of the next step
    ("predict.py", [*LARGE, "--pretrained=GPEN-BFR-256.pth", "--img=a.png"], "tools/fetch_weights.py gpen_bfr_256"),
    ("predict.py", [*LITE_CONFIG, "--img=a.png"], "weights/lite/gpen_lite.pdparams"),
    ("predict.py", [*LARGE, LITE_FILE, "--img=a.png"], "size 64"),
    ("predict.py", [*LITE_CONFIG, LITE_FILE], "expected --image_dir FOLDER or --img FILE"),
    (
        "predict.py",
        [*LITE_CONFIG, LITE_FILE, "--img={}/a.png", "--output_dir=/proc/x"],
        "/proc/x: output folder cannot",
    ),
    (
        "train.py",
        [*LARGE, "--data_dir={}/none", "--output_dir={}/run"],
        "python tools/make_lite_data.py draws lite_data",
    ),
    ("train.py", [*LARGE, "--data_dir={}", "--output_dir={}/run"], "holds no image; expected files ending in"),
    ("train.py", [*LITE_CONFIG, "-o", "train.step=3"], "Did you mean 'steps'?"),
    ("infer.py", ["--model_dir={}/none", "--img=a.png"], "export_model.py --save_inference_dir"),
    ("predict.py", [*LITE_CONFIG, LITE_FILE, "--img=a.png", "--device=gpu"], "expected a GPU or --device cpu"),
]


@pytest.mark.parametrize(("program", "words", "expected"), MISTAKES)
def test_first_mistakes_name_the_next_step(tmp_path, program, words, expected):
    if "--device=gpu" in words and paddle.is_compiled_with_cuda():
        pytest.skip("there is a GPU")
    status, _, err = ended(program, *(word.replace("{}", str(tmp_path)) for word in words))
    assert (status, err.count("\n")) == (2, 1) and expected in err, err


def test_a_tipc_script_called_from_elsewhere_says_where_to_go(tmp_path):
    words = ["bash", ROOT / "test_tipc" / "prepare.sh", "x", "lite_train_lite_infer"]
    result = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 2 and "is not the project folder; cd to it" in result.stderr
