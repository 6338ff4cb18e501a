"""The formats of weight files: Paddle's pickle, torch's zip and its older stream, safetensors.

Each reader takes an open file and gives {key: array}, of a pickle as `engine.weights.unpickle` finds them. Arrays are
contiguous, writable, in native byte order; half and bfloat16 become float32. What the arrays take in memory is bounded
by the file's size, so views that repeat a storage many times are refused.

Source: torch/serialization.py (both forms of torch.save), paddle/framework/io.py (paddle.save), read to learn the
forms; the safetensors library.
"""

import io
import math
import zipfile
from typing import Any, BinaryIO

import numpy as np
import safetensors
from numpy.lib.stride_tricks import as_strided

from engine.weights.pickle_names import BFLOAT16, Refused, Storage, inert, storage_view
from engine.weights.unpickle import arrays_in, joined, unpickle

TORCH_MAGIC = 0x1950A86A20F9469CFC6C  # first pickle of a torch file before 1.6
TORCH_PROTOCOL = 1001
MAX_GROWTH = 8, 1 << 24  # arrays may take 8 times the file's size and 16 MiB
MAX_LINE = 1 << 16
MAX_TREE_WORK = 20_000_000  # pickle instructions of a table; FFHQ's 70,000 faces take about 6 million
SAFETENSORS = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": BFLOAT16, "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "<i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "<u1", "BOOL": "<b1",
}  # fmt: skip


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


def read_pickle(file: BinaryIO) -> Any:
    """Arrays of a file that begins with a pickle: paddle.save's, or torch.save's before 1.6."""
    stream = Stream(file)
    tree = unpickle(stream)
    if tree == TORCH_MAGIC:
        return _read_old_torch(stream)
    arrays = arrays_in(tree, _Maker(stream.size, paddle=True))
    return joined(arrays, tree.get("UnpackBigParamInfor@@")) if type(tree) is dict else arrays


def read_zip(file: BinaryIO) -> Any:
    """Arrays of a torch.save file since 1.6: a zip with `<top>/data.pkl` and the storages `<top>/data/<key>`."""
    size = Stream(file).size
    archive, entries, top = _torch_archive(file)
    if f"{top}byteorder" in entries and archive.read(f"{top}byteorder") != b"little":
        raise Refused("was written by a big-endian machine, which is not read")

    def content(storage):
        entry = entries.get(f"{top}data/{storage.key}")
        if entry is None or entry.file_size != storage.count * _width(storage.dtype):
            raise Refused("has a storage whose size is not the one declared")
        return archive.read(entry)

    tree = unpickle(Stream(io.BytesIO(archive.read(f"{top}data.pkl"))), _storage)
    return arrays_in(tree, _Maker(size, content))


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


def _read_old_torch(stream):
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
        if stream.file.seek(storage.count * _width(storage.dtype), io.SEEK_CUR) > stream.size:
            raise Refused("is truncated")

    def content(storage):
        if storage.key not in positions:
            raise Refused("lacks a storage that it refers to")
        return stream.exactly(storage.count * _width(storage.dtype), positions[storage.key])

    return arrays_in(tree, _Maker(stream.size, content))


def _storage(identity):
    """Storage of torch's persistent id ("storage", class, key, device, count[, view])."""
    if type(identity) is tuple and len(identity) == 4 and identity[0] == "module":
        return identity[1]  # of a module pickled whole: its class, beside its source
    if type(identity) is not tuple or len(identity) not in (5, 6) or identity[0] != "storage":
        raise Refused("refers to something that is no storage")
    return storage_view(identity[1], identity[2], identity[4], *identity[5:])


class _Maker:
    """Makes arrays of Tensor descriptions, within the memory that a file of `size` bytes may take."""

    def __init__(self, size, content=None, paddle=False):
        self.left = MAX_GROWTH[0] * size + MAX_GROWTH[1]
        self.content, self.paddle, self.known = content, paddle, {}

    def __call__(self, tensor):
        code = tensor.dtype
        if self.paddle and code[1:] == "u2":
            code = BFLOAT16  # Paddle writes bfloat16 as the integers of its bits
        self.left -= math.prod(tensor.shape) * max(4, _width(code))
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


def _width(code):
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
