"""torch's files without torch: read in both of its forms, the zip and the older stream; written as a zip.

Source: torch/serialization.py (both forms of torch.save) and torch/_utils.py, read to learn the forms; the opcodes of
Python's pickletools.
"""

import io
import math
import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, BinaryIO

import numpy as np

from engine.weights import unpickle as pickles
from engine.weights.arrays import (
    BFLOAT16,
    NAMES,
    Maker,
    Name,
    Opaque,
    Pending,
    Refused,
    Storage,
    Stream,
    Tensor,
    inert,
    is_count,
    names_of,
    sequence,
    shape_of,
    width,
)
from engine.weights.unpickle import arrays_in

TORCH_MAGIC = 0x1950A86A20F9469CFC6C  # first pickle of a torch file before 1.6
TORCH_PROTOCOL = 1001
MAX_TREE_WORK = 20_000_000  # pickle instructions of a table; FFHQ's 70,000 faces take about 6 million
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

TOP = "archive"
STORAGE_OF = {code.lstrip("<|"): name for name, code in STORAGES.items() if code[0] in "<|"}


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
    if code is None or type(key) is not str or not is_count(count):
        raise Refused("refers to a storage of an unknown kind")
    storage = Storage(key, code, count)
    if view is None:
        return storage
    if type(view) is not tuple or len(view) != 3 or not is_count(view[1]):
        raise Refused("refers to an impossible view of a storage")
    return replace(storage, start=view[1])


def _tensor(storage, offset, shape, strides, *_):
    """Torch's `_rebuild_tensor` and `_rebuild_tensor_v2`."""
    if type(storage) is Opaque:
        return storage
    shape, strides = shape_of(shape), shape_of(strides)
    if type(storage) is not Storage or not is_count(offset) or len(shape) != len(strides):
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


TYPES = ("float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool")
TORCH_NAMES = NAMES | names_of(
    {
        "torch._utils": {
            "_rebuild_tensor": _tensor,
            "_rebuild_tensor_v2": _tensor,
            "_rebuild_parameter": _parameter,
            "_rebuild_parameter_with_state": _parameter,
        },
        "torch._tensor": {"_rebuild_from_type_v2": _subclass},
        "torch.nn.parameter": {"Parameter": _parameter},
        "torch.autograd.variable": {"Variable": _parameter},
        "torch": {"Size": sequence(tuple), "Tensor": None} | dict.fromkeys((*STORAGES, *TYPES)),
    }
)
unpickle = partial(pickles.unpickle, names=TORCH_NAMES)


def read_zip(file: BinaryIO) -> Any:
    """Arrays of a torch.save file since 1.6: a zip with `<top>/data.pkl` and the storages `<top>/data/<key>`."""
    size = Stream(file).size
    archive, entries, top = _torch_archive(file)
    if f"{top}byteorder" in entries and archive.read(f"{top}byteorder") != b"little":
        raise Refused("was written by a big-endian machine, which is not read")

    def content(storage):
        entry = entries.get(f"{top}data/{storage.key}")
        if entry is None or entry.file_size != storage.count * width(storage.dtype):
            raise Refused("has a storage whose size is not the one declared")
        return archive.read(entry)

    tree = unpickle(Stream(io.BytesIO(archive.read(f"{top}data.pkl"))), _storage)
    return arrays_in(tree, Maker(size, content))


def _torch_archive(file):
    """(the open zip, its entries by name, the folder in it that holds data.pkl) of a torch.save file."""
    archive = zipfile.ZipFile(file)
    entries = {entry.filename: entry for entry in archive.infolist()}
    _check_entries(entries.values(), Stream(file).size)
    trees = [name for name in entries if name.rpartition("/")[2] == "data.pkl" and name.count("/") < 2]
    if len(trees) != 1:
        raise Refused("is a zip file, but not one of torch.save (one data.pkl is expected)")
    return archive, entries, trees[0].removesuffix("data.pkl")


def read_torch_tree(file: BinaryIO) -> Any:
    """Objects of a torch.save file of either form, as `unpickle` gives them; contents of tensors are not read."""
    is_zip = file.read(2) == b"PK"
    file.seek(0)
    if is_zip:
        archive, _, top = _torch_archive(file)
        return inert(unpickle(Stream(io.BytesIO(archive.read(f"{top}data.pkl"))), _storage, MAX_TREE_WORK))
    stream = Stream(file)
    if unpickle(stream) != TORCH_MAGIC:
        raise Refused("is not a file of torch.save")
    unpickle(stream), unpickle(stream)  # protocol, system
    return inert(unpickle(stream, _storage, MAX_TREE_WORK))


