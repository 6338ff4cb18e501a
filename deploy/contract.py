"""The contract of a graph, NAME.yaml: its inputs, its outputs and the preparation of pictures.

A graph is anything with such a contract and a `run`: exported (deploy.predictor), ONNX (deploy.onnx), or DynamicGraph,
a system's network in its training form.
"""

import math
import reprlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

import numpy as np
import paddle
import yaml
from pydantic import Field, FiniteFloat, NonNegativeInt, ValidationError, model_validator

from engine.errors import InputError
from engine.files import read_yaml
from engine.picture_files import Picture
from engine.ports import Exported, Fit, Hole, Port, Template
from engine.settings import Settings

Arrays = Mapping[str, np.ndarray]
LARGEST = 2**27  # numbers in one value: what is larger is a mistake
SHAPES: dict[str, tuple] = {"image": ("N", 3, "H", "W"), "mask": ("N", 1, "H", "W"), "points": ("N", "K", 2)}
Ports = Annotated[tuple[Port, ...], Field(min_length=1, max_length=16)]


class Graph(Protocol):
    """A network that can be run, whatever form it has."""

    contract: "Contract"

    def run(self, arrays: Arrays) -> dict[str, np.ndarray]:
        """Input name -> array [N, ...] to output name -> array [N, ...]."""


class Preprocessing(Settings):
    """From a picture to an input: `fit` brings another aspect ratio to the graph's, see engine.system.Exported."""

    colour: Literal["RGB"] = "RGB"
    layout: Literal["NCHW"] = "NCHW"
    dtype: Literal["float32"] = "float32"
    resize_kernel: Literal["nearest", "linear", "cubic", "area", "lanczos"] = "area"  # "area" averages when it shrinks
    fit: Fit = "stretch"


class Postprocessing(Settings):
    """The way from an output to a picture file."""

    colour: Literal["RGB"] = "RGB"
    rounding: str = "to nearest of 256 levels"


class Contract(Settings):
    """Inputs and outputs of a graph, typed.

    Attributes:
        system, config, config_hash, weights, paddle: where the graph is from.
        inputs, outputs: in the graph's order.
        hole: of a graph that fills holes.
        template: where it wants the five points of a face, see engine.face_alignment.template_points; "": not said.
        threshold: of a recogniser, the cosine from which two faces are taken for one person's; None: not known.
        precision: of its weights.
        delete_passes: Paddle Inference passes that are wrong for this graph.
        files: file name -> bytes.
        max_difference: check of the export -> largest difference to the training form.
    """

    system: str = ""
    config: str = ""
    config_hash: str = ""
    weights: str = ""
    inputs: Ports
    outputs: Ports
    preprocessing: Preprocessing = Preprocessing()
    postprocessing: Postprocessing = Postprocessing()
    hole: Hole | None = None
    template: Template = ""
    threshold: FiniteFloat | None = None
    precision: str = "fp32"
    delete_passes: tuple[str, ...] = ()
    paddle: str = ""
    files: dict[str, NonNegativeInt] = {}
    max_difference: dict[str, FiniteFloat] = {}

    @model_validator(mode="after")
    def _consistent(self) -> "Contract":
        for port in (*self.inputs, *self.outputs):
            wanted, shape = SHAPES.get(port.kind, port.shape), list(port.shape)
            if 0 in shape or not fits([n if isinstance(n, int) else -1 for n in wanted], shape):
                raise ValueError(f"{port.name}: {port.kind} of shape {shape}; expected [{', '.join(map(str, wanted))}]")
            if math.prod(n for n in shape if n > 0) > LARGEST:
                raise ValueError(f"{port.name}: shape {shape} holds more than {LARGEST} numbers")
        for ports in (self.inputs, self.outputs):
            names = [port.name for port in ports]
            if len(set(names)) < len(names):
                raise ValueError(f"two of {', '.join(names)} have one name")
        if any(-1 in port.shape[1:] for port in self.inputs if port.kind in ("vector", "points")):
            raise ValueError("an input that is no picture has a free size")
        kinds = {port.kind for port in self.inputs}
        if self.hole and not ({"image", "mask"} <= kinds and self.of_kind("image", outputs=True)):
            raise ValueError("hole: expected an image and a mask among the inputs and an image among the outputs")
        if self.hole and self.preprocessing.fit == "crop":
            raise ValueError("preprocessing.fit: crop; a picture whose hole is filled is stretched or padded")
        return self

    def of_kind(self, *kinds: str, outputs: bool = False) -> list[Port]:
        """The inputs, or the outputs, of some kinds, in order."""
        return [port for port in (self.outputs if outputs else self.inputs) if port.kind in kinds]

    @property
    def picture(self) -> Port:
        """The input that a picture goes into: the first of its kind. InputError where there is none."""
        if not (ports := self.of_kind("image")):
            raise InputError(f"this graph takes no picture; it takes {', '.join(port.name for port in self.inputs)}")
        return ports[0]

    @property
    def restores(self) -> bool:
        """Whether it makes one square face of one square face."""
        shape, kinds = self.inputs[0].shape, [port.kind for port in (*self.inputs, *self.outputs)]
        return kinds == ["image", "image"] and shape[2] == shape[3] and shape[2] > 0

    @property
    def recognises(self) -> bool:
        """Whether it makes of one aligned face a vector that tells people apart."""
        kinds = [port.kind for port in (*self.inputs, *self.outputs)]
        return kinds == ["image", "vector"] and self.sees_aligned_face

    @property
    def sees_aligned_face(self) -> bool:
        """Whether its picture is one face in the place where recognisers want it."""
        return self.template == "sphereface"

    @property
    def filled(self) -> str:
        """The output that holds the picture with its hole filled; "" of a graph that fills none."""
        return self.of_kind("image", outputs=True)[0].name if self.hole else ""


