"""Files for torch, made without it: the same opcodes and entries as torch's own, and read back."""

import io
import pickletools
import zipfile

import numpy as np
import pytest

from engine.errors import InputError
from engine.weights.files import read_weights, write_torch
from tests.engine.weight_files import ASSETS


def opcodes(path):
    """The pickle's opcodes and arguments, without those that number what is used twice."""
    with zipfile.ZipFile(path) as archive:
        data = archive.read(next(name for name in archive.namelist() if name.endswith("data.pkl")))
    memo, found = {}, []
    for opcode, argument, _ in pickletools.genops(io.BytesIO(data)):
        if opcode.name in ("BINPUT", "LONG_BINPUT"):
            memo[argument] = found[-1]
        else:
            found.append(memo[argument] if opcode.name in ("BINGET", "LONG_BINGET") else (opcode.name, argument))
    return found


def test_every_type_and_shape_is_read_back(tmp_path):
    arrays = {
        "w.x": np.arange(24, dtype="f4").reshape(2, 3, 4), "turned": np.arange(6.0).reshape(2, 3).T, "n": np.array(7),
        "half": np.ones(2, "f2"), "byte": np.arange(3, dtype="u1"), "int8": np.arange(-3, 3, dtype="i1"),
        "int16": np.ones(1, "i2"), "int32": np.ones(1, "i4"), "bool": np.array([True, False]),
        "empty": np.zeros((0, 3), "f4"), "big": np.arange(3, dtype=">f4"),
    }  # fmt: skip
    write_torch(tmp_path / "W.pth", arrays)
    found = read_weights(tmp_path / "W.pth")
    assert list(found) == list(arrays)
    for key, array in arrays.items():
        expected = np.ones(2, "f4") if key == "half" else array.astype(array.dtype.newbyteorder("="))
        np.testing.assert_array_equal(found[key], expected, strict=True)


def test_the_pickle_is_that_of_torch(tmp_path):
    """The first two tensors of the file that torch wrote, `g_ema.weight` and `.bias`, described in the same words."""
    theirs = opcodes(ASSETS / "torch_zip.pth")
    start = theirs.index(("BINUNICODE", "weight"))
    end = theirs.index(("BINUNICODE", "running_mean"))
    write_torch(tmp_path / "W.pth", {"weight": np.ones(2, "f4"), "bias": np.zeros(2, "f4")})
    ours = opcodes(tmp_path / "W.pth")
    tuples = {"TUPLE1", "TUPLE2", "TUPLE3", "MARK", "TUPLE"}  # two ways to say the same

    def plain(words):
        return [word for word in words if word[0] not in tuples]

    assert plain(ours[ours.index(("BINUNICODE", "weight")) :])[:-2] == plain(theirs[start:end])
    assert [word for word in ours if word[0] == "REDUCE"] == [("REDUCE", None)] * 5


def test_the_entries_are_stored_and_named_as_torch_looks_for_them(tmp_path):
    write_torch(tmp_path / "W.pth", {"a": np.ones(2, "f4"), "b": np.ones(3, "f4")})
    with zipfile.ZipFile(tmp_path / "W.pth") as archive:
        names = [name.removeprefix("archive/") for name in archive.namelist()]
        assert names == ["data.pkl", "byteorder", "data/0", "data/1", "version"]
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
        assert (archive.read("archive/version"), archive.read("archive/byteorder")) == (b"3\n", b"little")
        assert archive.read("archive/data/1") == np.ones(3, "<f4").tobytes()


def test_what_torch_has_no_storage_for_is_refused(tmp_path):
    for wrong in (np.ones(2, "u4"), np.array(["text"]), np.ones(1, "c8")):
        with pytest.raises(InputError, match=r"W.pth: cannot hold w: torch has no storage for "):
            write_torch(tmp_path / "W.pth", {"w": wrong})
    assert not list(tmp_path.iterdir())
