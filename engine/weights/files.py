"""The only way for weights into and out of the project: files <-> {key: array}, and arrays into a network.

Reading needs no torch and runs nothing that a file asks for. A file that tries to, is damaged, or declares more than it
holds, ends in an InputError of one line that names it.
"""

import errno
import hashlib
import os
import pickle
import re
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import safetensors.numpy
from paddle import nn

from engine.errors import InputError
from engine.files import replacing
from engine.log import logger
from engine.weights.arrays import Refused, Stream, read_safetensors
from engine.weights.manifest import fetch_hint
from engine.weights.torch_file import TORCH_MAGIC, read_old_torch, read_torch_tree, read_zip, write_torch_zip
from engine.weights.unpickle import paddle_arrays, unpickle

AVERAGED = re.compile(r"(^|_)(ema|averaged?|avg|swa)(?=_|$)")
DAMAGE = (ValueError, KeyError, EOFError, RuntimeError, OverflowError, struct.error, zlib.error, zipfile.BadZipFile)
CHUNK = 1 << 20
MAX_HEADER = 100_000_000  # bytes of a safetensors header
SEAL = b"\nsha256 "  # at the end of our .pdparams files, with the hash of all before it; no unpickler reads so far
SEAL_SIZE = len(SEAL) + 64


class Weights(dict):
    """{key: array} of a file; `is_official`: whether its format is one that PyTorch's layouts come in."""

    is_official = True


def read_weights(path: str | Path) -> Weights:
    """Arrays of a .pdparams, .pth (torch's zip and older form) or .safetensors file, told by its content.

    Args:
        path: file; nested dicts in it are joined with "/" ("g_ema/ecd0.0.0.weight").

    Returns:
        Weights: contiguous, writable, 0-d kept; float16 and bfloat16 as float32. Numbers, text, lists and what
        lies under other keys than text (an optimizer's state) are dropped.

    Raises:
        InputError: no such file, another format, or a file that is refused.
    """
    with _opened(path) as file:
        start = file.read(16)
        file.seek(0)
        if not start:
            raise Refused("is empty")
        if start.startswith(b"PK"):
            return Weights(read_zip(file))
        if start.startswith(b"\x80"):
            _check_seal(file)
            stream = Stream(file)
            if (tree := unpickle(stream)) == TORCH_MAGIC:
                return Weights(read_old_torch(stream))
            arrays = Weights(paddle_arrays(tree, stream.size))
            arrays.is_official = False
            return arrays
        if start[8:9] == b"{" and int.from_bytes(start[:8], "little") <= MAX_HEADER:
            return Weights(read_safetensors(file))
        raise Refused(f"is not a weights file (.pdparams, .pth, .safetensors): it begins with {start.decode('latin1')}")


def read_tree(path: str | Path) -> Any:
    """Dicts with text keys, lists and numbers of a torch.save file: tables, not weights. Nothing in it is run.

    Raises:
        InputError: no such file, another format, or a file that is refused.
    """
    with _opened(path) as file:
        return read_torch_tree(file)


def read_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """Arrays of a .safetensors file as written by `write_arrays`, with their types.

    Raises:
        InputError: no such file, or a damaged one.
    """
    with _opened(path) as file:
        return read_safetensors(file, keeps_halves=True)


