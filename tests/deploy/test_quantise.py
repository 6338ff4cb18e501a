"""Quantisation: the refused routes, the verdict, and a real int8 model. Needs requirements-onnx.txt for the last."""

import json

import numpy as np
import pytest

from deploy import quantise
from engine.errors import InputError
from engine.ports import Port
from tests.deploy.contracts import contract, image
from tools import quantise as program


@pytest.mark.parametrize(
    "route, message",
    [
        ("onednn-int8", "fast and wrong"),
        ("paddle-pir", "garbage"),
        ("paddle-legacy", "slower than fp32"),
        ("paddle-qat", "TypeError"),
        ("int4", "unknown; expected onnxruntime"),
    ],
)
def test_broken_routes_are_refused_with_the_reason(route, message):
    with pytest.raises(InputError, match=message):
        quantise.check_route(route)


def test_the_good_route_is_open():
    assert quantise.check_route("onnxruntime") is None


@pytest.mark.parametrize(
    "report, message",
    [
        ({"psnr_to_fp32": 12.0}, "12.0 dB from fp32"),
        ({"psnr_to_fp32": float("nan")}, "nan dB"),
        ({"error_to_fp32": 0.5}, "0.500 from fp32"),
    ],
)
def test_a_model_far_from_fp32_is_refused(report, message):
    with pytest.raises(InputError, match=message):
        quantise.verdict(report)


def test_a_near_model_is_kept():
    assert quantise.verdict({"psnr_to_fp32": 40.0}) is None and quantise.verdict({"error_to_fp32": 0.01}) is None


def test_distances_of_pictures_and_of_vectors():
    pictures = contract(image(4, 4), outputs=(image(4, 4, name="x"),))
    grey, lighter = np.full((2, 3, 4, 4), 0.5), np.full((2, 3, 4, 4), 0.6)
    assert quantise.distances(pictures, {"x": grey}, {"x": lighter})["psnr_to_fp32"] == pytest.approx(20.0)
    vector = contract(image(4, 4), outputs=(Port("x", (-1, 4), "vector"),))
    assert quantise.distances(vector, {"x": grey}, {"x": lighter})["error_to_fp32"] == pytest.approx(0.2)


@pytest.mark.slow
def test_int8_model_is_int8_and_its_report_is_written(tmp_path):
    for name in ("onnx", "onnxruntime", "paddle2onnx"):
        pytest.importorskip(name, reason="requirements-onnx.txt is not installed")
    import onnx
    import paddle

    from deploy.export import export
    from engine import images
    from engine.system import Exported, Port

    paddle.seed(0)
    port = Port("image", (-1, 3, 16, 16))
    export(Exported(paddle.nn.Conv2D(3, 3, 3, padding=1), [port], [Port("out", port.shape)]), tmp_path / "fp32")
    for index in range(4):
        picture = np.random.default_rng(index).random((16, 16, 3)).astype(np.float32)
        images.write_image(tmp_path / "pictures" / f"{index}.png", picture)
    words = [
        f"--model_path={tmp_path / 'fp32'}",
        f"--output_dir={tmp_path / 'int8'}",
        f"--data_dir={tmp_path / 'pictures'}",
        f"--target_dir={tmp_path / 'pictures'}",
        "--batch_size=2",
    ]
    assert program.main(words) == 0
    graph = onnx.load(str(tmp_path / "int8" / "inference.onnx")).graph
    assert "QuantizeLinear" in {node.op_type for node in graph.node}
    assert 3 in {tensor.data_type for tensor in graph.initializer if list(tensor.dims) == [3, 3, 3, 3]}  # INT8
    report = json.loads((tmp_path / "int8" / "quantised.json").read_text())
    assert report["pictures"] == 4 and report["psnr_to_fp32"] > 30
    assert {"fp32_ms", "int8_ms", "fp32_psnr", "int8_psnr"} <= report.keys()
