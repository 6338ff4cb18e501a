"""Arrays in, arrays out: pictures of any size through a graph, in memory.

session = Session(Predictor("inference/gpen_256"))
restored = session.apply({"image": picture})["restored"]
"""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from weakref import WeakKeyDictionary

import numpy as np

from deploy.contract import Arrays, Contract, Graph, fits
from engine import images
from engine.errors import InputError
from engine.ports import Port

RANKS = {"image": 3, "mask": 3, "vector": 1, "points": 2}  # axes of one value, without the batch's
_TURNS: WeakKeyDictionary = WeakKeyDictionary()  # graph -> lock: no graph is run by two threads at once


@dataclass(frozen=True)
class Placed:
    """A picture in the size a graph takes.

    Attributes:
        pixels: [h, w, C].
        scale, offset: as (x, y); the centre of pixel p shows the picture's pixel (p + 0.5) * scale + offset - 0.5.
        inside: (height, width) of the part that is picture, from the top left; the rest is padding.
    """

    pixels: np.ndarray
    scale: tuple[float, float]
    offset: tuple[float, float]
    inside: tuple[int, int]


@dataclass(frozen=True)
class Prepared:
    """One picture on its way: its name in errors, what was given, and the graph's arrays without batch axis."""

    name: str
    given: dict[str, np.ndarray]
    arrays: dict[str, np.ndarray]
    placed: Placed | None


