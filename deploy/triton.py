"""A model repository for NVIDIA's Triton Inference Server: the ONNX form of an exported model and its configuration.

Source: triton-inference-server/server, docs/user_guide/model_repository.md and model_configuration.md. Needs
requirements-onnx.txt.
"""

import json
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deploy.contract import Contract, read_contract
from deploy.onnx import export_onnx, extra
from deploy.predictor import model_files
from engine.errors import InputError
from engine.files import write_text
from engine.system import Port

NAMES = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
DELAY = 10_000  # microseconds that a request waits for others, as in deploy.served


def write_repository(model: str | Path, out: str | Path, name: str, batch: int = 8) -> Mapping[str, float]:
    """Write OUT/NAME/config.pbtxt and OUT/NAME/1/model.onnx, both or nothing.

    Args:
        model: folder of an exported model.
        out: the model repository; made where it is not there.
        name: of the model in Triton.
        batch: pictures that share a run, at most.

    Returns:
        dict "batch N" -> largest difference of the ONNX form to Paddle Inference.

    Raises:
        InputError: the name is none for Triton or taken, a package is missing, or the graph cannot be converted.
    """
    place = Path(out) / name
    if not NAMES.fullmatch(name):
        raise InputError(f"--name {name}: expected letters, digits, '.', '_' and '-'")
    if place.exists():
        raise InputError(f"{place}: is there already; expected another --name or folder")
    program, params = model_files(model)
    try:
        Path(out).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{name}_", dir=out) as folder:
            draft = Path(folder) / name
            graph = draft / "1" / "model.onnx"
            differences = export_onnx(program, params, graph)
            contract = read_contract(graph)
            graph.with_suffix(".yaml").unlink()
            _name_outputs(graph, [port.name for port in contract.outputs])
            write_text(draft / "config.pbtxt", configuration(name, contract, batch))
            os.replace(draft, place)
    except OSError as error:
        raise InputError(f"{place}: cannot be written ({error.strerror or error})") from error
    return differences


def configuration(name: str, contract: Contract, batch: int = 8) -> str:
    """The text of config.pbtxt: platform, ports without their batch axis, dynamic batching; -1 is any size."""
    ports = [*_block("input", contract.inputs), *_block("output", contract.outputs)]
    lines = [
        f"name: {json.dumps(name)}",
        'platform: "onnxruntime_onnx"',
        f"max_batch_size: {batch}",
        *ports,
        f"dynamic_batching {{ max_queue_delay_microseconds: {DELAY} }}",
    ]
    return "\n".join(lines) + "\n"


def _block(side: str, ports: Sequence[Port]) -> list[str]:
    """The lines of the inputs or the outputs."""
    return [
        f"{side} {{ name: {json.dumps(port.name)} data_type: TYPE_FP32 dims: {json.dumps(list(port.shape[1:]))} }}"
        for port in ports
    ]


def _name_outputs(path: Path, names: Sequence[str]) -> None:
    """Give a graph's outputs the contract's names; the converter names them by its own count."""
    onnx = extra("onnx")
    model: Any = onnx.load(str(path))
    graph = model.graph
    new = {port.name: name for port, name in zip(graph.output, names, strict=True)}
    taken = {port.name for port in graph.input} | {text for node in graph.node for text in node.output} - new.keys()
    if clash := sorted(set(names) & taken):
        raise InputError(f"{path.name}: its graph has another tensor '{clash[0]}'; expected outputs of other names")
    for port in graph.output:
        port.name = new[port.name]
    for node in graph.node:
        node.input[:] = [new.get(text, text) for text in node.input]
        node.output[:] = [new.get(text, text) for text in node.output]
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
