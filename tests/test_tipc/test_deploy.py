"""ONNX and int8 chains: their commands, and that a wrong model is caught behind an exit status of 0."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from engine.errors import ConfigError
from test_tipc import deploy, prepare
from tests.test_tipc.conftest import ROOT, SHIPPED

ONNX, PTQ = SHIPPED / "paddle2onnx_infer_python.txt", SHIPPED / "train_ptq_infer_python.txt"


def printed(capsys, path, mode):
    assert deploy.main([str(path), mode, "--dry-run"]) == 0
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_onnx_commands(capsys):
    """Written by hand from the official script's rules."""
    log = "./test_tipc/output/GPEN/paddle2onnx_infer/paddle2onnx_infer_cpu"
    assert printed(capsys, ONNX, "paddle2onnx_infer") == [
        "python tools/export_onnx.py --model_dir=./output/GPEN_infer/ --model_filename=inference.json"
        " --params_filename=inference.pdiparams --save_file=./output/GPEN_onnx/model.onnx --opset_version=13"
        f" --enable_onnx_checker=True > {log}.log 2>&1",
        "python tools/infer_onnx.py --onnx_file=./output/GPEN_onnx/model.onnx --image_dir=./lite_data/val/lq"
        f" > {log}_onnx.log 2>&1",
    ]


def test_ptq_commands(capsys):
    assert printed(capsys, PTQ, "whole_infer") == [
        "python tools/quantise.py --target_dir=./lite_data/val/hq --use_gpu=False --model_path=./output/GPEN_infer/"
        " --output_dir=./output/GPEN_infer_ptq/ --data_dir=./lite_data/val/lq --batch_num=2 --batch_size=4",
        "python tools/infer_onnx.py --use_gpu=False --model_dir=./output/GPEN_infer_ptq/ --batch_size=1"
        " --image_dir=./lite_data/val/lq --benchmark=True"
        " > ./test_tipc/output/GPEN/whole_infer/python_infer_cpu_batchsize_1.log 2>&1",
    ]


def test_unknown_mode_and_short_file_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="mode 'paddle2onnx': unknown. Did you mean 'paddle2onnx_infer'"):
        deploy.main([str(ONNX), "paddle2onnx"])
    short = tmp_path / "paddle2onnx_infer_python.txt"
    short.write_text("\n".join(ONNX.read_text().splitlines()[:9]) + "\n")
    assert deploy.main([str(short), "paddle2onnx_infer", "--dry-run"]) == 1


def test_prepare_knows_where_the_exported_model_comes_from():
    stage = prepare.plan(prepare.read_config(ONNX.with_name(prepare.EXPORTING)), "whole_infer")[0]
    assert stage.kind == "export" and "--save_inference_dir=./output/GPEN_infer/" in stage.command
    assert all(file in {path.name for path in SHIPPED.iterdir()} for file in prepare.DEPLOYING)


@pytest.fixture
def model(tmp_path, monkeypatch):
    """A Paddle export of a convolution in a folder that is the current one, with pictures; skips without the extra."""
    for name in ("onnx", "onnxruntime", "paddle2onnx"):
        pytest.importorskip(name, reason="requirements-onnx.txt is not installed")
    import paddle

    from deploy.export import export
    from engine import images
    from engine.system import Exported, Port

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    paddle.seed(0)
    port = Port("image", (-1, 3, 16, 16))
    export(Exported(paddle.nn.Conv2D(3, 3, 3, padding=1), [port], [Port("out", port.shape)]), tmp_path / "fp32")
    for index in range(4):
        picture = np.random.default_rng(index).random((16, 16, 3)).astype(np.float32)
        images.write_image(tmp_path / "pictures" / f"{index}.png", picture)
    return tmp_path


def run(folder, source, edits, mode, records):
    lines = source.read_text().splitlines()
    for number, line in (edits | {3: f"python:{sys.executable}"}).items():
        lines[number - 1] = line
    (folder / "chain.txt").write_text("\n".join(lines) + "\n")
    status = deploy.main([str(folder / "chain.txt"), mode])
    report = json.loads(Path(f"test_tipc/output/GPEN/{mode}/{records}.json").read_text())
    return status, [reason for stage in report["stages"] for reason in stage["reasons"]], report


def onnx_chain(folder, script):
    edits = {
        4: f"2onnx: {sys.executable} {script}",
        5: "--model_dir:fp32",
        8: "--save_file:out/model.onnx",
        11: f"inference:{ROOT}/tools/infer_onnx.py",
        12: "--onnx_file:out/model.onnx",
        13: "--image_dir:pictures",
    }
    return run(folder, ONNX, edits, "paddle2onnx_infer", "results_paddle2onnx")


@pytest.mark.slow
def test_onnx_chain_passes(model):
    status, reasons, report = onnx_chain(model, f"{ROOT}/tools/export_onnx.py")
    assert (status, reasons) == (0, [])
    assert max(report["stages"][0]["facts"].values()) < 1e-5 and report["stages"][1]["facts"]["images"] == 4


@pytest.mark.slow
def test_a_wrong_onnx_file_is_caught_behind_status_0(model):
    (model / "swap.py").write_text(
        "import sys, onnx, runpy\n"
        f"sys.argv[0] = '{ROOT}/tools/export_onnx.py'\n"
        "try:\n    runpy.run_path(sys.argv[0], run_name='__main__')\nexcept SystemExit:\n    pass\n"
        "model = onnx.load('out/model.onnx')\n"
        "weight = next(t for t in model.graph.initializer if list(t.dims) == [3, 3, 3, 3])\n"
        "weight.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(weight) * 1.01, weight.name))\n"
        "onnx.save(model, 'out/model.onnx')\n"
    )
    status, reasons, report = onnx_chain(model, "swap.py")
    assert status == 1 and "differs from Paddle Inference by more than 1e-04" in reasons[0], reasons
    assert report["stages"][1]["status"] == "not_run"


@pytest.mark.slow
def test_int8_chain_passes_and_a_renamed_fp32_model_is_caught(model):
    edits = {
        5: "--model_path:fp32",
        6: "--output_dir:int8",
        7: "--data_dir:pictures",
        12: "PTQ:quantise.py",
        15: f"inference:{ROOT}/tools/infer_onnx.py",
        18: "--model_dir:int8",
        19: "--image_dir:pictures",
    }
    wrapped = (
        f"import runpy, shutil, sys\nsys.path.insert(0, '{ROOT}')\n"
        f"sys.argv[0] = '{ROOT}/tools/quantise.py'\nsys.argv.append('--target_dir=pictures')\n"
        "try:\n    runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "except SystemExit as stop:\n    if stop.code:\n        raise\n"
    )
    (model / "quantise.py").write_text(wrapped)
    status, reasons, report = run(model, PTQ, edits, "whole_infer", "results_ptq")
    assert (status, reasons) == (0, []) and report["stages"][0]["facts"]["psnr_to_fp32"] > 25
    shutil.rmtree(model / "int8")
    (model / "quantise.py").write_text(wrapped + "shutil.copyfile('int8/fp32.onnx', 'int8/inference.onnx')\n")
    status, reasons, _ = run(model, PTQ, edits, "whole_infer", "results_ptq")
    assert status == 1 and "no operator is quantised" in reasons[0], reasons
