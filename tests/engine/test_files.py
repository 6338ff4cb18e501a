"""Writing weights whole, choosing a network in a file, loading it strictly, and the messages."""

import errno
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import paddle
import pytest

from engine.errors import InputError
from engine.weights.files import SEAL, SEAL_SIZE, load_into, read_arrays, read_weights, write_arrays, write_weights
from tests.engine.weight_files import SIX, refusal

ROOT = Path(__file__).resolve().parents[2]


def test_written_weights_are_read_here_and_by_paddle(tmp_path):
    arrays = {"a.w": np.arange(6, dtype="f4").reshape(2, 3).T, "b/c": np.array(3, "i8"), "d": np.array([True])}
    write_weights(tmp_path / "new" / "W.pdparams", arrays)
    theirs, ours = paddle.load(str(tmp_path / "new" / "W.pdparams")), read_weights(tmp_path / "new" / "W.pdparams")
    assert list(ours) == list(arrays) == list(theirs)
    for key, value in arrays.items():
        np.testing.assert_array_equal(ours[key], value, strict=True)
        np.testing.assert_array_equal(theirs[key].numpy(), value, strict=True)


def test_written_arrays_keep_types_and_order(tmp_path):
    arrays = {
        "turned": np.arange(6, dtype="f4").reshape(2, 3).T,
        "half": np.array([1.5], "f2"),
        "number": np.array(2**40),
        "uint16": np.array([7], "u2"),
        "empty": np.zeros((0, 2), "f8"),
        "bool": np.array([[True], [False]]),
        "scalar": np.array(1.25),
    }
    write_arrays(tmp_path / "state.safetensors", arrays)
    found = read_arrays(tmp_path / "state.safetensors")
    assert found.keys() == arrays.keys()
    for key, value in arrays.items():
        np.testing.assert_array_equal(found[key], value, err_msg=key, strict=True)
    write_arrays(tmp_path / "none.safetensors", {})
    assert read_arrays(tmp_path / "none.safetensors") == {}


@pytest.mark.parametrize("write", [write_weights, write_arrays])
@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch, write, moment):
    path = tmp_path / "W.safetensors"
    write(path, {"w": SIX})
    before = path.read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, moment, full)
    with pytest.raises(InputError, match=r"^\S*W.safetensors: .*No space left on device"):
        write(path, {"w": SIX + 1})
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


@pytest.mark.slow
def test_a_file_size_limit_leaves_the_old_file(tmp_path):
    path = tmp_path / "W.pdparams"
    write_weights(path, {"w": SIX})
    before = path.read_bytes()
    program = f"""
import resource, sys
import numpy as np
from engine.errors import InputError
from engine.weights.files import write_weights
resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
try:
    write_weights({str(path)!r}, {{"w": np.zeros(10000)}})
except InputError as error:
    print(error)
"""
    command, root = [sys.executable, "-c", program], Path(__file__).parents[2]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root)
    assert re.fullmatch(r"\S*W.pdparams: .*File too large.*\n", done.stdout), done.stderr
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_messages(tmp_path):
    for path, text in (
        (tmp_path / "none.pth", "cannot be read (No such file or directory)"),
        (tmp_path, "is a folder or a device; expected a weights file"),
    ):
        with pytest.raises(InputError, match=re.escape(f"{path}: {text}")):
            read_weights(path)
    assert refusal(tmp_path, b"") == "is empty"
    line = refusal(tmp_path, b"<html>no")
    assert line == "is not a weights file (.pdparams, .pth, .safetensors): it begins with <html>no"
    assert refusal(tmp_path, pickle.dumps({"step": 3})) == "holds no arrays"
    assert refusal(tmp_path, pickle.dumps([SIX])) == "holds no dict of arrays"
    assert refusal(tmp_path, pickle.dumps({"a": {"b": SIX}, "a/b": SIX})) == "holds two arrays under one key"


@pytest.fixture
def layer():
    return paddle.nn.Sequential(paddle.nn.Conv2D(3, 4, 1), paddle.nn.BatchNorm2D(4), paddle.nn.Linear(2, 2))


