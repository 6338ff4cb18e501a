import os
import re
import subprocess
import sys

import numpy as np
import paddle
import pytest

from deploy.export import export, seeded_inputs, write_graph
from deploy.predictor import WRONG_PASSES, Predictor, model_files, wrong_passes
from engine import config
from engine.errors import InputError
from engine.ports import Exported, Port
from engine.system import build_system
from tests.deploy.exported_toy import toy


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An exported Toy in both formats; do not change it."""
    path = tmp_path_factory.mktemp("exported")
    export(toy(), path, legacy=True)
    return path


@pytest.fixture
def copied(folder, tmp_path):
    """A copy to break."""
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


@pytest.mark.parametrize("use_mkldnn", [True, False])
@pytest.mark.parametrize("program", ["", "inference.json", "inference.pdmodel"])
def test_runs_like_the_layer_at_changing_batch_sizes(folder, program, use_mkldnn):
    exported, predictor = toy(), Predictor(folder / program, use_mkldnn=use_mkldnn)
    assert predictor.config.mkldnn_enabled() == use_mkldnn
    for batch in (1, 3, 2, 1):
        arrays = seeded_inputs(exported.inputs, batch, seed=batch)
        found = predictor.run(arrays)
        wanted = exported.layer(*(paddle.to_tensor(arrays[port.name]) for port in exported.inputs))
        for port, want in zip(exported.outputs, wanted, strict=True):
            np.testing.assert_allclose(found[port.name], want.numpy(), atol=1e-5)


class Likeness(paddle.nn.Layer):
    """How alike every two positions are, the beginning of an attention: reshape, transpose, matmul of a convolution."""

    def __init__(self):
        super().__init__()
        self.conv = paddle.nn.Conv2D(3, 8, 1)

    def forward(self, image):
        """[N, 3, 8, 8] -> [N, 3, 64, 64]."""
        x = self.conv(image)
        rows, columns = x.reshape([-1, 8, 64]).transpose([0, 2, 1]), x.reshape([-1, 8, 64])
        return paddle.concat([paddle.matmul(rows, columns).reshape([-1, 1, 64, 64])] * 3, axis=1)


def test_no_graph_runs_a_pass_that_is_wrong(folder, tmp_path):
    """reshape_transpose_matmul_fuse_pass makes these numbers wrong, without an error."""
    paddle.seed(1)
    layer = Likeness()
    layer.eval()
    port = [Port("image", (-1, 3, 8, 8))], [Port("out", (-1, 3, 64, 64))]
    export(Exported(layer=layer, inputs=port[0], outputs=port[1]), tmp_path)
    arrays = seeded_inputs(port[0], 2, seed=0)
    wanted = layer(paddle.to_tensor(arrays["image"])).numpy()
    np.testing.assert_allclose(Predictor(tmp_path).run(arrays)["out"], wanted, atol=1e-5)


def test_bf16_is_near(folder):
    arrays = seeded_inputs(toy().inputs, 2, seed=0)
    exact, rough = (Predictor(folder, precision=name).run(arrays)["filled"] for name in ("fp32", "bf16"))
    assert np.abs(exact - rough).max() < 0.03


@pytest.mark.parametrize("has_it", [False, True])
def test_bf16_that_is_float32_is_said(folder, has_it, monkeypatch, caplog):
    """A user would take float32's times and answers for those of bfloat16."""
    monkeypatch.setattr(paddle.base.core, "supports_bfloat16", lambda: has_it)
    with caplog.at_level("WARNING", logger="kintsugi"):
        Predictor(folder)
        assert "bf16" not in caplog.text
        Predictor(folder, precision="bf16")
    assert ("precision bf16: this processor has no AVX-512" in caplog.text) is not has_it


def test_a_folder_gives_json_before_pdmodel_and_inference_before_others(copied):
    assert model_files(copied)[0].name == "inference.json"
    for suffix in ("json", "pdiparams"):
        (copied / f"another.{suffix}").write_bytes(b"")
    assert model_files(copied)[0].name == "inference.json"
    (copied / "inference.json").unlink()
    (copied / "another.json").unlink()
    assert model_files(copied)[0].name == "inference.pdmodel"


def test_several_models_none_named_inference(tmp_path):
    for name in ("one", "two"):
        for suffix in ("json", "pdiparams"):
            (tmp_path / f"{name}.{suffix}").write_bytes(b"")
    with pytest.raises(InputError, match="holds one.json, two.json; name one with --model_file"):
        Predictor(tmp_path)


def cut(path):
    path.write_bytes(path.read_bytes()[:-20])


def overwritten(path):
    path.write_bytes(b"x" * path.stat().st_size)


