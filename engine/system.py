"""What a paper hands to the machinery: the exported form of its networks."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Port:
    """One input or output of an exported graph.

    Args:
        name: its name in `inference.yaml` and in the files and flags of `infer.py` ("image", "mask", "style").
        shape: list of int; -1 stands for a free axis. Images are [-1, 3, H, W].
        kind: "image", "mask", "vector" or "points".
        range: smallest and largest value; images are RGB in [0, 1].
    """

    name: str
    shape: list[int]
    kind: str = "image"
    range: tuple[float, float] = (0.0, 1.0)


@dataclass(frozen=True)
class Exported:
    """One graph to export: a Layer whose `forward(self, ...)` takes `inputs` in order and gives `outputs` in order.

    Args:
        layer: paddle.nn.Layer in the form oneDNN runs fast; images RGB in [0, 1] on both sides.
        inputs: ports in the order of `forward`'s arguments.
        outputs: ports in the order of what `forward` returns (one tensor or a list).
    """

    layer: Any
    inputs: list[Port] = field(default_factory=list)
    outputs: list[Port] = field(default_factory=list)
