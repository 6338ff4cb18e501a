"""The few classes and functions that arrays are made of, and the inert values that stand for what a file builds.

Nothing named is imported: a name is a pair of words looked up in NAMES, and its stand-in only describes. An array is
described by `Tensor`, torch's storage by `Storage`; whoever reads the file makes arrays of them. Whatever else a file
names, and whatever it would make of it, is an `Opaque`: words, the entries it was given and its state, never called.

Source: the reductions written by torch (`torch/_utils.py`, `torch/serialization.py`), numpy and paddle
(`paddle/framework/io.py`), read to learn the forms.
"""

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

MAX_DIMENSIONS = 16
MAX_SIZE = 1 << 48  # of a dimension, stride or offset
BFLOAT16 = "bfloat16"
STORAGES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "BFloat16Storage": BFLOAT16,
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "|i1",
    "ByteStorage": "|u1",
    "BoolStorage": "|b1",
}


class Refused(ValueError):
    """A weights file has no use for what is asked, or is damaged. The text completes "FILE ..." in one line."""


@dataclass(frozen=True)
class Storage:
    """A run of `count` values of type `dtype` that lies elsewhere in the file under `key`; a view begins at `start`."""

    key: str
    dtype: str
    count: int
    start: int = 0


@dataclass(frozen=True)
class Tensor:
    """An array to be made from a Storage or from bytes (text: its latin-1 code); offset and strides count values."""

    data: Storage | bytes | str
    dtype: str
    shape: tuple[int, ...]
    offset: int
    strides: tuple[int, ...]


@dataclass(frozen=True)
class Name:
    """A class or function that the stream names; `call` is its inert stand-in, None where it may be named only."""

    text: str
    call: Callable | None = None


@dataclass(eq=False)
class Pending:
    """An object that a later BUILD may complete: `value` becomes `complete(value, state)`."""

    value: object = None
    complete: Callable = lambda value, state: value


@dataclass(eq=False)
class Opaque:
    """A class, function or object that no array needs: its dotted name, what it was given as a dict, and its state."""

    text: str
    entries: dict = field(default_factory=dict)
    state: object = None


def inert(value: Any) -> Any:
    """The value that a Pending object has become; any other value unchanged."""
    return value.value if type(value) is Pending else value


def storage_view(kind: Any, key: Any, count: Any, view: Any = None) -> Any:
    """Storage for the parts of torch's persistent id; Opaque of one whose values numpy has no type for.

    Args:
        kind: Name of the storage class.
        key: text, the storage's name in the file.
        count: number of values.
        view: None, or (key, start, count) of a part of it, as files of 2017 have.
    """
    if type(kind) is Opaque:
        return Opaque(kind.text)
    code = STORAGES.get(kind.text.removeprefix("torch.")) if type(kind) is Name else None
    if code is None or type(key) is not str or not _is_count(count):
        raise Refused("refers to a storage of an unknown kind")
    storage = Storage(key, code, count)
    if view is None:
        return storage
    if type(view) is not tuple or len(view) != 3 or not _is_count(view[1]):
        raise Refused("refers to an impossible view of a storage")
    return replace(storage, start=view[1])


def _is_count(value):
    return type(value) is int and 0 <= value < MAX_SIZE


def _shape(value):
    """Sizes or strides; numpy writes a lone number for one dimension."""
    value = (value,) if type(value) is int else value
    if type(value) is not tuple or len(value) > MAX_DIMENSIONS or not all(map(_is_count, value)):
        raise Refused("gives an array an impossible shape")
    return value


def _tensor(storage, offset, shape, strides, *_):
    """Torch's `_rebuild_tensor` and `_rebuild_tensor_v2`."""
    if type(storage) is Opaque:
        return storage
    shape, strides = _shape(shape), _shape(strides)
    if type(storage) is not Storage or not _is_count(offset) or len(shape) != len(strides):
        raise Refused("describes a tensor that cannot be")
    return Tensor(storage, storage.dtype, shape, offset + storage.start, strides)


def _parameter(data=None, *_):
    """Torch's Parameter: its data. Files of 2017 may give the data in a later BUILD of five values."""
    return Pending(inert(data), lambda value, state: inert(state[0]) if len(state) == 5 else value)


def _subclass(function, _kind, arguments, _state):
    """Torch's tensor with attributes: the tensor."""
    if type(function) is Opaque:
        return function
    if type(function) is not Name or function.call is not _tensor or type(arguments) is not tuple:
        raise Refused("describes a tensor that cannot be")
    return _tensor(*arguments)


