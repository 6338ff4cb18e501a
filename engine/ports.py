"""Ports, the inputs and outputs of a graph, and the form that is exported; systems and deploy/ share them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, FiniteFloat
from pydantic.dataclasses import dataclass as checked

from engine.settings import BLENDS, Blend

__all__ = ["BLENDS", "Blend", "Exported", "Fit", "Hole", "Level", "Port", "Template"]

STRICT = ConfigDict(extra="forbid")
Fit = Literal["stretch", "crop", "pad"]
Template = Literal["", "ffhq", "gpen", "sphereface"]
Level = Annotated[float, Field(ge=0, le=1)]


@checked(frozen=True, config=STRICT)
class Port:
    """One input or output of an exported graph.

    Attributes:
        name: how files, flags and `inference.yaml` call it.
        shape: sizes, -1 where any value is taken; images are [N, 3, H, W] in RGB, masks [N, 1, H, W] with 1 = hole,
            points [N, K, 2] as (x, y) in pixels of the graph's first picture.
        kind: says how inputs are read and results are compared and saved.
        range: smallest and largest legal value.
        encoder: of a vector that may also be taken from a picture: the graph that does it, a path from this graph's.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][\w.-]*$", max_length=64)]
    shape: Annotated[tuple[Annotated[int, Field(ge=-1, le=2**16)], ...], Field(min_length=1, max_length=6)]
    kind: Literal["image", "mask", "vector", "points"] = "image"
    range: tuple[FiniteFloat, FiniteFloat] = (0.0, 1.0)
    encoder: str = ""


@checked(frozen=True, config=STRICT)
class Hole:
    """Treatment of holes in a graph with a mask among its inputs; its first picture is the filled one.

    Attributes:
        blend: how the filled picture gets into the given one, see deploy.blending.
        colour: RGB in [0, 1] that stands for a hole where the masked picture is shown.
        default: hole where no mask is given, a name of deploy.filling.DEFAULTS; "": a mask has to be given.
        kernels: sizes of the kernels, each of stride 2, by which the graph's layers close a hole; one that stays open
            is filled coarse to fine (deploy/filling.py). None: every hole can be filled.
    """

    blend: Blend = "composite"
    colour: tuple[Level, Level, Level] = (1.0, 1.0, 1.0)
    default: Literal["", "face_box"] = ""
    kernels: Annotated[tuple[Annotated[int, Field(ge=1, le=31)], ...], Field(max_length=12)] = ()


@dataclass(frozen=True)
class Exported:
    """A layer in the form that is exported, its inputs and its outputs.

    Attributes:
        layer: takes and gives the tensors of the ports, images as RGB in [0, 1]; or a functools.partial that makes it,
            where that costs something.
        inputs: ports in the order of the layer's arguments.
        outputs: ports in the order of the layer's results.
        reference: callable with the same signature that runs the training form; the export is compared with it.
        delete_passes: Paddle Inference passes that are wrong for this graph.
        hole: of a graph that fills holes; None: it fills none.
        fit: how a picture of another aspect ratio becomes one of the graph's: "stretch", "crop", its centre, or "pad".
        template: where it wants the five points of a face, see engine.face_alignment.template_points; "": not said.
        threshold: of a recogniser, the cosine from which two faces are taken for one person's; None: not known.
    """

    layer: Any
    inputs: list[Port]
    outputs: list[Port]
    reference: Callable | None = None
    delete_passes: tuple[str, ...] = ()
    hole: Hole | None = None
    fit: Fit = "stretch"
    template: Template = ""
    threshold: float | None = None

    def built(self) -> Any:
        """The layer, in evaluation mode."""
        layer = self.layer() if isinstance(self.layer, partial) else self.layer
        layer.eval()
        return layer
