"""Weights files written byte by byte, in every form and with every fault: what the tests of the reader read."""

import io
import pickle
import struct
import time
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from engine.errors import InputError
from engine.weights.files import read_weights

ASSETS = Path(__file__).parents[1] / "assets" / "weights"
SIX = np.arange(6, dtype="<f4")
TORCH_MAGIC = 0x1950A86A20F9469CFC6C
SYSTEM = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}


def plain(value):
    """Opcodes that push a value."""
    return pickle.dumps(value, 2)[2:-1]


def word(module, name):
    """Opcodes that push a class or function."""
    return f"c{module}\n{name}\n".encode()


def row(*parts):
    """Opcodes that push a tuple."""
    return b"(" + b"".join(parts) + b"t"


def call(function, *arguments):
    """Opcodes that push what a function returns."""
    return function + row(*arguments) + b"R"


def storage(key="0", kind="FloatStorage", count=6, *view):
    """Opcodes that push torch's storage."""
    return row(plain("storage"), word("torch", kind), plain(key), plain("cpu"), plain(count), *view) + b"Q"


def tensor(place, offset=0, shape=(2, 3), strides=(3, 1)):
    """Opcodes that push torch's tensor over a storage."""
    rebuild, hooks = word("torch._utils", "_rebuild_tensor_v2"), call(word("collections", "OrderedDict"))
    return call(rebuild, place, plain(offset), plain(shape), plain(strides), b"\x89", hooks)


def tree(**entries):
    """A pickle of a dict whose values are given as opcodes."""
    return b"\x80\x02}(" + b"".join(plain(key) + value for key, value in entries.items()) + b"u."


def torch_zip(content, storages, top="archive", compression=zipfile.ZIP_STORED):
    """A file as of torch.save since 1.6."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        archive.writestr(f"{top}/data.pkl", content)
        for key, data in storages.items():
            archive.writestr(f"{top}/data/{key}", data)
    return file.getvalue()


def torch_old(content, storages, keys=None, system=None, width=4):
    """A file as of torch.save before 1.6, of storages whose values have `width` bytes."""
    parts = [pickle.dumps(TORCH_MAGIC, 2), pickle.dumps(1001, 2), system or pickle.dumps(SYSTEM, 2), content]
    parts.append(keys or pickle.dumps(list(storages), 2))
    parts += [struct.pack("<q", len(data) // width) + data for data in storages.values()]
    return b"".join(parts)


def healthy():
    """Small files of every form, each with `w`, float32 [2, 3], and `h`, float16 [1, -2]."""
    halves = struct.pack("<2e", 1, -2)
    two = tree(w=tensor(storage()), h=tensor(storage("1", "HalfStorage", 2), 0, (2,), (1,)))
    old = torch_old(two, {}, pickle.dumps(["0", "1"], 2))
    old += struct.pack("<q", 6) + SIX.tobytes() + struct.pack("<q", 2) + halves
    arrays = {"w": SIX.reshape(2, 3), "h": np.array([1, -2], "f2")}
    pickles = {f"paddle{protocol}": pickle.dumps(arrays, protocol) for protocol in (2, 4, 5)}
    zipped = torch_zip(two, {"0": SIX.tobytes(), "1": halves})
    return {"zip": zipped, "old": old, **pickles, "safetensors": safetensors.numpy.save(arrays)}


def read(folder, data):
    """What read_weights makes of a file of these bytes."""
    path = folder / "W.pth"
    path.write_bytes(data)
    return read_weights(path)


def refusal(folder, data):
    """The one line with which a file of these bytes is refused, without the file's name."""
    with pytest.raises(InputError) as caught:
        read(folder, data)
    line = str(caught.value)
    assert line.isascii() and line.isprintable() and len(line) < 500 and "W.pth: " in line
    return line.partition("W.pth: ")[2]


def check_cheap_refusal(folder, data):
    """A file of these bytes is refused within 10 s of processor time and 40 MiB, whatever sizes it claims."""
    began = time.process_time()
    tracemalloc.start()
    try:
        assert refusal(folder, data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 40 << 20 and time.process_time() - began < 10
