"""Thousands of damaged and forged weights files: each is read right or refused in one line, and none runs anything.

While a file is read an audit hook watches the interpreter: code that is compiled or run, a module that is imported, a
process, a socket, or a file opened for writing fails the test, and so do any exception but InputError, more than ten
seconds, and arrays beyond the promised bound. A failure names the mutation's number; `draw(number)` makes it again.
"""

import codecs
import collections
import functools
import hashlib
import io
import json
import pickle
import random
import resource
import signal
import struct
import sys
import zipfile
from contextlib import contextmanager
from pathlib import PurePosixPath

import numpy as np
import pytest

from engine.errors import InputError
from engine.weights.arrays import MAX_GROWTH
from engine.weights.files import SEAL, read_weights
from engine.weights.torch_file import write_torch_zip
from tests.engine.weight_files import ASSETS, SIX, healthy

FAST, COUNT = 400, 3000  # mutations of every commit, and of the whole suite
SECONDS = 10
FORBIDDEN = ("exec", "compile", "import", "subprocess.", "os.", "socket.", "shutil.", "ctypes.", "marshal.", "pickle.",
             "code.", "cpython.run")  # fmt: skip
WORDS = (b"os\nsystem", b"builtins\neval", b"posix\nsystem", b"torch._utils\n_rebuild_tensor_v2",
         b"torch\nFloatStorage", b"collections\nOrderedDict", b"_codecs\nencode", b"numpy\ndtype",
         b"builtins\nlist")  # fmt: skip
OPCODES = b"().0N\x88\x89K]}abcdehijlopqrstuQRX\x85\x86\x87\x80\x81\x8c\x8e\x90\x93\x94\x95\x96\x97"
HUGE = (b"\xff" * 8, b"\xff\xff\xff\x7f", struct.pack("<Q", 1 << 40), bytes(8), b"\x00\x00\x00\x80")
watch = {"armed": False, "seen": []}


def _audit(event, arguments):
    if watch["armed"] and event.startswith(FORBIDDEN):
        watch["seen"].append((event, str(arguments)[:200]))
    if watch["armed"] and event == "open" and set(str(arguments[1])) & set("wax+"):
        watch["seen"].append((event, str(arguments)[:200]))


@pytest.fixture(scope="module", autouse=True)
def audited():
    """An audit hook cannot be removed; it does nothing unless it is armed. zipfile's codec is imported before."""
    codecs.lookup("cp437")
    sys.addaudithook(_audit)


@functools.cache
def seeds():
    """Files of every form that is read, as bytes."""
    arrays = {"a.weight": SIX.reshape(2, 3), "a.bias": np.zeros(2), "n": np.array(7), "e": np.zeros((0, 2), "f4")}
    ours = io.BytesIO()
    write_torch_zip(ours, arrays)
    pieces = {"w@@.0": SIX[:4], "w@@.1": SIX[4:],
              "UnpackBigParamInfor@@": {"w": {"OriginShape": (2, 3), "slices": ["w@@.0", "w@@.1"]}}}  # fmt: skip
    files = healthy() | {f"torch_{form}": (ASSETS / f"torch_{form}.pth").read_bytes() for form in ("zip", "old")}
    objects = {
        "path": PurePosixPath("x"),
        "slice": slice(1),
        "w": SIX,
        "who": collections.UserDict(a=SIX),
        "e": complex(1),
    }
    plain = pickle.dumps({"g_ema": arrays}, 2)
    sealed = plain + SEAL + hashlib.sha256(plain).hexdigest().encode()
    return [*files.values(), ours.getvalue(), pickle.dumps(pieces, 4), plain, sealed, pickle.dumps(objects, 4)]


def damaged(data, chance):
    """One change: bytes flipped, replaced, cut, repeated, truncated, a length made huge, a name or opcodes put in."""
    data, place, kind = bytearray(data), chance.randrange(len(data)), chance.randrange(9)
    if kind == 0:
        data[place] ^= 1 << chance.randrange(8)
    elif kind == 1:
        data[place] = chance.choice(b"\x00\x7f\x80\xff" + OPCODES)
    elif kind == 2:
        del data[place : place + chance.randrange(1, 40)]
    elif kind == 3:
        data[place:place] = data[chance.randrange(len(data)) :][: chance.randrange(1, 40)]
    elif kind == 4:
        del data[place:]
    elif kind == 5:
        huge = chance.choice(HUGE)
        data[place : place + len(huge)] = huge
    elif kind == 6:
        data[place:place] = b"c" + chance.choice(WORDS) + b"\n" + bytes(chance.choices(OPCODES, k=2))
    elif kind == 7:
        data[place:place] = bytes(chance.choices(OPCODES, k=chance.randrange(1, 6)))
    else:
        names = [word for word in WORDS if word in data]
        if names:
            data = data.replace(chance.choice(names), chance.choice(WORDS), 1)
    return bytes(data)


