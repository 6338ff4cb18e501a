"""Convolutions of eager tensors by oneDNN, which Paddle itself uses only in static programs.

Paddle's eager convolution unfolds its input on one thread and multiplies; oneDNN's is two to six times faster where
maps are large. A static program of one operator with the attribute `use_mkldnn`, run by Paddle's `run_program`, is
all it takes: no flag of the process is touched. What a convolution needs is two programs: itself, which with a flipped
weight is also the gradient of its input, and its gradient of both operands.

There is no second gradient through these: asking for one is an error. `plain()` leaves them out.
"""

import itertools
import math
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import paddle
from paddle import Tensor, _legacy_C_ops
from paddle.base import core

SMALLEST = 3e7  # operations of a convolution below which the 0.3 ms that a program costs are not earned
FEWEST_PLACES = 512  # of the maps that are made, of all pictures
KEPT = 120  # programs a thread keeps: Paddle itself forgets all prepared ones beyond 256
_TYPES = core.VarDesc.VarType
_numbers = itertools.count(1 << 40)


@dataclass
class _State:
    """What holds in the whole process: whether oneDNN is left out, and how often a program ran."""

    left_out: bool = False
    runs: int = 0


class _Depth(threading.local):
    """How many `plain()` blocks a thread is in."""

    depth = 0


state, _plain = _State(), _Depth()