BREAKS = {
    "no folder": (lambda folder: folder / "missing", "missing: no such folder"),
    "no file": (lambda folder: folder / "missing.json", "missing.json: no such file"),
    "nothing in it": (lambda folder: [path.unlink() for path in folder.iterdir()], "holds no exported model"),
    "no parameters": (lambda folder: (folder / "inference.pdiparams").unlink(), "holds no exported model"),
    "no contract": (lambda folder: (folder / "inference.yaml").unlink(), "inference.yaml: cannot be read"),
    "no YAML": (lambda folder: (folder / "inference.yaml").write_text("{"), "inference.yaml: not YAML"),
    "other YAML": (
        lambda folder: (folder / "inference.yaml").write_text("a: 1"),
        "inference.yaml: inputs: Field required",
    ),
    "cut parameters": (lambda folder: cut(folder / "inference.pdiparams"), r"pdiparams: \d+ bytes, expected \d+"),
    "cut program": (lambda folder: cut(folder / "inference.json"), r"inference.json: \d+ bytes, expected \d+"),
    "other parameters": (lambda folder: overwritten(folder / "inference.pdiparams"), "json: Paddle cannot load it"),
    "other program": (lambda folder: overwritten(folder / "inference.json"), "json: Paddle cannot load it"),
}


@pytest.mark.parametrize("change, line", BREAKS.values(), ids=BREAKS)
def test_a_broken_model_is_one_line(copied, change, line):
    changed = change(copied)
    with pytest.raises(InputError, match=line) as caught:
        Predictor(changed if hasattr(changed, "parts") else copied)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "options, line",
    [
        pytest.param({"use_gpu": True}, "sees no GPU", marks=pytest.mark.skipif(
            paddle.is_compiled_with_cuda(), reason="this Paddle may see a GPU")),
        ({"use_trt": True}, "TensorRT needs use_gpu"),
        ({"precision": "fp16"}, "fp16: needs use_gpu"),
        ({"precision": "bf16", "use_mkldnn": False}, "bf16: needs oneDNN"),
        ({"precision": "int8"}, "int8: expected one of fp32, bf16, fp16"),
        ({"cpu_threads": 0}, "cpu_threads 0: expected at least 1"),
    ],
)  # fmt: skip
def test_options_that_cannot_be_had(folder, options, line):
    with pytest.raises(InputError, match=line):
        Predictor(folder, **options)


def test_inputs_that_do_not_fit(folder):
    predictor, arrays = Predictor(folder), seeded_inputs(toy().inputs, 1, seed=0)
    with pytest.raises(InputError, match=r"input 'mask' \[-1, 1, 16, 16\] is missing; found \['image'\]"):
        predictor.run({"image": arrays["image"]})
    with pytest.raises(InputError, match=r"input 'image' has shape \[1, 3, 8, 16\], expected \[-1, 3, 16, 16\]"):
        predictor.run(arrays | {"image": arrays["image"][:, :, :8]})


TRACED = """
import sys
import engine
from deploy.export import seeded_inputs
from deploy.predictor import Predictor
from tests.deploy.exported_toy import toy
arrays = seeded_inputs(toy().inputs, 1, seed=0)
for use_mkldnn in (False, True):
    print("oneDNN", use_mkldnn, flush=True)
    Predictor(sys.argv[1], use_mkldnn=use_mkldnn, cpu_threads=1).run(arrays)
"""


@pytest.mark.slow
def test_use_mkldnn_false_runs_no_onednn_primitive(folder):
    result = subprocess.run([sys.executable, "-c", TRACED, str(folder)], env=os.environ | {"ONEDNN_VERBOSE": "1"},
                            capture_output=True, text=True, check=True)  # fmt: skip
    without, with_it = result.stdout.split("oneDNN True")
    primitive = re.compile(r"^onednn_verbose.*exec.*convolution", re.MULTILINE)
    assert not primitive.search(without) and primitive.search(with_it)


KEEPER = """
import ctypes, sys, threading
import engine
from deploy.predictor import keep_memory

if sys.argv[1] == "keep":
    keep_memory()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.fdopen.restype = ctypes.c_void_p, ctypes.c_void_p
together = threading.Barrier(4)

def take():
    together.wait()
    libc.free(ctypes.c_void_p(libc.malloc(100_000)))
    together.wait()

threads = [threading.Thread(target=take) for _ in range(4)]
for each in threads:
    each.start()
for each in threads:
    each.join()
out = ctypes.c_void_p(libc.fdopen(1, b"w"))
libc.malloc_info(0, out)
libc.fflush(out)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="arenas are glibc's")
def test_threads_share_the_memory_that_is_kept():
    """A server whose threads keep memory each for itself grows for thousands of requests."""

    def arenas(word):
        run = subprocess.run([sys.executable, "-c", KEEPER, word], capture_output=True, text=True, check=True)
        return run.stdout.count("<heap nr=")

    assert arenas("keep") == 1 < arenas("not")


@pytest.mark.skipif(not paddle.base.core.supports_bfloat16(), reason="this processor has no bfloat16 in oneDNN")
def test_bfloat16_reaches_convolutions_before_a_relu(tmp_path):
    """With their ReLUs inside, 15 of this graph's 17 would stay in float32, and the answers be 6e-5 apart."""
    system = build_system(config.load("configs/landmark_lite.yaml", [("recipe.landmark", "none", "test")]))
    (exported,) = system.inference(system.networks).values()
    write_graph(exported, tmp_path / "inference")
    arrays = seeded_inputs(exported.inputs, 1, 0)
    exact, rough = (Predictor(tmp_path, precision=one).run(arrays)["composite"] for one in ("fp32", "bf16"))
    assert 5e-4 < np.abs(exact - rough).max() < 0.05
    assert wrong_passes(tmp_path / "inference.json") == set(WRONG_PASSES), "in float32 the ReLUs go inside"
