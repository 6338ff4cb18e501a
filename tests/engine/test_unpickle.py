"""Pickles that try to run code, or to keep the reader busy: refused, and nothing has run."""

import builtins
import collections
import os
import pickle
import posix
import re
import struct
import subprocess
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from engine.weights import unpickle
from tests.engine.weight_files import SIX, call, plain, refusal, row, torch_old, torch_zip, word


class Evil:
    """Pickles as a call of `function(*arguments)`."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


def attacks(sentinel):
    """Objects that make the file `sentinel` when they are unpickled, or would go on to."""
    touch, python = f"touch {sentinel}", f"open({str(sentinel)!r}, 'w')"
    return {
        "system": Evil(os.system, touch),
        "posix": {"w": SIX, "v": Evil(posix.system, touch)},
        "eval": {"w": SIX, "v": Evil(eval, python)},
        "exec": Evil(exec, python),
        "open": Evil(open, str(sentinel), "w"),
        "map": Evil(list, Evil(map, os.system, [touch])),
        "nested": {"a": [({"b": Evil(os.system, touch)},)]},
        "key": collections.OrderedDict(w=SIX, y=Evil(eval, python)),
        "paddle": Evil(eval, "data", {"data": SIX}),
        "popen": Evil(subprocess.Popen, ["touch", str(sentinel)]),
        "import": Evil(builtins.__import__, "os"),
        "getattr": Evil(getattr, "x", "upper"),
        "numpy": Evil(np.load, str(sentinel)),
        "instance": {"w": SIX, "v": Path("x")},
    }


@pytest.mark.parametrize("name", attacks("x"))
def test_no_code_of_a_file_is_run(tmp_path, name):
    sentinel, benign = tmp_path / "ran", pickle.dumps({}, 2)
    for protocol in (2, 4):
        hostile = pickle.dumps(attacks(sentinel)[name], protocol)
        for data in (
            hostile,
            torch_zip(hostile, {}),
            torch_old(hostile, {}),
            torch_old(benign, {}, keys=hostile),
            torch_old(benign, {}, system=hostile),
        ):
            assert re.fullmatch("asks for .*, which no weights file needs; nothing was run", refusal(tmp_path, data))
            assert not sentinel.exists()


def test_the_attacks_work_where_they_are_not_refused(tmp_path):
    for name in ("system", "posix", "eval", "exec", "open", "map", "nested", "key"):
        sentinel = tmp_path / name
        pickle.loads(pickle.dumps(attacks(sentinel)[name]))
        assert sentinel.exists(), name


def test_an_allowed_name_gives_no_way_to_others(tmp_path):
    function, place = word("torch._utils", "_rebuild_tensor_v2"), word("torch", "FloatStorage")
    for words in (("torch._utils", "_rebuild_tensor_v2.__globals__"), ("numpy", "core.os"), ("posix", "list")):
        hostile = b"\x80\x04" + plain(words[0]) + plain(words[1]) + b"\x93."
        assert f"asks for {'.'.join(words)}, " in refusal(tmp_path, hostile)
    for target in (function, place, word("builtins", "list"), plain("text"), plain([])):
        state = row(b"N", plain({"__code__": 1, "call": 2})) + b"b"
        assert "sets attributes" in refusal(tmp_path, b"\x80\x02" + target + state + b".")
    for target in (place, plain("os.system"), plain(3)):
        assert "cannot be called" in refusal(tmp_path, b"\x80\x02" + call(target, plain("ls")) + b".")
    inner = call(word("torch._tensor", "_rebuild_from_type_v2"), word("builtins", "list"), b"N", row(plain([1])), b"N")
    assert "cannot be" in refusal(tmp_path, b"\x80\x02" + inner + b".")


@pytest.mark.parametrize("opcode", [b"ios\nsystem\n", b"(\x8c\x02lso", b"\x82\x01", b"P0\n", b"\x97", b"}})\x92"])
def test_opcodes_that_weights_do_not_need_are_refused(tmp_path, opcode):
    assert "which no weights file needs" in refusal(tmp_path, b"\x80\x05(" + opcode + b".")


def test_unknown_names_are_shown_without_control_characters(tmp_path):
    hostile = b"\x80\x04" + plain("os\n\x1b[31m") + plain("sys\ttem\u2028") + b"\x93."
    assert refusal(tmp_path, hostile).startswith("asks for os\\n\\x1b[31m.sys\\ttem\\u2028, ")


def nested(levels):
    """A dict of dicts in which each level holds the one below ten times."""
    body = b"}q\x00"
    for level in range(1, levels):
        body += b"}q" + bytes([level]) + b"(" + b"".join(b"U\x01%ch%c" % (97 + i, level - 1) for i in range(10)) + b"u"
    return b"\x80\x02" + body + b"."


TERABYTE = struct.pack("<Q", 1 << 40)
BOMBS = {
    "bytes": b"\x80\x04\x8e" + TERABYTE + b"abc.",
    "more bytes than can be": b"\x80\x04\x8e" + b"\xff" * 8 + b".",
    "2 GiB of bytes": b"\x80\x03B\xff\xff\xff\x7fabc.",
    "text": b"\x80\x04\x8d" + TERABYTE + b"abc.",
    "a long number": b"\x80\x04\x8b\xff\xff\xff\x7fabc.",
    "a long line": b"\x80\x02F" + b"1" * 25_000_000 + b"\n.",
    "many digits": b"\x80\x02L" + b"1" * 60_000 + b"L\n.",
    "a frame without end": b"\x80\x04\x95" + b"\xff" * 8 + b"}.",
    "the highest memo index": b"\x80\x02}r\xff\xff\xff\xff.",
    "deep tuples": b"\x80\x02)" + b"\x85" * 30_000 + b".",
    "deep lists": b"\x80\x02" + b"]" * 30_000 + b"a" * 29_999 + b".",
    "a deep key": b"\x80\x02})" + b"\x85" * 100_000 + b"Ns.",
    "dicts within dicts": nested(60),
    "few dicts within dicts": nested(12),
    "a dict within itself": b"\x80\x02}q\x00(U\x01ah\x00u.",
    "long keys": b"\x80\x02}(X" + struct.pack("<I", 1 << 20) + b"a" * (1 << 20) + b"}(U\x01ah\x00uu.",
    "copies of a list": b"\x80\x02" + word("builtins", "list") + b"q\x00](" + b"N" * 1000 + b"eq\x01("
    + b"h\x00h\x01\x85R" * 100_000 + b"l.",
    "a numpy shape": pickle.dumps({"w": SIX}, 2).replace(b"K\x06\x85", b"J\xff\xff\xff\x7f\x85"),
    "a smaller numpy shape": pickle.dumps({"w": SIX}, 2).replace(b"K\x06\x85", b"K\x05\x85"),
    "numpy objects": pickle.dumps({"w": np.array([None])}, 4),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_at_once_and_in_little_memory(tmp_path, name):
    began = time.process_time()
    tracemalloc.start()
    try:
        assert refusal(tmp_path, BOMBS[name])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 40 << 20 and time.process_time() - began < 10


def test_the_number_of_instructions_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(unpickle, "MAX_WORK", 1000)
    for opcode in (b"]", b"(", b"N", b"N\x94"):
        line = refusal(tmp_path, b"\x80\x04" + opcode * 1000 + b".")
        assert line == "asks for more than 1000 pickle instructions"