@dataclass(frozen=True)
class Geometry:
    """Stride, padding and the like of a convolution; each pair is (rows, columns)."""

    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)

    def attributes(self) -> dict[str, list[int]]:
        """As Paddle's operators call them."""
        return {"strides": list(self.stride), "paddings": list(self.padding), "dilations": list(self.dilation)}

    def reached(self, sides: Sequence[int], kernel: Sequence[int]) -> list[int]:
        """Sides of the map that a convolution makes of one of the given sides."""
        reach = [d * (k - 1) + 1 for d, k in zip(self.dilation, kernel, strict=True)]
        sized = zip(sides, self.padding, reach, self.stride, strict=True)
        return [(side + 2 * padding - far) // stride + 1 for side, padding, far, stride in sized]


class Program:
    """One operator of float32 tensors as a static program that oneDNN runs."""

    def __init__(self, kind: str, inputs: Mapping[str, Sequence[int]], outputs: Mapping[str, Sequence[int]], **more):
        """Describe the operator.

        Args:
            kind: of Paddle's legacy operators, "conv2d".
            inputs, outputs: the operator's slot -> shape, in the order in which tensors are given and returned.
            more: attributes.
        """
        self.description, self.nothing = core.ProgramDesc(), core.ProgramDesc()
        block = self.description.block(0)
        operator = block.append_op()
        operator.set_type(kind)
        for slots, connect in ((inputs, operator.set_input), (outputs, operator.set_output)):
            for slot, shape in slots.items():
                variable = block.var(slot.encode())
                variable.set_type(_TYPES.DENSE_TENSOR)
                variable.set_dtype(_TYPES.FP32)
                variable.set_shape(list(shape))
                connect(slot, [slot])
        common = {"use_mkldnn": True, "data_format": "NCHW", "padding_algorithm": "EXPLICIT", "groups": 1, "op_role": 0}
        for name, value in (common | more).items():
            operator._set_attr(name, value)
        operator.check_attrs()  # fills in what the operator has beside these
        self.inputs, self.outputs, self.scope = list(inputs), list(outputs), core.Scope()
        blocks = ("forward_global_block", block, "backward_global_block", self.nothing.block(0))
        self.attributes = (*blocks, "is_test", True, "program_id", next(_numbers), "in_pir_pt_mode", False)
        self.graph = core.eager.Tensor(_TYPES.FP32, [], "cuda_graph", _TYPES.RAW, True)
        self.graph.stop_gradient = True

    def __call__(self, *tensors: Tensor) -> list[Tensor]:
        """Results of contiguous float32 tensors of the shapes it was made for."""
        results = [core.eager.Tensor(_TYPES.FP32, [1], name, _TYPES.DENSE_TENSOR, False) for name in self.outputs]
        state.runs += 1
        given = [tensor if tensor.is_contiguous() else tensor.contiguous() for tensor in tensors]
        with paddle.no_grad():
            _legacy_C_ops.run_program(  # type: ignore[attr-defined]
                given, None, results, [self.scope], self.graph, *self.attributes, "x_names", self.inputs
            )
        for name in (*self.inputs, *self.outputs):  # else the scope would hold them until its next run
            self.scope.var(name).get_tensor()._clear()
        return results


class _Programs(threading.local):
    """The programs of a thread, the most recently used last: a program's scope serves one run at a time."""

    def __init__(self):
        self.made = OrderedDict()

    def __call__(self, make, *key):
        """The program that `make(*key)` returns."""
        key = (make, *key)
        if key not in self.made:
            self.made[key] = make(*key[1:])
            if len(self.made) > KEPT:
                self.made.popitem(last=False)
        self.made.move_to_end(key)
        return self.made[key]


_programs = _Programs()


def _forward(x, weight, geometry):
    """The convolution of shapes [N, Cin, H, W] and [Cout, Cin, k, k]."""
    out = [x[0], weight[0], *geometry.reached(x[2:], weight[2:])]
    return Program("conv2d", {"Input": x, "Filter": weight}, {"Output": out}, is_test=False, **geometry.attributes())


def _gradients(x, weight, geometry):
    """The gradients of a convolution's input and weight from those two and the gradient of its output."""
    out = [x[0], weight[0], *geometry.reached(x[2:], weight[2:])]
    given = {"Input": x, "Filter": weight, "Output@GRAD": out}
    made = {"Input@GRAD": x, "Filter@GRAD": weight}
    return Program("conv2d_grad", given, made, is_test=False, **geometry.attributes())


def _of_input(gradient, weight, geometry):
    """The gradient of the input of a convolution of stride 1: a convolution with the flipped weight.

    A transposed convolution would do for every stride, but Paddle's by oneDNN keeps the first weight that it is given.
    """
    kernel = zip(weight.shape[2:], geometry.padding, geometry.dilation, strict=True)
    back = Geometry(padding=tuple(d * (k - 1) - p for k, p, d in kernel), dilation=geometry.dilation)
    flipped = weight.flip([2, 3]).transpose([1, 0, 2, 3])
    return _programs(_forward, _shape(gradient), _shape(flipped), back)(gradient, flipped)[0]


def _shape(tensor):
    return tuple(tensor.shape)


def _first_gradient_only():
    """RuntimeError where the gradient is to be differentiated again."""
    if paddle.is_grad_enabled():
        raise RuntimeError("a convolution by oneDNN has no second gradient; compute it inside engine.onednn.plain()")


class _Convolution(paddle.autograd.PyLayer):
    """A convolution; see `convolution`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, geometry: Geometry) -> Tensor:
        """[N, Cout, h, w]."""
        ctx.save_for_backward(x, weight)
        ctx.geometry = geometry
        return _programs(_forward, _shape(x), _shape(weight), geometry)(x, weight)[0]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:  # type: ignore[override]
        """Gradients of input and weight, None where none is wanted."""
        _first_gradient_only()
        x, weight = ctx.saved_tensor()
        if weight.stop_gradient and ctx.geometry.stride == (1, 1):
            return _of_input(gradient, weight, ctx.geometry), None
        ours, theirs = _programs(_gradients, _shape(x), _shape(weight), ctx.geometry)(x, weight, gradient)
        return None if x.stop_gradient else ours, None if weight.stop_gradient else theirs


def leave_out() -> None:
    """Leave oneDNN out in this process from here on: where whole networks are captured as static graphs."""
    state.left_out = True


@contextmanager
def plain(wanted: bool = True) -> Iterator[None]:
    """Leave oneDNN out inside the block, in this thread, if `wanted`: what is made there has a second gradient."""
    _plain.depth += wanted
    try:
        yield
    finally:
        _plain.depth -= wanted


def is_plain() -> bool:
    """True inside a `plain()` block of this thread, where what is made must have a second gradient."""
    return _plain.depth > 0


def suits(x: Tensor, weight: Tensor, geometry: Geometry) -> bool:
    """True where oneDNN may compute a convolution of [N, Cin, H, W] with [Cout, Cin, k, k] and is faster (measured).

    Paddle multiplies as fast; what oneDNN saves is the unfolded input, k * k copies of a map. So it gains nothing
    where k is 1, where maps are small or dilated, or where a stride leaves little to unfold.
    """
    if state.left_out or is_plain() or not (paddle.in_dynamic_mode() and core.is_compiled_with_onednn()):
        return False
    if not (x.dtype == weight.dtype == paddle.float32 and x.place.is_cpu_place()):
        return False
    kernel, sides = weight.shape[2:], geometry.reached(x.shape[2:], weight.shape[2:])
    worth = min(kernel) > max(geometry.stride) + 1 and geometry.dilation == (1, 1) and min(weight.shape[:2]) > 1
    places = x.shape[0] * math.prod(sides)
    return worth and places >= FEWEST_PLACES and 2 * places * weight.size >= SMALLEST


def convolution(x: Tensor, weight: Tensor, geometry: Geometry) -> Tensor:
    """Convolution of [N, Cin, H, W] with [Cout, Cin, k, k], without bias: [N, Cout, h, w]. Has a first gradient."""
    if paddle.is_grad_enabled() and not (x.stop_gradient and weight.stop_gradient):
        return _Convolution.apply(x, weight, geometry)
    return _programs(_forward, _shape(x), _shape(weight), geometry)(x, weight)[0]