def _dtype(code, *_):
    """Numpy's dtype: integers, floats and booleans; a later BUILD gives the byte order. Any other type is Opaque."""
    if type(code) is not str or not re.fullmatch(r"[<>|=]?([iu][1248]|f[248]|b1)", code):
        return Opaque("numpy.dtype")
    return Pending("<" + code.lstrip("=<|") if code[0] != ">" else code, _with_byte_order)


def _with_byte_order(code, state):
    return (">" if state[1] == ">" else "<") + code[1:]


def _ndarray(*_):
    """Numpy's `_reconstruct`: an array whose content (version, shape, dtype, is Fortran, data) a BUILD gives."""
    return Pending(None, lambda value, state: _contiguous(state[-1], state[-3], state[-4], state[-2]))


def _frombuffer(data, dtype, shape, order):
    """Numpy's `_frombuffer`, the form of pickle protocol 5."""
    return Pending(_contiguous(data, dtype, shape, order == "F"))


def _contiguous(data, dtype, shape, is_fortran):
    """The Tensor over the whole of `data` (bytes, or text for its latin-1 code), in C or Fortran order."""
    if type(dtype) is Opaque:
        return dtype
    code, shape = inert(dtype), _shape(shape)
    if type(data) not in (bytes, str) or type(dtype) is not Pending or type(code) is not str:
        raise Refused("holds an array without plain data")
    strides, step = [], 1
    for size in shape if is_fortran else shape[::-1]:
        strides.append(step)
        step *= size
    if step * int(code[2:]) != len(data):
        raise Refused("holds an array whose size is not that of its data")
    return Tensor(data, code, shape, 0, tuple(strides if is_fortran else strides[::-1]))


def _sequence(kind):
    """A stand-in for tuple, list or set: `kind` of the items of a list or tuple."""
    return lambda items=(): kind(items) if isinstance(items, (list, tuple)) else kind()


def text_dict(items: Any = (), *_: Any) -> dict:
    """A dict from a dict or from pairs (Python 2 writes an OrderedDict so); a defaultdict's type is dropped."""
    pairs = items.items() if type(items) is dict else items if type(items) in (list, tuple) else ()
    return {key: value for key, value in pairs if type(key) is str}


def _latin1(text, encoding):
    """Bytes in pickle protocol 2: the text stands for its latin-1 code, which is made where the array is."""
    if encoding != "latin1" or type(text) is not str:
        raise Refused("encodes text in another code than latin1")
    return text


def _scalar(dtype, data):
    """Numpy's `scalar`: the number, from the bytes (or text for their latin-1 code) of one value."""
    if type(dtype) is Opaque:
        return dtype
    code = inert(dtype)
    data = data.encode("latin1") if type(data) is str else data
    if type(dtype) is not Pending or type(code) is not str or type(data) is not bytes:
        raise Refused("holds a number without plain data")
    return struct.unpack(code[0] + _STRUCTS[code[1:]], data)[0]


def _empty_bytes():
    return b""


_BUILTINS = {"tuple": _sequence(tuple), "dict": text_dict, "bytes": _empty_bytes}
_BUILTINS |= dict.fromkeys(("list", "set", "frozenset"), _sequence(list))
_BUILTINS |= dict.fromkeys(("int", "float", "bool", "str"))
_STRUCTS = dict(zip("i1 i2 i4 i8 u1 u2 u4 u8 f2 f4 f8 b1".split(), "bhiqBHIQefd?", strict=True))
_ARRAYS = {"_reconstruct": _ndarray, "scalar": _scalar}
_BUFFERS = {"_frombuffer": _frombuffer}
_DTYPES = ("float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool")
_MODULES: dict[str, dict] = {
    "torch._utils": {
        "_rebuild_tensor": _tensor,
        "_rebuild_tensor_v2": _tensor,
        "_rebuild_parameter": _parameter,
        "_rebuild_parameter_with_state": _parameter,
    },
    "torch._tensor": {"_rebuild_from_type_v2": _subclass},
    "torch.nn.parameter": {"Parameter": _parameter},
    "torch.autograd.variable": {"Variable": _parameter},
    "torch": {"Size": _sequence(tuple), "Tensor": None} | dict.fromkeys((*STORAGES, *_DTYPES)),
    "collections": {"OrderedDict": text_dict, "defaultdict": text_dict, "Counter": text_dict},
    "builtins": _BUILTINS,
    "__builtin__": _BUILTINS,
    "_codecs": {"encode": _latin1},
    "numpy": {"dtype": _dtype, "ndarray": None},
    "numpy.core.multiarray": _ARRAYS,
    "numpy._core.multiarray": _ARRAYS,
    "numpy.core.numeric": _BUFFERS,
    "numpy._core.numeric": _BUFFERS,
}
NAMES = {(m, name): Name(f"{m}.{name}", call) for m, names in _MODULES.items() for name, call in names.items()}