def repacked(data, chance):
    """A torch zip with right checksums around a damaged pickle, or with a storage of another length or no name."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    name = next(name for name in parts if name.endswith("data.pkl"))
    if chance.random() < 0.2:
        name = chance.choice(sorted(parts))
        parts[name] = parts.pop(name)[chance.randrange(4) :] + bytes(chance.randrange(4))
    for _ in range(chance.choice((1, 1, 2, 5))):
        parts[name] = damaged(parts[name] or b"\x00", chance)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for key, content in parts.items():
            archive.writestr(key, content)
    return file.getvalue()


def relabelled(data, chance):
    """A safetensors file whose header, still JSON, gives an array another type, shape or place."""
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    entry = header[chance.choice(sorted(header))]
    kind = chance.choice(["dtype", "shape", "data_offsets", "extra"])
    entry[kind] = chance.choice([
        "F64", "BF16", "I8", "F8_E4M3", "Q", [6], [2, 3], [-1, 6], [1 << 62, 4], [0, 1 << 40], [0, 24], [24, 0], [[]],
        None, {}, 1e308, [True, 24],
    ])  # fmt: skip
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data[8 + length :]


def draw(number):
    """The file of mutation `number`."""
    chance, files = random.Random(number), seeds()
    data = files[number % len(files)]
    if data.startswith(b"PK") and chance.random() < 0.7:
        return repacked(data, chance)
    if data[8:9] == b"{" and chance.random() < 0.5:
        return relabelled(data, chance)
    if chance.random() < 0.1:
        other = chance.choice(files)
        return data[: chance.randrange(len(data))] + other[chance.randrange(len(other)) :]
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        data = damaged(data, chance) or b"\x80"
    return data


@contextmanager
def guarded(number):
    """A time limit, and the audit hook armed."""

    def late(*_):
        raise TimeoutError(f"mutation {number}: more than {SECONDS} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    watch["armed"] = True
    try:
        yield
    finally:
        watch["armed"] = False
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def outcome(path, number, data):
    """The arrays, or the line of the refusal; anything else fails."""
    path.write_bytes(data)
    watch["seen"].clear()
    with guarded(number):
        try:
            return read_weights(path)
        except InputError as error:
            return str(error)
        except BaseException as error:
            raise AssertionError(f"mutation {number}: {type(error).__name__}: {error}") from error
        finally:
            watch["armed"] = False
            assert not watch["seen"], f"mutation {number} ran something: {watch['seen'][:3]}"


def check(path, number, data):
    """Whether the file was loaded; fails where what came back is neither arrays nor one line."""
    found = outcome(path, number, data)
    if isinstance(found, str):
        assert found.startswith(f"{path}: ") and found.isascii() and found.isprintable() and len(found) < 600, number
        return False
    assert all(type(array) is np.ndarray and array.dtype.kind in "fiub" for array in found.values()), number
    assert sum(array.nbytes for array in found.values()) <= MAX_GROWTH[0] * len(data) + MAX_GROWTH[1], number
    return True


def test_the_files_that_are_mutated_are_right(tmp_path):
    for data in seeds():
        assert check(tmp_path / "W.pth", "none", data)


@pytest.mark.filterwarnings("ignore:invalid escape sequence")
@pytest.mark.parametrize("numbers", [range(FAST), pytest.param(range(FAST, COUNT), marks=pytest.mark.slow)], ids=str)
def test_mutated_files_are_read_or_refused(tmp_path, numbers):
    path, loaded = tmp_path / "W.pth", 0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in numbers:
        loaded += check(path, number, draw(number))
    assert len(numbers) * 0.02 < loaded < len(numbers) * 0.6
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # KiB


def test_the_watch_sees_what_a_pickle_runs(tmp_path):
    """The same hook, on the way that is not taken: unpickling a file that calls something."""
    path = tmp_path / "W.pth"
    path.write_bytes(b"\x80\x02cbuiltins\neval\nX\x03\x00\x00\x001+1\x85R.")
    watch["seen"].clear()
    with guarded("hostile"):
        assert pickle.loads(path.read_bytes()) == 2
    assert any(event == "exec" for event, _ in watch["seen"])
    watch["seen"].clear()
    assert "asks for builtins.eval, which was not built" in outcome(path, "hostile", path.read_bytes())
