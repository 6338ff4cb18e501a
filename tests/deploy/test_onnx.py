"""ONNX: converted, repaired, compared; a wrong file is never kept. Needs requirements-onnx.txt."""

from pathlib import Path

import numpy as np
import paddle
import pytest

from deploy import onnx as onnx_graph
from deploy.contract import written_contract
from deploy.export import export
from deploy.onnx import OnnxMismatch, OnnxPredictor, export_onnx, operators
from deploy.predictor import Predictor
from engine.errors import InputError
from engine.ports import Exported, Port
from tests.deploy.contracts import contract, image
from tests.script_calls import told

WANTED = ("onnx", "onnxruntime", "paddle2onnx")


class Bent(paddle.nn.Layer):
    """A convolution and two leaky_relu of different slopes."""

    def __init__(self):
        super().__init__()
        self.conv = paddle.nn.Conv2D(3, 3, 3, padding=1)

    def forward(self, image):
        bent = paddle.nn.functional.leaky_relu(self.conv(image) - 0.5, 0.3)
        return paddle.nn.functional.leaky_relu(bent * 2 + 0.1, 0.05)


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """A Paddle export of Bent."""
    folder = tmp_path_factory.mktemp("bent")
    paddle.seed(0)
    port = [Port("image", (-1, 3, 8, 8))]
    export(Exported(Bent(), port, [Port("bent", (-1, 3, 8, 8))]), folder)
    return folder / "inference.json"


def test_operators_and_their_attributes_are_read(program):
    slopes = [attributes["negative_slope"] for name, attributes in operators(program) if name == "leaky_relu"]
    assert slopes == [0.3, 0.05]


def test_a_file_that_is_no_program_is_named(tmp_path):
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(InputError, match="x.json: not a Paddle 3 program"):
        operators(tmp_path / "x.json")


def test_an_operator_that_is_misread_is_refused(program, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_graph, "extra", lambda name: None)
    monkeypatch.setattr(onnx_graph, "MISREAD", ("leaky_relu",))
    with pytest.raises(InputError, match="paddle2onnx misreads leaky_relu"):
        export_onnx(program, program.with_suffix(".pdiparams"), tmp_path / "m.onnx")


def test_a_missing_package_is_named(monkeypatch):
    with pytest.raises(InputError, match="no_such_package is not installed; install requirements-onnx.txt"):
        onnx_graph.extra("no_such_package")


@pytest.fixture
def extras():
    """Skip where the extra is absent."""
    for name in WANTED:
        pytest.importorskip(name, reason="requirements-onnx.txt is not installed")


@pytest.mark.slow
def test_converted_file_equals_paddle_inference_at_two_batch_sizes(extras, program, tmp_path):
    found = export_onnx(program, program.with_suffix(".pdiparams"), tmp_path / "m.onnx")
    assert list(found) == ["batch 1", "batch 3"] and max(found.values()) < 1e-5
    arrays = {"image": np.random.default_rng(0).random((2, 3, 8, 8), np.float32)}
    ours, theirs = OnnxPredictor(tmp_path / "m.onnx").run(arrays), Predictor(program).run(arrays)
    np.testing.assert_allclose(ours["bent"], theirs["bent"], atol=1e-5)
    assert not list(tmp_path.glob(".onnx_*"))


class Padded(paddle.nn.Layer):
    """A reflection pad, and a channel expanded in pictures of any size."""

    def __init__(self):
        super().__init__()
        self.conv = paddle.nn.Conv2D(3, 3, 1)

    def forward(self, image):
        padded = paddle.nn.functional.pad(self.conv(image), [1, 1, 1, 1], mode="reflect")
        return padded[:, :, :-2, 1:-1] * image[:, :1].expand_as(image)


@pytest.mark.slow
def test_open_sizes_and_reflection_pads_are_read_rightly(extras, tmp_path):
    port = [Port("image", (-1, 3, -1, -1))]
    export(Exported(Padded(), port, [Port("padded", (-1, 3, -1, -1))]), tmp_path)
    program = tmp_path / "inference.json"
    assert {"pad3d", "expand_as"} <= {name for name, _ in operators(program)}
    found = export_onnx(program, program.with_suffix(".pdiparams"), tmp_path / "m.onnx")
    assert max(found.values()) < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("weights", sorted(Path("weights/lite").glob("*.pdparams")), ids=lambda path: path.stem)
def test_every_system_converts(extras, weights, tmp_path):
    told("export_model", "-c", f"configs/{weights.stem}.yaml", "-w", weights, "--save_inference_dir", tmp_path)
    for program in sorted(tmp_path.rglob("inference.json")):
        found = export_onnx(program, program.with_suffix(".pdiparams"), program.with_suffix(".onnx"))
        assert list(found) == ["batch 1", "batch 3"] and max(found.values()) < onnx_graph.TOLERANCE


@pytest.mark.slow
def test_weights_are_initializers(extras, program, tmp_path):
    import onnx

    export_onnx(program, program.with_suffix(".pdiparams"), tmp_path / "m.onnx")
    graph = onnx.load(str(tmp_path / "m.onnx")).graph
    assert {node.op_type for node in graph.node}.isdisjoint({"Constant", "Identity"})
    assert [3, 3, 3, 3] in [list(tensor.dims) for tensor in graph.initializer]


@pytest.mark.slow
@pytest.mark.parametrize(
    "slopes, message",
    [
        ([0.05, 0.3], "differs from Paddle Inference"),
        ([0.3], "2 LeakyRelu nodes"),
    ],
)
def test_wrong_slopes_are_caught_and_nothing_is_kept(extras, program, tmp_path, monkeypatch, slopes, message):
    listed = [("leaky_relu", {"negative_slope": slope}) for slope in slopes]
    monkeypatch.setattr(onnx_graph, "operators", lambda path: listed)
    with pytest.raises(OnnxMismatch, match=message):
        export_onnx(program, program.with_suffix(".pdiparams"), tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_damaged_file_is_one_line(extras, program, tmp_path):
    (tmp_path / "m.onnx").write_bytes(b"nothing")
    (tmp_path / "m.yaml").write_text(written_contract(contract(image(8, 8))))
    with pytest.raises(InputError, match="onnxruntime cannot load it"):
        OnnxPredictor(tmp_path / "m.onnx")
