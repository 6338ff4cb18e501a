"""Triton's model repository: read by Triton's own protobuf where tritonclient is installed, and by its grammar."""

import importlib.util
import re

import numpy as np
import pytest

from deploy.contract import Contract
from deploy.export import export
from deploy.predictor import Predictor
from deploy.triton import configuration
from engine.system import Port
from tests.deploy.contracts import contract, image, mask
from tests.deploy.exported_toy import toy
from tests.script_calls import call

GRAMMAR = re.compile(r'\w+: (?:"[\w.-]+"|-?\d+)|\w+ \{(?: \w+: (?:"\w+"|[A-Z_0-9]+|\d+|\[-?\d+(?:, -?\d+)*\]))+ \}')


def parsed(text):
    """A config.pbtxt as Triton reads it: its ModelConfig. Skips where tritonclient is not installed."""
    found = importlib.util.find_spec("tritonclient")
    if found is None or importlib.util.find_spec("google.protobuf.text_format") is None:
        pytest.skip("tritonclient is not installed")
    from google.protobuf import text_format

    path = f"{found.submodule_search_locations[0]}/grpc/model_config_pb2.py"  # its package asks for all of gRPC
    spec = importlib.util.spec_from_file_location("model_config_pb2", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return text_format.Parse(text, module.ModelConfig()), module.TYPE_FP32


def check(read, single, found: Contract, batch):
    assert (read.platform, read.max_batch_size) == ("onnxruntime_onnx", batch)
    assert read.HasField("dynamic_batching") and read.dynamic_batching.max_queue_delay_microseconds == 10_000
    for ports, entries in ((found.inputs, read.input), (found.outputs, read.output)):
        assert [(one.name, tuple(one.dims)) for one in entries] == [(port.name, port.shape[1:]) for port in ports]
        assert {one.data_type for one in entries} == {single}


FILLER = contract(image(), mask(), outputs=(image(name="composite"), Port("code", (-1, 4), "vector")))


def test_every_line_is_of_the_text_grammar():
    lines = configuration("gpen-256", FILLER, 4).splitlines()
    assert all(GRAMMAR.fullmatch(line) for line in lines), lines
    assert lines[:3] == ['name: "gpen-256"', 'platform: "onnxruntime_onnx"', "max_batch_size: 4"]
    assert lines[4] == 'input { name: "mask" data_type: TYPE_FP32 dims: [1, -1, -1] }'


def test_triton_reads_the_contract():
    read, single = parsed(configuration("gpen", FILLER))
    check(read, single, FILLER, 8)
    assert read.name == "gpen"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("toy")
    export(toy(16), folder)
    return folder


def test_a_repository_holds_a_graph_with_the_names_of_its_configuration(model, tmp_path):
    for name in ("onnx", "onnxruntime", "paddle2onnx"):
        pytest.importorskip(name, reason=f"{name} (requirements-onnx.txt) is absent")
    import onnxruntime

    out = tmp_path / "repository"
    result = call("tools/triton_repository", model, out, "--name", "toy", "--batch=3")
    assert result.returncode == 0 and "batch 3: largest difference" in result.stdout, result.stderr
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()) == [
        "toy/1/model.onnx",
        "toy/config.pbtxt",
    ]
    session = onnxruntime.InferenceSession(str(out / "toy" / "1" / "model.onnx"))
    predictor = Predictor(model)
    given = {port.name: np.ones((2, *port.shape[1:]), np.float32) * 0.5 for port in predictor.contract.inputs}
    wanted = predictor.run(given)
    for name, array in zip(wanted, session.run(list(wanted), given), strict=True):
        np.testing.assert_allclose(array, wanted[name], atol=1e-5)
    text = (out / "toy" / "config.pbtxt").read_text()
    again = call("tools/triton_repository", model, out, "--name", "toy")
    assert again.returncode == 2 and again.stderr.startswith(f"error: {out / 'toy'}: is there already")
    check(*parsed(text), predictor.contract, 3)


def test_mistakes_are_one_line(model, tmp_path):
    for words, expected in (
        ([model, tmp_path, "--name=a/b"], "--name a/b: expected letters, digits"),
        ([tmp_path / "none", tmp_path], "none"),
        ([model], "OUT is missing"),
    ):
        result = call("tools/triton_repository", *words)
        assert result.returncode == 2 and expected in result.stderr and result.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())
