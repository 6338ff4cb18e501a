"""Every shipped TIPC file: read without a remark, planned in every mode, its scripts and paths there."""

from pathlib import Path

import pytest

from test_tipc.deploy import ASSEMBLY
from test_tipc.parser import read_config
from test_tipc.plan import plan
from test_tipc.slots import MODES

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / "test_tipc" / "configs"
FILES = sorted([*CONFIGS.glob("*/train*infer_python*.txt")])
FILES = [path for path in FILES if "ptq" not in path.name]
CHAINS = {
    "train_amp_infer_python.txt",
    "train_to_static_python.txt",
    "train_data_parallel_python.txt",
    "paddle2onnx_infer_python.txt",
    "train_ptq_infer_python.txt",
}


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
@pytest.mark.parametrize("mode", MODES)
def test_planned_without_a_remark(path, mode):
    config = read_config(path)
    stages = plan(config, mode)
    assert config.notices == []
    assert config.value("model_name") == path.parent.name
    kinds = [stage.kind for stage in stages]
    assert set(kinds) == ({"export", "infer"} if mode == "whole_infer" else {"train", "eval", "export", "infer"})
    for stage in stages:
        words = stage.command.split()
        script = next(word for word in words if word.endswith(".py"))
        assert (ROOT / script).is_file()
        named = [word.split("=")[1] for word in words if word.startswith("--config=")]
        assert all((ROOT / name).is_file() for name in named)


@pytest.mark.parametrize("folder", sorted({path.parent for path in FILES}), ids=lambda path: path.name)
def test_every_system_has_its_three_files(folder):
    names = {path.name for path in folder.glob("*.txt")}
    wanted = {
        "train_infer_python.txt",
        "train_infer_python_32.txt",
        "train_linux_gpu_normal_normal_infer_python_linux_gpu_cpu.txt",
    }
    assert wanted <= names
    assert read_config(folder / "train_infer_python.txt").dialect == "full51"
    assert read_config(folder / "train_infer_python_32.txt").dialect == "lite32"


ABSENT = {  # systems for which a chain makes no sense; test_tipc/README.md says why
    "train_to_static_python.txt": {"SATNet"},
    "train_data_parallel_python.txt": {"PartialConv", "LandmarkPredictor", "LandmarkInpainting"},
    "train_ptq_infer_python.txt": {"PartialConv", "LandmarkInpainting", "LandmarkPredictor", "SATNet", "SphereFace"},
}


@pytest.mark.parametrize("name", sorted(CHAINS))
def test_every_system_has_a_file_for_every_chain_that_makes_sense(name):
    folders = {path.name for path in CONFIGS.iterdir()}
    assert {path.parent.name for path in CONFIGS.glob(f"*/{name}")} == folders - ABSENT.get(name, set())


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*/*_python.txt")), ids=lambda path: path.parent.name + path.stem)
def test_further_files_are_clean_and_their_scripts_are_there(path):
    dialect = {"paddle2onnx_infer_python": "paddle2onnx", "train_ptq_infer_python": "ptq"}.get(path.stem)
    config = read_config(path, dialect)
    assert config.notices == []
    stages = ASSEMBLY[dialect].stages(config) if dialect else plan(config, MODES[0])
    assert [notice for notice in config.notices if notice.is_error] == [] and len(stages) >= 2
    for stage in stages:
        assert all((ROOT / word).is_file() for word in stage.command.split() if word.endswith(".py"))


def test_gpu_variant_uses_one_card_and_two():
    path = ROOT / "test_tipc/configs/GPEN/train_linux_gpu_normal_normal_infer_python_linux_gpu_cpu.txt"
    commands = [stage.command for stage in plan(read_config(path), MODES[0]) if stage.kind == "train"]
    assert len(commands) == 2 and "--gpus=0,1 train.py" in commands[1] and "launch" not in commands[0]
    assert all("--device=gpu" in command for command in commands)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_starting_weights_are_shipped(path):
    config = read_config(path)
    slot = "infer_model" if config.dialect == "full51" else "train_model"
    for name in (config.value("pretrained"), config.value(slot)):
        assert name == "null" or (ROOT / name).is_file(), f"{path.name}: {name} is not there"
