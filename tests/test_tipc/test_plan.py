"""The commands, word for word, and what a plan remarks on."""

import pytest

from test_tipc.parser import read_config
from test_tipc.plan import plan

LITE = "lite_train_lite_infer"


def commands(path, mode=LITE, device=None):
    config = read_config(path)
    return [" ".join(stage.official_command.replace("|", " ").split()) for stage in plan(config, mode, device)], config


def test_full51_commands_in_order(chain):
    """Written by hand from the official script's rules, not produced by the code under test."""
    path = chain.write_config(edits={3: "python:python", 10: "--pretrained:start.pdparams", 13: "--seed:1"})
    save = "./test_tipc/output/norm_train_gpus_0_autocast_fp32"
    log = "./test_tipc/output/python_infer_cpu_usemkldnn_{}_threads_1_precision_fp32_batchsize_1.log"
    infer = (
        f"python infer.py --use_gpu=False --use_mkldnn={{}} --cpu_threads=1 --model_dir={save} --batch_size=1"
        f" --image_dir=pictures --benchmark=True --precision=fp32 > {log} 2>&1"
    )
    assert commands(path)[0] == [
        f"python train.py --device=auto --output_dir={save} --iters=3 --pretrained=start.pdparams --precision=fp32"
        " --batch_size=2 --seed=1",
        f"python test.py --pretrained={save}/latest.pdparams --device=auto --data_dir=./lite_data/val",
        f"python export_model.py --pretrained={save}/latest.pdparams --save_inference_dir={save}",
        infer.format("True", "True"),
        infer.format("False", "False"),
    ]


def test_full51_whole_infer_exports_beside_the_weights(chain):
    path = chain.write_config(
        edits={
            3: "python:python",
            37: "infer_model:a/b.pdparams|c",
            38: "infer_export:export.py|null",
            39: "infer_quant:False|False",
            42: "--use_mkldnn:True",
        }
    )
    lines, config = commands(path, "whole_infer")
    assert lines[0] == "python export.py --pretrained=a/b.pdparams --save_inference_dir=a"
    assert "--model_dir=a " in lines[1] and "--model_dir=c " in lines[2] and len(lines) == 3
    assert config.notices == []


def test_folder_of_a_model_is_what_dirname_says(chain):
    path = chain.write_config(
        edits={
            37: "infer_model:../a/b/|c.pdparams",
            38: "infer_export:export.py|export.py",
            39: "infer_quant:False|False",
            42: "--use_mkldnn:True",
        }
    )
    lines, _ = commands(path, "whole_infer")
    exports = [line.split("--save_inference_dir=")[1] for line in lines if "--save_inference_dir=" in line]
    assert exports == ["../a", "."]


def test_amp_trainer_names_its_folder(chain):
    path = chain.write_config("lite32", edits={13: "trainer:amp_train", 14: "amp_train:train.py"})
    assert "/amp_train_gpus_0_autocast_True_nodes_1.log " in commands(path)[0][0]


def test_lite32_leaves_out_device_precision_and_data(chain):
    path = chain.write_config("lite32", edits={3: "python:python"})
    save = "./test_tipc/output/GPEN/lite_train_lite_infer/norm_train_gpus_0_autocast_False_nodes_1.log"
    assert commands(path)[0] == [
        f"python train.py --output_dir={save} --iters=3 --batch_size=2",
        f"python test.py --pretrained={save}/latest.pdparams",
        f"python export_model.py --pretrained={save}/latest.pdparams --save_inference_dir={save}",
        f"python infer.py --image_dir=pictures --use_gpu=False --model_dir={save} --batch_size=1 --benchmark=True"
        " > ./test_tipc/output/GPEN/lite_train_lite_infer/python_infer_cpu_batchsize_1.log 2>&1",
    ]


def test_two_trainers_two_cards_and_precisions_multiply(chain):
    path = chain.write_config(
        edits={
            4: "gpu_list:0|0,1",
            5: "--device:cpu|gpu",
            6: "--precision:fp32|bf16",
            15: "trainer:norm_train|to_static_train",
            24: "eval:null",
            30: "norm_export:null",
            20: "to_static_train:train.py --to_static=True",
            34: "to_static_export:null",
        }
    )
    lines, _ = commands(path)
    assert len(lines) == 8
    assert all("launch --gpus=0,1 train.py" in line and "--device=gpu" in line for line in lines[4:])
    assert all("--device=cpu" in line and "launch" not in line for line in lines[:4])
    assert [("--to_static=True" in line, "bf16" in line) for line in lines[:4]] == [
        (False, False),
        (True, False),
        (False, True),
        (True, True),
    ]


def test_pruning_starts_from_the_normal_run(chain):
    path = chain.write_config(
        edits={
            15: "trainer:norm_train|fpgm_train",
            18: "fpgm_train:prune.py",
            24: "eval:null",
            30: "norm_export:null",
            32: "fpgm_export:null",
        }
    )
    lines, _ = commands(path)
    assert "--pretrained=./test_tipc/output/norm_train_gpus_0_autocast_fp32/latest.pdparams" in lines[1]


