"""Speed of a graph in Paddle Inference against the machine's limit."""

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import paddle

from deploy.export import describe, save, seeded_inputs, write_contract
from deploy.predictor import Predictor, keep_memory
from engine.measuring import Limit, Row, dense_gflop, measure
from engine.system import Exported

VARIANTS: dict[str, dict[str, Any]] = {
    "fp32 oneDNN": {},
    "bf16 oneDNN": {"precision": "bf16"},
    "fp32 without oneDNN": {"use_mkldnn": False},
}


def rows(exported: Exported, title: str, reference: Callable, repeats: int) -> Iterator[Row]:
    """A row for float32 and bfloat16 with oneDNN, and for float32 without; batch 1, with the largest error.

    Args:
        exported: engine.system.Exported of one picture in, one out.
        title: how the rows begin.
        reference: [1, 3, H, W] -> what the graph should make of it, both in [0, 1].
        repeats: of each measurement.
    """
    keep_memory()
    arrays, port = seeded_inputs(exported.inputs, 1, seed=0), exported.inputs[0].name
    with paddle.no_grad():
        wanted = reference(paddle.to_tensor(arrays[port])).numpy()
    gflop, limit = dense_gflop(exported.built(), list(arrays[port].shape)), Limit()
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder) / "inference"
        save(exported, base, legacy=False)
        write_contract(base, describe(exported, base))
        for name, options in VARIANTS.items():
            predictor = Predictor(base.with_suffix(".json"), **options)
            error = np.abs(predictor.run(arrays)[exported.outputs[0].name] - wanted).max()
            timing = measure(limit, partial(predictor.run, arrays), repeats)
            yield Row(
                "inference", f"{title} {name}", timing, gflop, f"{1 / timing.seconds:.1f} images/s, error {error:.1e}"
            )