def _check_entries(entries, size):
    """Refuse what torch.save never writes and bombs are made of."""
    for entry in entries:
        if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1 or entry.file_size != entry.compress_size:
            raise Refused("has compressed or encrypted entries, which torch.save does not write")
    if sum(entry.file_size for entry in entries) > size:
        raise Refused("declares entries that are larger than the file")


def read_old_torch(stream: Stream) -> Any:
    """The rest of torch's form before 1.6: protocol, system, object, storage keys, each storage with its length."""
    protocol, system = unpickle(stream), unpickle(stream)
    if protocol != TORCH_PROTOCOL or type(system) is not dict or system.get("little_endian") is not True:
        raise Refused("is a torch file of another protocol or byte order, which is not read")
    declared: dict = {}

    def refer(identity):
        view = _storage(identity)
        if type(view) is not Storage:
            return view
        whole = Storage(view.key, view.dtype, view.count)
        if declared.setdefault(view.key, whole) != whole:
            raise Refused("declares a storage twice, differently")
        return view

    tree, keys, positions = unpickle(stream, refer), unpickle(stream), {}
    for key in keys if type(keys) is list else ():
        storage = declared.get(key) if type(key) is str else None
        if storage is None or storage.count != int.from_bytes(stream.exactly(8), "little"):
            raise Refused("has a storage whose size is not the one declared")
        positions[key] = stream.file.tell()
        if stream.file.seek(storage.count * width(storage.dtype), io.SEEK_CUR) > stream.size:
            raise Refused("is truncated")

    def content(storage):
        if storage.key not in positions:
            raise Refused("lacks a storage that it refers to")
        return stream.exactly(storage.count * width(storage.dtype), positions[storage.key])

    return arrays_in(tree, Maker(stream.size, content))


def _storage(identity):
    """Storage of torch's persistent id ("storage", class, key, device, count[, view])."""
    if type(identity) is tuple and len(identity) == 4 and identity[0] == "module":
        return identity[1]  # of a module pickled whole: its class, beside its source
    if type(identity) is not tuple or len(identity) not in (5, 6) or identity[0] != "storage":
        raise Refused("refers to something that is no storage")
    return storage_view(identity[1], identity[2], identity[4], *identity[5:])


def write_torch_zip(file: Any, arrays: Mapping[str, np.ndarray]) -> None:
    """Write {key: array} as an OrderedDict of contiguous tensors that `torch.load(FILE, weights_only=True)` takes.

    Args:
        file: binary file, open for writing.
        arrays: {key: array} of floats, signed integers, bytes or booleans.

    Raises:
        Refused: an array of a type that torch has no storage for.
    """
    arrays = {key: _little(key, array) for key, array in arrays.items()}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(f"{TOP}/data.pkl", _description(arrays))
        archive.writestr(f"{TOP}/byteorder", b"little")
        for number, array in enumerate(arrays.values()):
            archive.writestr(f"{TOP}/data/{number}", array.tobytes())
        archive.writestr(f"{TOP}/version", b"3\n")


def _little(key, array):
    array = np.asarray(array, order="C")
    if array.dtype.str[1:] not in STORAGE_OF:
        raise Refused(f"cannot hold {key}: torch has no storage for {array.dtype}")
    return array.astype(array.dtype.newbyteorder("<"), copy=False)


def _description(arrays):
    """The pickle: an OrderedDict of calls of `_rebuild_tensor_v2`, each over a storage of its own."""
    ordered_dict = _name("collections", "OrderedDict") + b")R"
    items = [
        _plain(key) + _name("torch._utils", "_rebuild_tensor_v2") + _arguments(str(number), array, ordered_dict) + b"R"
        for number, (key, array) in enumerate(arrays.items())
    ]
    return b"\x80\x02" + ordered_dict + b"(" + b"".join(items) + b"u."


def _arguments(number, array, no_hooks):
    """Arguments: storage, offset, size, stride, requires_grad, backward hooks."""
    kind = _name("torch", STORAGE_OF[array.dtype.str[1:]])
    storage = b"(" + _plain("storage") + kind + _plain(number) + _plain("cpu") + _plain(array.size) + b"tQ"
    strides = tuple(math.prod(max(size, 1) for size in array.shape[i + 1 :]) for i in range(array.ndim))
    return b"(" + storage + _plain(0) + _plain(array.shape) + _plain(strides) + b"\x89" + no_hooks + b"t"


def _name(module, name):
    return f"c{module}\n{name}\n".encode()


def _plain(value):
    """Opcodes that push text, a number or a tuple of numbers."""
    if type(value) is tuple:
        return b"(" + b"".join(_plain(int(item)) for item in value) + b"t"
    data = pickle.dumps(value, 2)
    return data[2:-1] if type(value) is int else data[2 : data.rindex(b"q")]
