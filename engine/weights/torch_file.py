"""Write files in the form of torch.save since 1.6, without torch, for weights that leave the project.

Source: torch/serialization.py and torch/_utils.py, read to learn the form; the opcodes of Python's pickletools.
"""

import math
import pickle
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.weights.pickle_names import STORAGES, Refused

TOP = "archive"
STORAGE_OF = {code.lstrip("<|"): name for name, code in STORAGES.items() if code[0] in "<|"}


def write_torch_zip(file: Any, arrays: Mapping[str, np.ndarray]) -> None:
    """Write {key: array} as an OrderedDict of contiguous tensors that `torch.load(FILE, weights_only=True)` takes.

    Args:
        file: binary file, open for writing.
        arrays: {key: array} of floats, signed integers, bytes or booleans.

    Raises:
        Refused: an array of a type that torch has no storage for.
    """
    arrays = {key: _native(key, array) for key, array in arrays.items()}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(f"{TOP}/data.pkl", _description(arrays))
        archive.writestr(f"{TOP}/byteorder", b"little")
        for number, array in enumerate(arrays.values()):
            archive.writestr(f"{TOP}/data/{number}", array.tobytes())
        archive.writestr(f"{TOP}/version", b"3\n")


def _native(key, array):
    array = np.asarray(array, order="C")
    if array.dtype.str[1:] not in STORAGE_OF:
        raise Refused(f"cannot hold {key}: torch has no storage for {array.dtype}")
    return array.astype(array.dtype.newbyteorder("<"), copy=False)


def _description(arrays):
    """The pickle: an OrderedDict of calls of `_rebuild_tensor_v2`, each over a storage of its own."""
    ordered_dict = _name("collections", "OrderedDict") + b")R"
    items = [
        _plain(key) + _name("torch._utils", "_rebuild_tensor_v2") + _tensor(str(number), array, ordered_dict) + b"R"
        for number, (key, array) in enumerate(arrays.items())
    ]
    return b"\x80\x02" + ordered_dict + b"(" + b"".join(items) + b"u."


def _tensor(number, array, no_hooks):
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