def write_weights(path: str | Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write a .pdparams file with its own hash, whole or not at all, that `paddle.load` and `read_weights` read.

    Args:
        path: file; its folder is made if it is not there.
        arrays: {key: array} of floats, integers or booleans. uint16 is how Paddle writes bfloat16, and is read as such.

    Raises:
        InputError: the folder is not writable or the disk is full.
    """
    data = pickle.dumps(_contiguous(arrays), protocol=4)
    _write(path, data + SEAL + hashlib.sha256(data).hexdigest().encode())


def write_arrays(path: str | Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write a .safetensors file, whole or not at all; types are kept.

    Raises:
        InputError: the folder is not writable or the disk is full.
    """
    _write(path, safetensors.numpy.save(_contiguous(arrays)))


def write_torch(path: str | Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write a .pth file, whole or not at all, that `torch.load(path, weights_only=True)` and `read_weights` read.

    Raises:
        InputError: the folder is not writable, the disk is full, or torch has no storage for a type.
    """
    with replacing(path) as temporary, open(temporary, "wb") as file:
        try:
            write_torch_zip(file, arrays)
        except Refused as error:
            raise InputError(f"{path}: {shown(str(error), 300)}") from None
        file.flush()
        os.fsync(file.fileno())


def _check_seal(file):
    """Refuse a file whose content is not what the hash at its end was made of; one without a hash is taken as it is."""
    end = file.seek(0, os.SEEK_END)
    start = max(0, end - SEAL_SIZE)
    file.seek(start)
    seal = file.read()
    file.seek(0)
    if not seal.startswith(SEAL):
        return
    digest, left = hashlib.sha256(), start
    while piece := file.read(min(left, CHUNK)):
        digest.update(piece)
        left -= len(piece)
    file.seek(0)
    if digest.hexdigest().encode() != seal.removeprefix(SEAL):
        raise Refused(
            f"is damaged: its sha256 is {digest.hexdigest()}, {seal[len(SEAL) :].decode('latin1')} was written"
        )


def _contiguous(arrays):
    return {key: np.asarray(array, order="C") for key, array in arrays.items()}


def _write(path, data):
    with replacing(path) as temporary, open(temporary, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def load_into(layer: nn.Layer, arrays: Mapping[str, np.ndarray], source: str | Path) -> None:
    """Give a Paddle layer's parameters and buffers the values of a file; every key and shape must match.

    Args:
        layer: paddle.nn.Layer, changed in place, or left as it is if anything does not match.
        arrays: {key: array}; each is cast to the type of the layer's tensor.
        source: the file, for the error.

    Raises:
        InputError: naming the first three keys that differ with both shapes, those of another shape first.
    """
    tensors = layer.state_dict()
    if difference := mismatch(tensors, arrays):
        raise InputError(f"{source}: {difference}")
    for key, tensor in tensors.items():
        tensor.set_value(paddle.to_tensor(arrays[key]).astype(tensor.dtype))


def mismatch(tensors: Mapping[str, paddle.Tensor], arrays: Mapping[str, np.ndarray]) -> str:
    """Differences of a file's arrays to a network, in one line; "" if all keys and shapes agree.

    Args:
        tensors: state_dict of the network.
        arrays: {key: array} of the file.
    """
    wrong = [key for key in tensors if key in arrays and list(arrays[key].shape) != list(tensors[key].shape)]
    missing = [key for key in tensors if key not in arrays]
    extra = [key for key in arrays if key not in tensors]
    differing = wrong + missing + extra
    if not differing:
        return ""
    lines = [
        f"{shown(key)} is {_size(arrays, key)} in the file, {_size(tensors, key)} in the network"
        for key in differing[:3]
    ]
    more = f"; and {len(differing) - 3} more" if len(differing) > 3 else ""
    return f"weights of another {'size' if wrong else 'network'}: {'; '.join(lines)}{more}"


def read_loss_weights(path: str | Path, loss: str, when_missing: str, ways_out: str) -> Weights | None:
    """Weights of a frozen network inside a loss; a missing file stops the run, or drops the loss with a warning.

    Args:
        path: weights file.
        loss: what it is for, e.g. "identity"; stands in the message and in the log header as `identity: off`.
        when_missing: "stop" or "skip".
        ways_out: what else the user may do, e.g. "recipe.identity_weight: 0".

    Returns:
        {key: array}, or None where the file is missing and may be.

    Raises:
        InputError: the file is missing and `when_missing` is "stop", or it is damaged.
    """
    if Path(path).exists():
        return read_weights(path)
    if when_missing == "skip":
        logger.warning(f"{path} is missing: training without the {loss} loss ({loss}: off){fetch_hint(path)}")
        return None
    raise InputError(
        f"{path}: missing; the {loss} loss needs it there, or recipe.when_missing: skip, or {ways_out}"
        f"{fetch_hint(path)}"
    )


@contextmanager
def _opened(path):
    """The file, open for reading from its start; what goes wrong while it is read becomes an InputError."""
    path = Path(path)
    try:
        if path.exists() and not path.is_file():
            raise Refused("is a folder or a device; expected a weights file")
        with open(path, "rb") as file:
            yield file
    except Refused as error:
        raise InputError(f"{path}: {shown(str(error), 300)}") from None
    except MemoryError:
        raise InputError(f"{path}: needs more memory than there is") from None
    except OSError as error:
        # zipfile seeks where a damaged directory points, which may be before the file's start
        what = "is truncated or damaged" if error.errno == errno.EINVAL else "cannot be read"
        hint = fetch_hint(path) if error.errno == errno.ENOENT else ""
        raise InputError(f"{path}: {what} ({error.strerror or shown(str(error))}){hint}") from None
    except DAMAGE as error:
        raise InputError(f"{path}: is truncated or damaged ({type(error).__name__}: {shown(str(error))})") from None


def _size(tensors, key):
    return list(tensors[key].shape) if key in tensors else "missing"


def is_averaged(place: Iterable[str]) -> bool:
    """Whether one of a place's names says that its values are moving averages."""
    return any(AVERAGED.search(name) for name in re.findall(r"[^/.]+", "".join(place)))


def shown(text: str, limit: int = 100) -> str:
    """Text from a file as it may stand in a line on a terminal."""
    return ascii(text[:limit])[1:-1]