CHANGES = {
    "weights of another size: 0.weight is [8, 3, 1, 1] in the file, [4, 3, 1, 1] in the network": {
        "0.weight": np.ones((8, 3, 1, 1))
    },
    "weights of another network: extra is [3] in the file, missing in the network": {"extra": np.ones(3)},
    "weights of another size: 2.bias is [7] in the file, [2] in the network; 0.weight is missing in the file, "
    "[4, 3, 1, 1] in the network; x is [1] in the file, missing in the network": {
        "x": np.ones(1), "0.weight": None, "2.bias": np.ones(7)
    },
    "weights of another network: 1._mean is missing in the file, [4] in the network": {"1._mean": None},
    "weights of another size: 0.bias is [] in the file, [4] in the network; 1.weight is [1] in the file, [4] in the "
    "network; 1.bias is [5] in the file, [4] in the network; and 1 more": {
        "2.weight": np.ones(4), "0.bias": np.ones(()), "1.bias": np.ones(5), "1.weight": np.ones(1)
    },
}  # fmt: skip


@pytest.mark.parametrize("line", CHANGES)
def test_load_into_names_what_does_not_fit_and_changes_nothing(layer, line):
    arrays = {key: np.full(tensor.shape, 2.5, "f4") for key, tensor in layer.state_dict().items()} | CHANGES[line]
    before = {key: tensor.numpy() for key, tensor in layer.state_dict().items()}
    with pytest.raises(InputError) as caught:
        load_into(layer, {key: array for key, array in arrays.items() if array is not None}, "W.pdparams")
    assert str(caught.value) == f"W.pdparams: {line}"
    for key, tensor in layer.state_dict().items():
        np.testing.assert_array_equal(tensor.numpy(), before[key])


@pytest.mark.parametrize("kind", ["f8", "f2", "i8"])
def test_load_into_casts_to_the_type_of_the_network(layer, kind):
    tensors = layer.state_dict()
    arrays = {key: np.arange(tensor.size, dtype=kind).reshape(tensor.shape) for key, tensor in tensors.items()}
    load_into(layer, arrays, "W.pdparams")
    for key, tensor in layer.state_dict().items():
        np.testing.assert_array_equal(tensor.numpy(), arrays[key].astype("f4"), strict=True)


def test_a_flipped_bit_anywhere_is_one_line(tmp_path):
    """Our files say what they were: their hash stands at their end, where paddle.load does not look."""
    path = tmp_path / "latest.pdparams"
    arrays = {"generator/w": np.arange(40, dtype="f4"), "critic/w": np.zeros((2, 3), "f4")}
    write_weights(path, arrays)
    data = path.read_bytes()
    for place in range(2, len(data) - 1, 5):
        damaged = bytearray(data)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        if len(data) - SEAL_SIZE <= place < len(data) - 64:
            assert read_weights(path).keys() == arrays.keys()  # the word before the hash: the content is whole
            continue
        with pytest.raises(InputError, match=r"latest.pdparams: is damaged: its sha256 is \w{64}, .+ was written$"):
            read_weights(path)
    for size in range(0, len(data) - SEAL_SIZE, 7):
        path.write_bytes(data[:size])
        with pytest.raises(InputError, match=r"latest.pdparams: (is truncated|is empty|is not a weights file)"):
            read_weights(path)
    path.write_bytes(data[:-SEAL_SIZE])  # as Paddle writes it, without a hash
    assert read_weights(path).keys() == arrays.keys()


@pytest.mark.parametrize("path", sorted((ROOT / "weights" / "lite").glob("*.pdparams")), ids=lambda path: path.stem)
def test_shipped_weights_carry_their_hash(path, tmp_path):
    data = bytearray(path.read_bytes())
    assert data[-SEAL_SIZE:].startswith(SEAL)
    data[len(data) // 2] ^= 4
    (tmp_path / path.name).write_bytes(data)
    with pytest.raises(InputError, match="is damaged: its sha256 is"):
        read_weights(tmp_path / path.name)
