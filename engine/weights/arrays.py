"""Arrays as files describe them: the few classes and functions that they are made of, and inert values for the rest.

Nothing that a file names is imported: a name is a pair of words looked up in NAMES, and its stand-in only describes. An
array is described by `Tensor`, torch's storage by `Storage`; a `Maker` makes the array. Whatever else a file names, and
whatever it would make of it, is an `Opaque`: words, the entries it was given and its state, never called.

Arrays are contiguous, writable, in native byte order; half and bfloat16 become float32. What they take in memory is
bounded by the file's size, so views that repeat a storage many times are refused.

Source: the reductions written by numpy and paddle (`paddle/framework/io.py`), read to learn the forms; the safetensors
library.
"""

import io
import math
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np
import safetensors
from numpy.lib.stride_tricks import as_strided

MAX_DIMENSIONS = 16
MAX_SIZE = 1 << 48  # of a dimension, stride or offset
MAX_GROWTH = 8, 1 << 24  # arrays may take 8 times the file's size and 16 MiB
MAX_LINE = 1 << 16
BFLOAT16 = "bfloat16"
SAFETENSORS = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": BFLOAT16, "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "<i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "<u1", "BOOL": "<b1",
}  # fmt: skip


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


def is_count(value: Any) -> bool:
    """Whether it can be a size, a stride or an offset."""
    return type(value) is int and 0 <= value < MAX_SIZE


def shape_of(value: Any) -> tuple[int, ...]:
    """Sizes or strides; numpy writes a lone number for one dimension."""
    value = (value,) if type(value) is int else value
    if type(value) is not tuple or len(value) > MAX_DIMENSIONS or not all(map(is_count, value)):
        raise Refused("gives an array an impossible shape")
    return value


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
    code, shape = inert(dtype), shape_of(shape)
    if type(data) not in (bytes, str) or type(dtype) is not Pending or type(code) is not str:
        raise Refused("holds an array without plain data")
    strides, step = [], 1
    for size in shape if is_fortran else shape[::-1]:
        strides.append(step)
        step *= size
    if step * int(code[2:]) != len(data):
        raise Refused("holds an array whose size is not that of its data")
    return Tensor(data, code, shape, 0, tuple(strides if is_fortran else strides[::-1]))


def sequence(kind: Callable) -> Callable:
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


_BUILTINS: dict[str, Callable | None] = {"tuple": sequence(tuple), "dict": text_dict, "bytes": _empty_bytes}
_BUILTINS |= dict.fromkeys(("list", "set", "frozenset"), sequence(list))
_BUILTINS |= dict.fromkeys(("int", "float", "bool", "str"))
_STRUCTS = dict(zip("i1 i2 i4 i8 u1 u2 u4 u8 f2 f4 f8 b1".split(), "bhiqBHIQefd?", strict=True))
_ARRAYS = {"_reconstruct": _ndarray, "scalar": _scalar}
_BUFFERS = {"_frombuffer": _frombuffer}
_MODULES: dict[str, dict] = {
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


def names_of(modules: dict[str, dict]) -> dict[tuple[str, str], Name]:
    """{(module, name): Name} of {module: {name: stand-in, None where it may be named only}}."""
    return {(m, name): Name(f"{m}.{name}", call) for m, names in modules.items() for name, call in names.items()}


NAMES = names_of(_MODULES)


class Stream:
    """A seekable binary file, from its start; a length written in it never reserves more memory than it has bytes."""

    def __init__(self, file: BinaryIO) -> None:  # noqa: D107
        self.file = file
        self.size = file.seek(0, io.SEEK_END)
        file.seek(0)

    def read(self, count: int) -> bytes:
        """At most `count` bytes."""
        return self.file.read(count if count < MAX_LINE else min(count, self.size - self.file.tell()))

    def readline(self) -> bytes:
        """A line, cut at MAX_LINE bytes."""
        return self.file.readline(MAX_LINE)

    def exactly(self, count: int, position: int | None = None) -> bytes:
        """`count` bytes from `position`, or from where the file stands."""
        if position is not None:
            self.file.seek(position)
        data = self.read(count)
        if len(data) != count:
            raise Refused("is truncated")
        return data


def read_safetensors(file: BinaryIO, keeps_halves: bool = False) -> Any:
    """Arrays of a .safetensors file; with `keeps_halves` float16 stays float16."""
    try:
        entries = safetensors.deserialize(file.read())
    except safetensors.SafetensorError as error:
        raise Refused(f"is truncated or damaged ({error})") from None
    arrays = {}
    for key, entry in entries:
        code = SAFETENSORS.get(entry["dtype"])
        if code is None:
            raise Refused(f"holds {key} of type {entry['dtype']}, which is not read")
        values = _values(entry["data"], code).reshape(entry["shape"])
        arrays[key] = _native(values, code, keeps_halves)
    return arrays


class Maker:
    """Makes arrays of Tensor descriptions, within the memory that a file of `size` bytes may take."""

    def __init__(self, size: int, content: Any = None, paddle: bool = False) -> None:
        """`content`: gives the bytes of a Storage; `paddle`: integers of 16 bits are those of bfloat16."""
        self.left = MAX_GROWTH[0] * size + MAX_GROWTH[1]
        self.content, self.paddle = content, paddle
        self.known: dict[str, bytes] = {}

    def __call__(self, tensor: Tensor) -> np.ndarray:
        """The array. Refused where it does not lie in its data, or there are too many."""
        code = tensor.dtype
        if self.paddle and code[1:] == "u2":
            code = BFLOAT16  # Paddle writes bfloat16 as the integers of its bits
        self.left -= math.prod(tensor.shape) * max(4, width(code))
        if self.left < 0:
            raise Refused("blows up: its arrays take many times the size of the file")
        values = _values(self._bytes(tensor.data), code)
        if 0 in tensor.shape:
            return _native(np.zeros(tensor.shape, values.dtype), code)
        reach = sum((size - 1) * step for size, step in zip(tensor.shape, tensor.strides, strict=True))
        if tensor.offset + reach >= values.size:
            raise Refused("has a tensor that reaches beyond its storage")
        steps = [step * values.itemsize for step in tensor.strides]
        return _native(as_strided(values[tensor.offset :], tensor.shape, steps, writeable=False), code)

    def _bytes(self, data):
        if type(data) is not Storage:
            return data.encode("latin1") if type(data) is str else data
        if data.key not in self.known:
            self.known[data.key] = self.content(data)
        return self.known[data.key]


def width(code: str) -> int:
    """Bytes of a value."""
    return 2 if code == BFLOAT16 else int(code[2:])


def _values(data, code):
    """One-dimensional array over bytes; of bfloat16 and booleans, the integers they are written as."""
    return np.frombuffer(data, {BFLOAT16: "<u2", "<b1": "<u1", "|b1": "<u1"}.get(code, code))


def _native(values, code, keeps_halves=False):
    """A new contiguous array in native byte order; float16 (unless kept) and bfloat16 as float32."""
    values = np.array(values, order="C")
    if code == BFLOAT16:
        return np.asarray(values.astype("u4") << 16).view("f4")
    if code[1:] == "b1":
        return np.asarray(values != 0)
    return values.astype("f4" if code[1:] == "f2" and not keeps_halves else code[1:], copy=False)