def contract_of(exported: Exported, **facts: Any) -> Contract:
    """The contract of what a system exports; `facts` are further entries."""
    return Contract(
        inputs=tuple(exported.inputs),
        outputs=tuple(exported.outputs),
        preprocessing=Preprocessing(fit=exported.fit),
        hole=exported.hole,
        template=exported.template,
        threshold=exported.threshold,
        delete_passes=tuple(exported.delete_passes),
        **facts,
    )


class DynamicGraph:
    """The reference of what is exported, or its layer where it has none; `name` is what errors call it."""

    def __init__(self, exported: Exported, name: str = "the network") -> None:
        """`name`: for instance the weights' file."""
        self.contract, self.name = contract_of(exported), name
        self._form = exported.reference or exported.built()

    def run(self, arrays: Arrays) -> dict[str, np.ndarray]:
        """Input name -> array [N, ...] to output name -> array."""
        with paddle.no_grad():
            results = self._form(*(paddle.to_tensor(arrays[port.name]) for port in self.contract.inputs))
        results = results if isinstance(results, (list, tuple)) else [results]
        return {port.name: result.numpy() for port, result in zip(self.contract.outputs, results, strict=True)}


def remark(graph: Graph) -> str:
    """Remark for users on results of the small shipped weights; "" for other weights."""
    weights = graph.contract.weights or getattr(graph, "name", "")
    if Path(weights).parts[-3:-1] != ("weights", "lite"):
        return ""
    return (
        f"{Path(weights).name} is small and was trained on drawn faces only; "
        "python tools/fetch_weights.py lists published weights for real photos"
    )


def numbers(contract: Contract, results: dict[str, np.ndarray]) -> list[float]:
    """A short signature of one sample's results: means of a picture's channels, every number of vectors and points.

    Args:
        results: of a Session, output name -> array.

    Returns:
        list of float, 6 decimals.
    """
    found: list[float] = []
    for port in contract.outputs:
        array = results[port.name]
        found += list(array.mean(axis=(0, 1), dtype=np.float64) if port.kind in ("image", "mask") else array.ravel())
    return [round(float(value), 6) for value in found]


