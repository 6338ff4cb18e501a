"""Pickles that try to run code, or to keep the reader busy: nothing runs, what is no array is a placeholder."""

import argparse
import builtins
import collections
import datetime
import decimal
import enum
import fractions
import functools
import json
import os
import pickle
import posix
import random
import re
import struct
import subprocess
import uuid
from pathlib import Path, PureWindowsPath

import numpy as np
import pytest

from engine.weights import unpickle
from tests.engine.weight_files import (
    SIX,
    call,
    check_cheap_refusal,
    plain,
    read,
    refusal,
    row,
    storage,
    tensor,
    torch_old,
    torch_zip,
    tree,
    word,
)


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


BESIDE_WEIGHTS = {"posix", "eval", "key", "instance"}  # attacks in a file that also has the array `w`


@pytest.mark.parametrize("name", attacks("x"))
def test_no_code_of_a_file_is_run(tmp_path, name):
    sentinel, benign = tmp_path / "ran", pickle.dumps({}, 2)
    for protocol in (2, 4):
        hostile = pickle.dumps(attacks(sentinel)[name], protocol)
        for data in (hostile, torch_zip(hostile, {}), torch_old(hostile, {})):
            if name in BESIDE_WEIGHTS:
                np.testing.assert_array_equal(read(tmp_path, data)["w"], SIX, strict=True)
            else:
                assert re.search("holds no |asks for .*, which was not built", refusal(tmp_path, data))
        for data in (torch_old(benign, {}, keys=hostile), torch_old(benign, {}, system=hostile)):
            assert refusal(tmp_path, data)
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
        assert f"asks for {'.'.join(words)}, which was not built" in refusal(tmp_path, hostile)
    for target in (function, place, word("builtins", "list"), plain("text"), plain([])):
        state = row(b"N", plain({"__code__": 1, "call": 2})) + b"b"
        assert "sets attributes" in refusal(tmp_path, torch_old(b"\x80\x02" + target + state + b".", {}))
    for target in (plain("os.system"), plain(3), plain({"call": 1})):
        assert "cannot be called" in refusal(tmp_path, b"\x80\x02" + call(target, plain("ls")) + b".")
    inner = call(word("torch._tensor", "_rebuild_from_type_v2"), word("builtins", "list"), b"N", row(plain([1])), b"N")
    assert "cannot be" in refusal(tmp_path, torch_old(b"\x80\x02" + inner + b".", {}))


@pytest.mark.parametrize("opcode", [b"\x82\x01", b"P0\n", b"\x97"])
def test_opcodes_that_weights_do_not_need_are_refused(tmp_path, opcode):
    assert "which no weights file needs" in refusal(tmp_path, b"\x80\x05(" + opcode + b".")


def test_unknown_names_are_shown_without_control_characters(tmp_path):
    hostile = b"\x80\x04" + plain("os\n\x1b[31m") + plain("sys\ttem\u2028") + b"\x93."
    assert refusal(tmp_path, hostile).startswith("asks for os\\n\\x1b[31m.sys\\ttem\\u2028, ")


class Ordered(collections.OrderedDict):
    """A dict of a class of its own, as configuration libraries have."""


class Words(list):
    """A list of a class of its own."""


class Levels(enum.IntEnum):
    """Pickles as a call of its class."""

    LOW = 1


OBJECTS = {
    "path": Path("runs/x"), "windows path": PureWindowsPath("c:/x"), "date": datetime.date(2020, 5, 17),
    "time": datetime.datetime.now(datetime.UTC), "duration": datetime.timedelta(1), "slice": slice(1, None, 2),
    "range": range(3), "complex": 1j, "namespace": argparse.Namespace(lr=1, folder=Path("x")), "type": dict,
    "function": json.dumps, "partial": functools.partial(max, 1), "enum": Levels.LOW, "uuid": uuid.UUID(int=1),
    "decimal": decimal.Decimal("1.5"), "fraction": fractions.Fraction(1, 2), "deque": collections.deque([1, 2], 5),
    "counter": collections.Counter("abba"), "default": collections.defaultdict(list, a=[1]), "words": Words(["a"]),
    "pattern": re.compile("a+"), "object": argparse.ArgumentParser, "error": ValueError("x"), "set": {1, "a"},
    "numbers": [np.float64(1), np.int8(3), np.bool_(True), np.complex64(1j), np.str_("a"), np.datetime64("2020-01-01")],
    "texts": np.array(["a", "bc"]), "objects": np.array([None, Path("x")], object),
    "dates": np.array(["2020"], "M8[D]"), "records": np.zeros(2, [("a", "f4")]), "bytes": b"abc",
    "bytearray": bytearray(b"abc"), "generator": random.Random(1),
}  # fmt: skip