class Session:
    """A graph for whoever has pictures: it fits them to the contract, batches them and brings the results back.

    Safe from several threads: what a graph computes at one time is for one of them. A worker that shall not wait for
    another opens a graph of its own.
    """

    def __init__(self, graph: Graph, batch_size: int = 8) -> None:
        """`batch_size`: largest number of pictures a run; pictures that differ in the graph's size never share one."""
        self.graph, self.batch_size, self.contract = graph, batch_size, graph.contract
        self._turn = _TURNS.setdefault(graph, threading.Lock())

    def apply(self, inputs: dict, blend: str | None = None, seed: int = 0) -> dict:
        """Run the graph on one picture or on several.

        Args:
            inputs: input name -> value, or list (or array with one axis more) of values of several pictures. Pictures
                are [H, W, 3] float in [0, 1] or uint8; masks [H, W, 1] or [H, W] of 0 and 1 (1 = hole), of the
                picture's size; vectors [D]. One value beside several pictures serves all of them. What may be left
                out: a vector, drawn from N(0, 1) with `seed`, and a mask where the contract has a hole of its own.
            blend: how a filled hole gets into its picture, see deploy.blending; None: as the contract says.
            seed: of drawn vectors.

        Returns:
            dict output name -> array, or list of arrays where several pictures were given. A filled picture has the
            given one's size and, outside the hole, its very values; points are in the given picture's pixels; other
            pictures have the graph's size, [h, w, C] in float32.

        Raises:
            InputError: an input is missing, unknown or misshapen, or an output is not finite.
        """
        items, is_one = _separated(self.contract, inputs)
        prepared = [self.prepared(item, seed=seed, name=f"picture {i + 1}") for i, item in enumerate(items)]
        results = self.results(prepared, self.run(prepared), blend)
        if is_one:
            return results[0]
        return {port.name: [result[port.name] for result in results] for port in self.contract.outputs}

    def prepared(self, item: Arrays, seed: int = 0, name: str = "picture") -> Prepared:
        """One picture's inputs as `run` takes them; see `apply`."""
        contract, given = self.contract, {}
        if unknown := sorted(item.keys() - {port.name for port in contract.inputs}):
            known = ", ".join(port.name for port in contract.inputs)
            raise InputError(f"{name}: this graph has no input '{unknown[0]}'; it takes {known}")
        draws, size = np.random.default_rng(seed), None
        for port in sorted(contract.inputs, key=lambda port: port.kind == "mask"):  # after the picture it belongs to
            given[port.name] = value = self._value(port, item, size, draws, name)
            size = size or (value.shape[:2] if port.kind == "image" else None)
        arrays, first = {}, None
        for port in contract.inputs:
            arrays[port.name] = given[port.name]
            if port.kind in ("image", "mask"):
                placed = place(given[port.name], port, contract)
                arrays[port.name] = np.moveaxis(placed.pixels, -1, 0)
                first = first or (placed if port.kind == "image" else None)
        return Prepared(name, given, arrays, first)

    def _value(self, port, item, size, draws, name):
        """The checked value of one input: what was given, what is drawn, or the contract's own hole."""
        label = f"{name}: input '{port.name}'"
        if port.name not in item:
            if port.kind == "vector":
                return draws.standard_normal(port.shape[1:], dtype=np.float32)
            if port.kind == "mask" and size and self.contract.hole and self.contract.hole.default:
                from deploy.filling import default_mask

                return default_mask(self.contract.hole, size)
            raise InputError(f"{label} {list(port.shape)} is missing; found {sorted(item)}")
        value = np.asarray(item[port.name])
        is_8_bit = value.dtype == np.uint8 and port.kind == "image"
        value = value / np.float32(255) if is_8_bit else np.asarray(value, np.float32)
        if port.kind in ("image", "mask"):
            return _checked_picture(port, value, size, label)
        if value.shape != port.shape[1:] or not np.isfinite(value).all():
            raise InputError(f"{label} is {list(value.shape)}; expected finite numbers of shape {list(port.shape[1:])}")
        return value

    def run(self, prepared: Sequence[Prepared]) -> list[dict[str, np.ndarray]]:
        """The graph's own outputs of each, without batch axis; neighbours of one size share a run.

        Raises:
            InputError: an output is not what the contract promises, or not finite.
        """
        outputs: list[dict[str, np.ndarray]] = []
        for group in self._batches(prepared):
            in_parts = self._is_filled_in_parts(group[0])
            outputs += [self._filled_in_parts(one) for one in group] if in_parts else self._run(group)
        return outputs

    def rows(self, arrays: Arrays) -> list[Prepared]:
        """Arrays [N, ...] of the graph's own inputs as `run` takes them, for whoever has tensors."""
        count = len(arrays[self.contract.inputs[0].name])
        return [
            Prepared(f"row {i}", {}, {name: array[i] for name, array in arrays.items()}, None) for i in range(count)
        ]

    def _run(self, group):
        """`run` of pictures of one size."""
        with self._turn:
            found = self.graph.run(stacked(group))
        for port in self.contract.outputs:
            self._check_output(port, found[port.name], group)
        return [{name: array[i] for name, array in found.items()} for i in range(len(group))]

    def _is_filled_in_parts(self, one):
        """Whether a hole is in a large picture, or is one that the network cannot close at once."""
        contract = self.contract
        if not (contract.hole and one.given) or len(contract.outputs) > 1 or contract.picture.shape[2:] != (-1, -1):
            return False
        from deploy.filling import LARGE
        from deploy.hole_closure import open_part

        mask = one.given[contract.of_kind("mask")[0].name][..., 0]
        return mask.size > LARGE or open_part(mask > 0, contract.hole.kernels).any()

    def _filled_in_parts(self, one):
        """The graph's output of one picture, of several runs of it; see deploy.filling."""
        from deploy.filling import in_parts

        contract = self.contract
        picture, mask, result = contract.picture.name, contract.of_kind("mask")[0].name, contract.filled

        def filled(part, hole):
            prepared = self.prepared(one.given | {picture: part, mask: hole}, name=one.name)
            return np.clip(images.to_hwc(self._run([prepared])[0][result]), 0, 1)

        kernels = contract.hole.kernels if contract.hole else ()
        return {result: np.moveaxis(in_parts(one.given[picture], one.given[mask], kernels, filled), -1, 0)}

    def _batches(self, prepared: Sequence[Prepared]) -> Iterator[list[Prepared]]:
        def form(one):
            return self._is_filled_in_parts(one), [array.shape for array in one.arrays.values()]

        for _, alike in groupby(prepared, form):
            group = list(alike)
            yield from (group[start : start + self.batch_size] for start in range(0, len(group), self.batch_size))

    def _check_output(self, port, array, group):
        """What a graph gave for a batch, against its contract."""
        model = getattr(self.graph, "name", type(self.graph).__name__)
        if not fits((len(group), *port.shape[1:]), array.shape):
            raise InputError(
                f"{model}: output '{port.name}' is {list(array.shape)}; its contract says {list(port.shape)}"
            )
        for one, values in zip(group, array, strict=True):
            if not np.isfinite(values).all():
                raise InputError(
                    f"{one.name}: output '{port.name}' of {model} holds values that are not finite; "
                    "expected weights and a precision that give finite ones"
                )

    def results(
        self, prepared: Sequence[Prepared], outputs: Sequence[dict[str, np.ndarray]], blend: str | None = None
    ) -> list[dict[str, np.ndarray]]:
        """Results of `apply`, one dict per picture, from the outputs of `run`."""
        if blend and not self.contract.hole:
            raise InputError(f"--blend {blend}: this model fills no holes; leave it out")
        return [self._result(one, found, blend) for one, found in zip(prepared, outputs, strict=True)]

    def _result(self, one, found, blend):
        result = {}
        for port in self.contract.outputs:
            result[port.name] = value = found[port.name]
            if port.kind in ("image", "mask"):
                result[port.name] = self._picture(port, images.to_hwc(value), one, blend)
            elif port.kind == "points" and one.placed:
                scale, offset = np.float32(one.placed.scale), np.float32(one.placed.offset)
                result[port.name] = (value + 0.5) * scale + offset - 0.5
        return result

    def _picture(self, port, output, one, blend):
        """[h, w, C] less its padding; a filled one in its picture."""
        if one.placed and one.placed.inside != one.placed.pixels.shape[:2]:
            ratio = np.divide(output.shape[:2], one.placed.pixels.shape[:2])
            height, width = (max(1, round(n)) for n in one.placed.inside * ratio)
            output = output[:height, :width]
        if not self.contract.hole or port.name != self.contract.filled:
            return output
        from deploy.filling import pasted

        mask = one.given[self.contract.of_kind("mask")[0].name]
        return pasted(output, one.given[self.contract.picture.name], mask, blend or self.contract.hole.blend)


