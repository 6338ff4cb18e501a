"""Save a layer in Paddle 2's format, NAME.pdmodel + NAME.pdiparams, which Paddle 2 and old deployment tools read.

Paddle 3.3 still traces its old intermediate representation, except for functions that have become thin covers of C++:
these only take the new one. While a layer is traced they are replaced by the old operator of the same meaning.
"""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paddle
from paddle.base.framework import Variable
from paddle.base.layer_helper import LayerHelper
from paddle.pir_utils import OldIrGuard

from engine.errors import InputError


def operator(kind: str, inputs: dict[str, Any], attributes: dict | None = None) -> Any:
    """Append one old operator to the program being traced and return its output."""
    helper = LayerHelper(kind)
    out = helper.create_variable_for_type_inference(dtype=next(iter(inputs.values())).dtype)
    helper.append_op(type=kind, inputs=inputs, outputs={"Out": out}, attrs=attributes or {})
    return out


def _unary(kind):
    return lambda x, name=None: operator(kind, {"X": x})


def _binary(kind):
    return lambda x, y, name=None: operator(kind, {"X": x, "Y": y}, {"axis": -1})


def _sum(x, axis=None, dtype=None, keepdim=False, name=None):
    axes = [] if axis is None else [axis] if isinstance(axis, int) else list(axis)
    return operator("reduce_sum", {"X": x}, {"dim": axes or [0], "keep_dim": keepdim, "reduce_all": not axes})


def _matmul(x, y, transpose_x=False, transpose_y=False, name=None):
    return operator("matmul_v2", {"X": x, "Y": y}, {"trans_x": transpose_x, "trans_y": transpose_y})


REPLACEMENTS = {
    **{name: _unary(name) for name in ("rsqrt", "sqrt", "tanh", "sigmoid", "exp", "abs", "log", "sin", "sign")},
    "maximum": _binary("elementwise_max"),
    "minimum": _binary("elementwise_min"),
    "multiply": _binary("elementwise_mul"),
    "sum": _sum,
    "matmul": _matmul,
    "bmm": lambda x, y, name=None: operator("bmm", {"X": x, "Y": y}),
    "gelu": lambda x, approximate=False, name=None: operator("gelu", {"X": x}, {"approximate": approximate}),
    "softplus": lambda x, beta=1.0, threshold=20.0, name=None: operator(
        "softplus", {"X": x}, {"beta": beta, "threshold": threshold}
    ),
}


@contextlib.contextmanager
def legacy_operators() -> Iterator[None]:
    """Inside the block Paddle's C++-backed functions, wherever a module or Variable holds them, trace old operators.

    Given tensors instead of variables of a program they compute as before.
    """
    modules = [m for name, m in sys.modules.items() if name.split(".")[0] == "paddle" and "libpaddle" not in name]
    held = [
        (holder, name, original, replacement)
        for name, replacement in REPLACEMENTS.items()
        for original in [getattr(paddle._C_ops, name)]
        for holder in [Variable, *modules]
        if vars(holder).get(name) is original
    ]
    for holder, name, original, replacement in held:
        setattr(holder, name, _for_variables(replacement, original))
    try:
        yield
    finally:
        for holder, name, original, _ in held:
            setattr(holder, name, original)


def _for_variables(replacement, original):
    def function(*args, **kwargs):
        traced = any(isinstance(value, Variable) for value in (*args, *kwargs.values()))
        return (replacement if traced else original)(*args, **kwargs)

    return function


def save(layer: Any, specs: list, path: str | Path) -> None:
    """Write PATH.pdmodel and PATH.pdiparams.

    Args:
        layer: its forward is traced from source and left as it was.
        specs: list of paddle.static.InputSpec.

    Raises:
        InputError: the layer uses something the old representation cannot say.
    """
    try:
        with OldIrGuard(), legacy_operators():
            traced = paddle.jit.to_static(layer, full_graph=True, input_spec=specs)
            try:
                paddle.jit.save(traced, str(path))
            finally:
                traced.forward.rollback()
    except (TypeError, ValueError, AttributeError, NotImplementedError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise InputError(f"{type(layer).__name__}: cannot be written in the legacy format ({reason})") from error
