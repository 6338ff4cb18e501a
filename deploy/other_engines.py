"""Exported graphs in Paddle Inference beside the same graphs in other engines: the same weights and threads, in turns.

ONNX Runtime (requirements-onnx.txt) and OpenVINO (`pip install openvino`) take the graph's ONNX form; one that is not
installed has no row. A network's own torch code is no part of this project, so torch has none either.
"""

import importlib.util
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from deploy.benchmark import first_graph
from deploy.contract import Arrays
from deploy.export import seeded_inputs, write_graph
from deploy.onnx import OnnxPredictor, export_onnx
from deploy.predictor import Predictor, keep_memory
from engine.measuring import THREADS, Limit, Row, in_turns
from engine.ports import Exported
from engine.run_config import RunConfig


def rows(config: RunConfig, title: str, repeats: int) -> Iterator[Row]:
    """Rows of the first graph of a configuration's system, with random weights, at 256 px where its size is free."""
    yield from graph_rows(first_graph(config), title, 256, repeats)


def graph_rows(exported: Exported, title: str, side: int, repeats: int) -> Iterator[Row]:
    """A row for Paddle Inference and for each engine that is installed, batch 1, float32.

    Args:
        exported: any graph that converts to ONNX.
        title: how the rows begin.
        side: height and width of pictures where the contract leaves them free.
        repeats: of each measurement.

    Raises:
        InputError: requirements-onnx.txt is not installed.
    """
    keep_memory()
    shapes = [tuple(side if n == -1 and i else n for i, n in enumerate(port.shape)) for port in exported.inputs]
    sized = [replace(port, shape=shape) for port, shape in zip(exported.inputs, shapes, strict=True)]
    arrays = seeded_inputs(sized, 1, seed=0)
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder) / "inference"
        program, parameters, onnx_file = (base.with_suffix(f".{end}") for end in ("json", "pdiparams", "onnx"))
        write_graph(exported, base)
        export_onnx(program, parameters, onnx_file)
        runs: dict[str, Callable[[], object]] = {"Paddle Inference": partial(Predictor(program).run, arrays)}
        runs["ONNX Runtime"] = partial(OnnxPredictor(onnx_file).run, arrays)
        if importlib.util.find_spec("openvino"):
            runs["OpenVINO"] = openvino_run(onnx_file, arrays)
        timings = in_turns(Limit(), runs, repeats)
        best = min(timing.seconds for name, timing in timings.items() if name != "Paddle Inference")
        for name, timing in timings.items():
            yield Row("peers", f"{title} {name}", timing, None, f"{timing.seconds / best:.2f} of the best other engine")


def openvino_run(onnx_file: Path, arrays: Arrays) -> Callable[[], Any]:
    """A function that runs the graph once in OpenVINO, in float32."""
    import openvino

    wanted = {"INFERENCE_NUM_THREADS": THREADS, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(str(onnx_file), "CPU", wanted)
    return partial(compiled, dict(arrays))