def _separated(contract: Contract, inputs: dict) -> tuple[list[dict], bool]:
    """The inputs of each picture, and whether it was given as one, without a list."""
    known = {port.name: RANKS[port.kind] for port in contract.inputs}

    def is_many(name):
        value = inputs[name]
        if isinstance(value, (list, tuple)):
            return True
        return name in known and np.ndim(value) == known[name] + 1

    many = {name: len(inputs[name]) for name in inputs if is_many(name)}
    if len(set(many.values())) > 1:
        raise InputError(f"inputs of different numbers of pictures: {many}")
    count = next(iter(many.values()), 1)
    return [
        {name: inputs[name][i] if name in many else inputs[name] for name in inputs} for i in range(count)
    ], not many


def _checked_picture(port: Port, value: np.ndarray, size: tuple[int, int] | None, label: str) -> np.ndarray:
    """[H, W, C] of a picture or mask that can be what it says it is."""
    channels = port.shape[1]
    if port.kind == "mask" and value.ndim == 2:
        value = value[..., None]
    if value.ndim != 3 or value.shape[2] != channels or not value.size:
        raise InputError(f"{label} is {list(value.shape)}; expected [H, W, {channels}]")
    if port.kind == "mask":
        if size and value.shape[:2] != size:
            raise InputError(f"{label} is {value.shape[0]} x {value.shape[1]}; the picture is {size[0]} x {size[1]}")
        if not np.isin(value, (0, 1)).all():
            raise InputError(f"{label} holds other values than 0 and 1 (1 = hole)")
        if value.all():
            raise InputError(f"{label}: all of it is hole; expected some known pixels")
    elif not (value.min() >= -1e-3 and value.max() <= 1 + 1e-3):  # written so that a NaN fails
        raise InputError(f"{label} holds values from {value.min():g} to {value.max():g}; expected [0, 1], or uint8")
    return value


def stacked(group: Sequence[Prepared]) -> dict[str, np.ndarray]:
    """Input name -> array with a batch axis, of pictures of one size."""
    return {name: np.stack([one.arrays[name] for one in group]) for name in group[0].arrays}


def place(value: np.ndarray, port: Port, contract: Contract) -> Placed:
    """A picture or mask [H, W, C] in the port's size; where a side is free it keeps its own."""
    fit = contract.preprocessing.fit
    kernel = "nearest" if port.kind == "mask" else contract.preprocessing.resize_kernel
    height, width = value.shape[:2]
    rows, columns = (have if want == -1 else want for want, have in zip(port.shape[2:], value.shape[:2], strict=True))
    size = (rows, columns)
    if fit == "crop":
        top, left, rows, columns = images.centre_box(value.shape, size)
        return Placed(images.fitted(value, size, kernel), (columns / size[1], rows / size[0]), (left, top), size)
    ratio = max(height / size[0], width / size[1])
    inside = size if fit == "stretch" else (max(1, round(height / ratio)), max(1, round(width / ratio)))
    pixels = images.resize(value, inside, kernel)
    if inside != size:
        border = [(0, size[0] - inside[0]), (0, size[1] - inside[1]), (0, 0)]
        pixels = np.pad(pixels, border, mode="constant" if port.kind == "mask" else "edge")
    return Placed(pixels, (width / inside[1], height / inside[0]), (0, 0), inside)
