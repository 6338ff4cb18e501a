import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import paddle
import pytest

import infer
from deploy.export import describe, export, save, write_contract
from engine import images
from engine.errors import InputError
from engine.ports import Exported, Port
from model.gpen.exported import ExportedGPEN
from model.gpen.network import GPENGenerator
from tests.deploy.exported_toy import toy

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def generator():
    paddle.seed(2)
    network = GPENGenerator(16, narrow=1 / 32, style_dim=16, n_mlp=2)
    network.eval()
    return network


@pytest.fixture(scope="module")
def model(generator, tmp_path_factory):
    """A small GPEN with GPEN's old names model.*; its training form is `generator`."""
    image, result = [Port("image", (-1, 3, 16, 16))], [Port("restored", (-1, 3, 16, 16))]
    folder = tmp_path_factory.mktemp("inference")
    export(Exported(ExportedGPEN(generator), image, result), folder, "model", legacy=True)
    return folder


@pytest.fixture
def pictures(tmp_path):
    """Three pictures of several sizes and one that cannot be read."""
    random = np.random.default_rng(0)
    for i, size in enumerate([(16, 16), (40, 32), (9, 9)]):
        images.write_image(tmp_path / "in" / f"{i}.png", random.random((*size, 3)))
    (tmp_path / "in" / "broken.png").write_bytes(b"no picture")
    return tmp_path / "in"


def called(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["infer.py", *map(str, words)])
    return infer.main()


def test_imports_nothing_of_the_networks():
    tree = ast.parse((ROOT / "infer.py").read_text())
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert not {name.split(".")[0] for name in imported} & {"model", "system", "loss", "data_loader"}


def test_a_graph_that_gives_no_numbers(pictures, tmp_path, monkeypatch):
    """An export refuses such a graph; one that came otherwise ends in one line and no black picture."""
    exported = toy(hole=None)
    exported.layer.conv.bias.set_value(exported.layer.conv.bias * float("nan"))
    for folder, name in ((pictures / "image", "1.png"), (pictures / "mask", "1.png")):
        images.write_image(folder / name, np.eye(16, dtype=np.float32)[..., None].repeat(3, 2))
    (tmp_path / "model").mkdir()
    save(exported, tmp_path / "model" / "inference", legacy=False)
    write_contract(tmp_path / "model" / "inference", describe(exported, tmp_path / "model" / "inference"))
    with pytest.raises(InputError, match="1.png: output 'filled' of .*inference.json holds values that are not finite"):
        called(
            monkeypatch, "--model_dir", tmp_path / "model", "--image_dir", pictures, "--output_dir", tmp_path / "out"
        )
    assert not list((tmp_path / "out").glob("*.png"))


@pytest.mark.slow
def test_as_tipc_calls_it(generator, model, pictures, tmp_path):
    out, log = tmp_path / "out", tmp_path / "times.log"
    words = ["--use_gpu=False", "--use_mkldnn=True", "--cpu_threads=2", "--batch_size=2", "--use_trt=False",
             "--precision=fp32", f"--model_dir={model}", f"--image_dir={pictures}", "--benchmark=True",
             f"--save_log_path={log}", f"--output_dir={out}"]  # fmt: skip
    result = subprocess.run([sys.executable, "infer.py", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert re.search("skipped: .*broken.png", result.stderr)
    signatures = dict(line.split("\t") for line in result.stdout.splitlines() if "\t" in line)
    assert sorted(signatures) == ["0.png", "1.png", "2.png"]
    assert "3 pictures, 1 skipped" in result.stdout
    for name, numbers in signatures.items():
        image = images.resize(images.read_image(pictures / name), (16, 16), "area")
        with paddle.no_grad():
            restored = generator(paddle.to_tensor(2 * images.to_chw(image)[None] - 1))[0].numpy()
        wanted = np.clip((restored + 1) / 2, 0, 1)
        np.testing.assert_allclose(json.loads(numbers), wanted.mean(axis=(1, 2)), atol=1e-5)
        written = images.to_uint8(images.read_image(out / name.replace(".png", "_predict.png"))).astype(int)
        levels = np.abs(written - images.to_uint8(images.to_hwc(wanted)))
        assert levels.max() <= 1 and (levels > 0).mean() < 0.005
    for key in ("preprocess_time(ms): ", "inference_time(ms): ", "postprocess_time(ms): ", "enable_mkldnn: True",
                "cpu_math_library_num_threads: 2", "data_num: 3", "ips: ", "paddle_version: "):  # fmt: skip
        assert key in result.stdout and key in log.read_text(), key


@pytest.mark.parametrize("program", ["model.json", "model.pdmodel"])
def test_as_gpens_users_call_it(model, pictures, tmp_path, monkeypatch, capsys, program):
    status = called(monkeypatch, "--model_file", model / program, "--params_file", model / "model.pdiparams",
                    "--img", pictures / "0.png", "--output_dir", tmp_path / "out", "--use_mkldnn", "False")  # fmt: skip
    assert status == 0
    assert capsys.readouterr().out.startswith("0.png\t[")
    assert (tmp_path / "out" / "0_predict.png").exists()


@pytest.mark.parametrize(
    "words, line",
    [
        (["--imgs", "x"], "infer.py: unknown flag '--imgs'. Did you mean '--img'?"),
        (["--use_mkldnn=yes"], "--use_mkldnn: expected True or False"),
        (["--batch_size=two"], "--batch_size: invalid int value: 'two'"),
        (["--model_dir={model}", "--batch_size=0"], "--batch_size: expected at least 1, found 0"),
        (["--precision=int8"], "--precision: expected one of fp32, bf16, fp16"),
        ([], "--model_dir or --model_file"),
        (["--model_dir=nowhere", "--img=x"], "nowhere: no such folder"),
        (["--model_dir={model}"], "no picture given"),
        (["--model_dir={model}", "--image_dir=nowhere"], "nowhere: no such folder"),
        (["--model_dir={model}", "--img=nowhere.png"], "nowhere.png: not a readable image"),
        (["--model_dir={model}", "--img=x", "--mask=m.png"], "--mask: this model has no input 'mask'"),
    ],
)
def test_mistakes_are_one_line(model, words, line, monkeypatch):
    with pytest.raises(InputError, match=re.escape(line)) as caught:
        called(monkeypatch, *(word.format(model=model) for word in words))
    assert "\n" not in str(caught.value)


def test_results_that_cannot_be_written(model, pictures, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file.*cannot be written"):
        called(monkeypatch, "--model_dir", model, "--image_dir", pictures, "--output_dir", tmp_path / "file")
