"""Convert an exported model to ONNX, repair the converter's misreadings, compare, and keep the file only if it agrees.

paddle2onnx 2.1.0 reads attributes that Paddle 3 stores as doubles as uninitialised floats. LeakyRelu's slope is one of
them; it is set here to what the Paddle program says. Operators with such an attribute that is not set are refused.

NAME.onnx has its contract in NAME.yaml, as NAME.json has. Needs requirements-onnx.txt.
"""

import contextlib
import importlib
import io
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deploy.contract import Arrays, check_ports, read_contract, written_contract
from deploy.export import seeded_inputs
from deploy.predictor import Predictor, operators
from engine.errors import InputError
from engine.files import write_text
from engine.log import stages

TOLERANCE = 1e-4  # largest difference to Paddle Inference; images are in [0, 1]
BATCH_SIZES = (1, 3)
MISREAD = ("group_norm", "softplus", "pad3d", "celu", "rrelu")  # hold a double that the converter misreads


class OnnxMismatch(Exception):
    """The ONNX graph and Paddle Inference disagree: not the user's mistake."""


def extra(name: str) -> Any:
    """A module of requirements-onnx.txt; InputError where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise InputError(f"{name.split('.', maxsplit=1)[0]} is not installed; install requirements-onnx.txt") from None


def export_onnx(
    program_file: str | Path, params_file: str | Path, onnx_file: str | Path, opset: int = 13
) -> dict[str, float]:
    """Convert, repair and compare; ONNX_FILE and its contract appear only if they are right.

    Args:
        program_file: NAME.json with NAME.yaml beside it.
        params_file: NAME.pdiparams.
        onnx_file: what is written.
        opset: version of the ONNX operators.

    Returns:
        dict "batch N" -> largest difference to Paddle Inference.

    Raises:
        InputError: a package or a file is missing, or the graph has an operator that cannot be converted rightly.
        OnnxMismatch: a difference above TOLERANCE, or not a number.
    """
    onnx, contract = extra("onnx"), read_contract(program_file)
    listed = operators(program_file)
    wrong = sorted({name for name, has in listed if name in MISREAD and has.get("mode") != "reflect"})
    if wrong:
        raise InputError(f"{program_file}: paddle2onnx misreads {', '.join(wrong)}; write them with other operators")
    onnx_file = Path(onnx_file)
    onnx_file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".onnx_", dir=onnx_file.parent) as workshop, stages(3) as begin:
        draft = Path(workshop) / onnx_file.name
        begin("converting")
        _convert(program_file, params_file, draft, opset)
        begin("repairing")
        model = onnx.load(str(draft))
        repair(model, [attributes["negative_slope"] for name, attributes in listed if name == "leaky_relu"])
        gather_weights(model)
        free_expands(model)
        onnx.checker.check_model(model)
        onnx.save(model, str(draft))
        contract = contract.model_copy(update={"files": {}, "max_difference": {}})
        write_text(draft.with_suffix(".yaml"), written_contract(contract))
        begin("comparing")
        differences = compare(draft, Path(program_file))
        onnx_file.with_suffix(".yaml").unlink(missing_ok=True)
        os.replace(draft, onnx_file)
        os.replace(draft.with_suffix(".yaml"), onnx_file.with_suffix(".yaml"))
    return differences


def _convert(program_file, params_file, onnx_file, opset):
    """paddle2onnx as it is; what it prints is shown only where it fails."""
    os.environ["POLYGRAPHY_AUTOINSTALL_DEPS"] = "0"  # else it installs packages into the environment by itself
    converter, told = extra("paddle2onnx"), io.StringIO()
    try:
        with contextlib.redirect_stdout(told):
            converter.export(
                str(program_file),
                str(params_file),
                str(onnx_file),
                opset_version=opset,
                enable_onnx_checker=True,
                optimize_tool="None",
            )
    except Exception as error:  # whatever the converter raises means that it cannot convert
        raise InputError(f"{program_file}: paddle2onnx cannot convert it ({str(error).splitlines()[-1]})") from error
    if not onnx_file.exists():
        raise InputError(f"{program_file}: paddle2onnx wrote nothing: {told.getvalue()[-200:]}")


def repair(model: Any, slopes: list[float]) -> None:
    """Set the slope of every LeakyRelu node to the program's, in order.

    Raises:
        OnnxMismatch: the graph does not have as many LeakyRelu nodes as there are slopes.
    """
    nodes = [node for node in model.graph.node if node.op_type == "LeakyRelu"]
    if len(nodes) != len(slopes):
        raise OnnxMismatch(f"{len(nodes)} LeakyRelu nodes, the Paddle program has {len(slopes)}")
    helper = extra("onnx").helper
    for node, slope in zip(nodes, slopes, strict=True):
        del node.attribute[:]
        node.attribute.append(helper.make_attribute("alpha", float(slope)))


def gather_weights(model: Any) -> None:
    """Make every constant an initializer and take out Identity nodes: quantisation looks for weights there."""
    onnx, graph = extra("onnx"), model.graph
    results, same, kept = {port.name for port in graph.output}, dict[str, str](), []
    for node in graph.node:
        node.input[:] = [same.get(name, name) for name in node.input]
        value = [item for item in node.attribute if item.name == "value"]
        if node.op_type == "Constant" and value:
            tensor = onnx.helper.get_attribute_value(value[0])
            tensor.name = node.output[0]
            graph.initializer.append(tensor)
        elif node.op_type == "Identity" and node.output[0] not in results:
            same[node.output[0]] = node.input[0]
        else:
            kept.append(node)
    del graph.node[:]
    graph.node.extend(kept)


def free_expands(model: Any) -> None:
    """Let every Expand keep the sizes that Paddle leaves open: the converter writes -1, which ONNX refuses; 1 keeps."""
    numpy_helper = extra("onnx").numpy_helper
    shapes = {node.input[1] for node in model.graph.node if node.op_type == "Expand"}
    for tensor in model.graph.initializer:
        if tensor.name in shapes:
            sizes = numpy_helper.to_array(tensor)
            tensor.CopyFrom(numpy_helper.from_array(np.where(sizes == -1, 1, sizes).astype(sizes.dtype), tensor.name))


def compare(onnx_file: str | Path, program_file: str | Path, seed: int = 0) -> dict[str, float]:
    """Largest differences between an ONNX file and Paddle Inference, at BATCH_SIZES.

    Raises:
        OnnxMismatch: one is above TOLERANCE or not a number.
    """
    found, wanted = OnnxPredictor(onnx_file), Predictor(program_file)
    differences = {}
    for batch in BATCH_SIZES:
        arrays = seeded_inputs(wanted.contract.inputs, batch, seed)
        first, second = found.run(arrays), wanted.run(arrays)
        same = all(first[name].shape == second[name].shape for name in second)
        largest = max(np.abs(first[name] - second[name]).max() for name in second) if same else float("inf")
        differences[f"batch {batch}"] = float(largest)
    wrong = {name: value for name, value in differences.items() if not value <= TOLERANCE}
    if wrong:
        raise OnnxMismatch(f"{onnx_file}: differs from Paddle Inference by more than {TOLERANCE:.0e}: {wrong}")
    return differences


@dataclass(frozen=True)
class OnnxOptions:
    """Options of a run: an ONNX file runs on the CPU, with `cpu_threads` threads."""

    cpu_threads: int | None = None


class OnnxPredictor:
    """An ONNX file as a Graph."""

    def __init__(self, onnx_file: str | Path, cpu_threads: int | None = None) -> None:
        """Load NAME.onnx and NAME.yaml; InputError where one is missing or damaged."""
        runtime = extra("onnxruntime")
        self.onnx_file, self.options = Path(onnx_file), OnnxOptions(cpu_threads)
        if not self.onnx_file.is_file():
            raise InputError(f"{self.onnx_file}: no such file; tools/export_onnx.py writes one")
        self.contract, self.name = read_contract(self.onnx_file), str(self.onnx_file)
        settings = runtime.SessionOptions()
        settings.intra_op_num_threads = cpu_threads or int(os.environ.get("OMP_NUM_THREADS", "0"))
        settings.log_severity_level = 3
        try:
            self._session = runtime.InferenceSession(str(self.onnx_file), settings, ["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime has exception classes of its own for every kind of damage
            raise InputError(f"{self.onnx_file}: onnxruntime cannot load it ({str(error)[:200]})") from error
        shapes = {port.name: port.shape for port in self._session.get_inputs()}
        check_ports(self.onnx_file, self.contract, shapes, len(self._session.get_outputs()))

    def run(self, arrays: Arrays) -> dict[str, np.ndarray]:
        """Input name -> array [N, ...] to output name -> array; InputError for a missing or misshapen input."""
        names = [port.name for port in self.contract.inputs]
        missing = [name for name in names if name not in arrays]
        if missing:
            raise InputError(f"{self.onnx_file}: input '{missing[0]}' is missing; found {sorted(arrays)}")
        try:
            results = self._session.run(None, {name: np.float32(arrays[name]) for name in names})
        except Exception as error:  # see __init__
            raise InputError(f"{self.onnx_file}: cannot run ({str(error)[:200]})") from error
        return {port.name: array for port, array in zip(self.contract.outputs, results, strict=True)}