def say_stretched(contract: Contract, name: str, picture: Picture) -> None:
    """Name on stderr a picture that is squeezed into another aspect ratio, and the way out if there is one."""
    height, width = picture.samples.shape[:2]
    rows, columns = contract.picture.shape[2:]
    if (
        contract.preprocessing.fit != "stretch"
        or min(rows, columns) < 1
        or abs(height * columns - width * rows) < width
    ):
        return
    kinds = [port.kind for port in (*contract.inputs, *contract.outputs)]
    hint = ""
    if kinds == ["image", "image"]:
        hint = "; to restore the faces of a whole photo, pip install -r requirements-photos.txt or leave out --aligned"
    print(f"{name}: {width} x {height} is stretched to {columns} x {rows}{hint}", file=sys.stderr)


def read_contract(program_file: str | Path) -> Contract:
    """The contract beside a program file, NAME.yaml.

    Raises:
        InputError: it is missing or holds anything else; the line names the file and the key.
    """
    path = Path(program_file).with_suffix(".yaml")
    try:
        content = read_yaml(path)
    except InputError as error:
        raise InputError(f"{error}; export_model.py writes it") from None
    try:
        return Contract.model_validate(_upgraded(content))
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(str(part) for part in problem["loc"][:4])
        found = "" if problem["type"] == "missing" or not key else f"; found {reprlib.repr(problem['input'])}"
        reason = " ".join(f"{problem['msg']}{found}".split())
        raise InputError(f"{path}: {key + ': ' if key else ''}{reason}; export_model.py writes this file") from None


def _upgraded(content: dict) -> dict:
    """A file from before masks had a kind and fillers always a hole: there a mask was an image called so."""
    ports = content["inputs"] if isinstance(content.get("inputs"), list) else []
    is_old = [isinstance(port, dict) and (port.get("name"), port.get("kind")) == ("mask", "image") for port in ports]
    if not any(is_old):
        return content
    inputs = [port | {"kind": "mask"} if old else port for port, old in zip(ports, is_old, strict=True)]
    outputs = content["outputs"] if isinstance(content.get("outputs"), list) else []
    fills = any(isinstance(port, dict) and port.get("name") == "composite" for port in outputs)
    return {**({"hole": {}} if fills else {}), **content, "inputs": inputs}


def written_contract(contract: Contract) -> str:
    """The text of NAME.yaml; entries that say nothing are left out."""
    content = contract.model_dump(mode="json", exclude_none=True)
    for side in ("inputs", "outputs"):
        content[side] = [{key: value for key, value in port.items() if value != ""} for port in content[side]]
    kept = {key: value for key, value in content.items() if value not in ("", [], {})}
    return yaml.safe_dump(kept, sort_keys=False, default_flow_style=None, width=120)


def fits(shape: Sequence[int], found: Sequence[int]) -> bool:
    """Whether an array of shape `found` is one of `shape`, where -1 is any size."""
    return len(shape) == len(found) and all(want in (-1, have) for want, have in zip(shape, found, strict=True))


def check_ports(path: str | Path, contract: Contract, shapes: Mapping[str, Sequence], outputs: int) -> None:
    """Refuse a contract that is another graph's.

    Args:
        path: of the graph.
        shapes: input name -> shape, as the graph has them; sizes that are no positive number are free.
        outputs: number of its outputs.

    Raises:
        InputError: the line names the contract's file.
    """
    named = {port.name: list(port.shape) for port in contract.inputs}
    graph = {name: [n if isinstance(n, int) and n > 0 else -1 for n in shape] for name, shape in shapes.items()}
    for what, found, expected in (("inputs", named, graph), ("number of outputs", len(contract.outputs), outputs)):
        if found != expected:
            file = Path(path).with_suffix(".yaml")
            raise InputError(f"{file}: {what} {found}; {Path(path).name} has {expected}; export the model again")