def test_axes_that_the_official_rules_leave_out(chain):
    path = chain.write_config(
        edits={
            41: "--use_gpu:False|True",
            42: "--use_mkldnn:True|False",
            45: "--use_trt:False|True",
            46: "--precision:fp32|fp16|int8",
            24: "eval:null",
        }
    )
    lines, _ = commands(path)
    labels = [line.split("python_infer_")[1].split("_batchsize")[0] for line in lines[2:]]
    assert labels == [
        "cpu_usemkldnn_True_threads_1_precision_fp32",
        "cpu_usemkldnn_True_threads_1_precision_fp16",
        "cpu_usemkldnn_True_threads_1_precision_int8",
        "cpu_usemkldnn_False_threads_1_precision_fp32",
        "cpu_usemkldnn_False_threads_1_precision_int8",
        "gpu_usetrt_False_precision_fp32",
        "gpu_usetrt_True_precision_fp32",
        "gpu_usetrt_True_precision_fp16",
    ]


def test_missing_mode_value_and_unknown_trainer_are_errors(chain):
    _, config = commands(chain.write_config(edits={7: "--iters:whole_infer=3", 15: "trainer:nrom_train"}))
    texts = [str(notice) for notice in config.notices if notice.is_error]
    assert any("chain.txt:7: error: no value for mode lite_train_lite_infer: '--iters' would" in t for t in texts)
    assert any("chain.txt:15: error: trainer 'nrom_train' names no slot" in t for t in texts)


def test_null_model_and_misspelt_quant_are_errors_of_whole_infer(chain):
    _, config = commands(chain.write_config(edits={37: "infer_model:null", 39: "infer_quant:Fasle"}), "whole_infer")
    texts = [str(notice) for notice in config.notices if notice.is_error]
    assert any("chain.txt:37: error: null: whole_infer needs" in t for t in texts)
    assert any("chain.txt:39: error: 'Fasle' is neither True nor False" in t for t in texts)


def test_device_word_holds_training_and_inference(chain):
    path = chain.write_config(edits={41: "--use_gpu:False|True", 46: "--precision:fp32", 42: "--use_mkldnn:True"})
    on_cpu, _ = commands(path, device="cpu")
    on_gpu, _ = commands(path, device="gpu")
    assert "--device=cpu" in on_cpu[0] and [line for line in on_cpu if "--use_gpu=True" in line] == []
    assert "--device=gpu" in on_gpu[0] and [line for line in on_gpu if "--use_gpu=False" in line] == []
    _, config = commands(chain.write_config(edits={41: "--use_gpu:False"}), device="gpu")
    assert any("no value for device gpu" in notice.text for notice in config.notices)


def models_of(lines):
    return [word.removeprefix("--model_dir=") for line in lines for word in line.split() if "model_dir=" in word]


@pytest.mark.parametrize(("folder", "ending"), [("", "/"), ("null", ""), ("##", ""), ("inference", "/inference")])
def test_full51_model_folder_of_an_inference_dir(chain, folder, ending):
    """As the official template, run on the same four files: an empty value leaves its slash."""
    path = chain.write_config(edits={36: f"inference_dir:{folder}", 42: "--use_mkldnn:True"})
    assert models_of(commands(path)[0]) == [f"./test_tipc/output/norm_train_gpus_0_autocast_fp32{ending}"]


def test_a_bar_splits_a_command_as_bash_does(chain):
    """The official script runs `eval $cmd` with IFS='|': a name that is a list of modes becomes two words."""
    path = chain.write_config(
        edits={
            3: "python:python",
            11: "train_model_name:lite_train_lite_infer=0|whole_infer=1",
            42: "--use_mkldnn:True",
        }
    )
    save = "./test_tipc/output/norm_train_gpus_0_autocast_fp32"
    assert commands(path)[0][1:3] == [
        f"python test.py --pretrained={save}/lite_train_lite_infer=0 whole_infer=1 --device=auto"
        " --data_dir=./lite_data/val",
        f"python export_model.py --pretrained={save}/lite_train_lite_infer=0 whole_infer=1 --save_inference_dir={save}",
    ]
    assert plan(read_config(path), LITE)[1].words.split()[3:4] == ["whole_infer=1"]


@pytest.mark.parametrize("dialect", ["full51", "lite32"])
def test_whole_infer_without_inference_runs_nothing(chain, dialect):
    inference, devices, export = {"full51": (40, 41, 38), "lite32": (27, 28, 25)}[dialect]
    edits = {inference: "inference:null", devices: "null:null", export: "infer_export:null"}
    path = chain.write_config(dialect, edits=edits)
    assert commands(path, "whole_infer")[0] == []


@pytest.mark.parametrize("value", ["null", "", "a.py|b.py"])
def test_evaluation_that_bash_takes_for_null(chain, value):
    """`[ ${eval_py} != "null" ]` is an error of bash for several words, and an error is no."""
    lines, _ = commands(chain.write_config(edits={24: f"eval:{value}"}))
    assert not any("test.py" in line or "a.py" in line for line in lines) and "export_model.py" in lines[1]