@pytest.mark.parametrize("name", OBJECTS)
def test_objects_beside_the_weights_are_left_out(tmp_path, name):
    value = OBJECTS[name]
    for protocol in range(2, 6):
        for content in ({"x": value, "w": SIX}, {"w": SIX, "x": [value, {"y": value}]}, {"x": {"y": value}, "w": SIX}):
            data = pickle.dumps(content, protocol)
            for form in (data, torch_zip(data, {}), torch_old(data, {})):
                assert list(read(tmp_path, form)) == ["w"], protocol


@pytest.mark.parametrize("protocol", [2, 4])
def test_weights_in_a_dict_of_a_class_of_its_own(tmp_path, protocol):
    content = Ordered(net=Ordered(w=SIX), date=datetime.date(2020, 1, 1))
    arrays = read(tmp_path, pickle.dumps(content, protocol))
    assert list(arrays) == ["net/w"]
    np.testing.assert_array_equal(arrays["net/w"], SIX, strict=True)


class Module:
    """The attributes of a torch.nn.Module that its pickle has."""

    def __init__(self, modules=None, unsaved=(), **parameters):
        self.training, self._parameters = True, parameters
        self._buffers = {"mean": 2 * SIX, "table": SIX}
        self._non_persistent_buffers_set = set(unsaved)
        self._modules = collections.OrderedDict(modules or {})


def test_a_whole_module_is_read_where_a_file_holds_nothing_else(tmp_path):
    network = Module({"conv": Module(weight=SIX, bias=None), "none": None}, unsaved=["table"], scale=3 * SIX)
    keys = ["scale", "mean", "conv.weight", "conv.mean", "conv.table"]
    for content, found in ((network, keys), ({"ema": network, "epoch": 3}, [f"ema/{key}" for key in keys]),
                        ({"w": SIX, "net": network}, ["w"])):  # fmt: skip
        arrays = read(tmp_path, pickle.dumps(content, 2))
        assert list(arrays) == found
    np.testing.assert_array_equal(read(tmp_path, pickle.dumps(network, 4))["mean"], 2 * SIX)
    line = refusal(tmp_path, pickle.dumps(argparse.Namespace(net=SIX), 2))
    assert line.startswith("asks for argparse.Namespace, which was not built: no weights; save its state_dict() where")


def test_the_class_of_a_module_may_stand_beside_its_source(tmp_path):
    """Torch before 1.6 gives a module's class by a persistent id, with the text of its program."""
    kind = row(plain("module"), word("models", "Net"), plain("net.py"), plain("class Net: ...")) + b"Q"
    module = kind + b")\x81" + plain({"_parameters": {}, "_buffers": {}, "_modules": {}}) + b"b"
    content = b"\x80\x02}(" + plain("net") + module + plain("w") + tensor(storage()) + b"u."
    for form in (torch_zip, torch_old):
        assert list(read(tmp_path, form(content, {"0": SIX.tobytes()}))) == ["w"]


def test_classes_of_python_2_and_unknown_storages(tmp_path):
    for other in (b"(ios\nsystem\n", b"(" + word("old", "Style") + plain(1) + b"o", word("a", "b") + b")}\x92"):
        content = b"\x80\x04}(" + plain("x") + other + plain("w") + pickle.dumps(SIX, 2)[2:-1] + b"u."
        assert list(read(tmp_path, content)) == ["w"]
    content = tree(w=tensor(storage()), z=tensor(storage("1", "ComplexFloatStorage", 3)))
    assert list(read(tmp_path, torch_zip(content, {"0": SIX.tobytes(), "1": bytes(24)}))) == ["w"]


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
    check_cheap_refusal(tmp_path, BOMBS[name])


def test_the_number_of_instructions_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(unpickle, "MAX_WORK", 1000)
    for opcode in (b"]", b"(", b"N", b"N\x94"):
        line = refusal(tmp_path, b"\x80\x04" + opcode * 1000 + b".")
        assert line == "asks for more than 1000 pickle instructions"
