"""Files of every form, right, damaged and oversized: read right or refused in one line."""

import json
import pickle
import struct
import zipfile

import numpy as np
import paddle
import pytest

from tests.engine.weight_files import (
    ASSETS,
    SIX,
    call,
    check_cheap_refusal,
    healthy,
    plain,
    read,
    read_weights,
    refusal,
    row,
    storage,
    tensor,
    torch_old,
    torch_zip,
    tree,
    word,
)


@pytest.mark.parametrize("form", ["zip", "old"])
def test_files_of_torch_itself(form):
    base = np.arange(24, dtype="f4").reshape(2, 3, 4)
    expected = {
        "g_ema/weight": np.ones(2, "f4"), "g_ema/bias": np.zeros(2, "f4"), "g_ema/running_mean": np.zeros(2, "f4"),
        "g_ema/running_var": np.ones(2, "f4"), "g_ema/num_batches_tracked": np.array(0),
        "views/whole": base, "views/part": base[1, 1:], "views/turned": base.transpose(2, 0, 1),
        "views/column": base[:, 1, 2], "views/repeated": np.ones((3, 4), "f4"), "views/empty": np.zeros((0, 3), "f4"),
        "views/scalar": np.array(3.5, "f4"), "types/half": (base[0] / 8).T, "types/bfloat16": base[0] / 8,
        "types/double": base[0].astype("f8") / 3, "types/int8": np.arange(-3, 3, dtype="i1"),
        "types/int64": np.arange(3) - 2**40, "types/bool": np.array([[True, True], [False, True]]),
        "parameter": base[0], "buffer": base[1],
    }  # fmt: skip
    arrays = read_weights(ASSETS / f"torch_{form}.pth")
    assert list(arrays) == list(expected)
    for key, value in expected.items():
        assert type(arrays[key]) is np.ndarray and arrays[key].flags.c_contiguous and arrays[key].flags.writeable
        np.testing.assert_array_equal(arrays[key], value, err_msg=key, strict=True)


@pytest.mark.parametrize("top", ["archive", "weird name 1.0", "GPEN-256"])
def test_zip_of_any_top_name(tmp_path, top):
    arrays = read(tmp_path, torch_zip(tree(w=tensor(storage())), {"0": SIX.tobytes()}, top))
    np.testing.assert_array_equal(arrays["w"], SIX.reshape(2, 3), strict=True)


def torch_of_2017():
    """A file of parameters in both forms of that time, a view of a storage, and Python 2's ordered dict."""
    rebuild, parameter = word("torch._utils", "_rebuild_tensor"), word("torch.nn.parameter", "Parameter")
    whole = call(rebuild, storage("0", "FloatStorage", 6, b"N"), plain(0), plain((2, 3)), plain((3, 1)))
    given = call(parameter, whole) + row(b"\x88", b"\x89", plain({})) + b"b"
    later = call(parameter) + row(whole, b"N", b"N", b"\x88", b"\x89") + b"b"
    view = storage("0", "FloatStorage", 6, row(plain("v"), plain(2), plain(3)))
    part = call(rebuild, view, plain(1), plain((2,)), plain((1,)))
    items = zip((b"given", b"later", b"part"), (given, later, part), strict=True)
    pairs = b"](" + b"".join(b"](U%c" % len(name) + name + value + b"e" for name, value in items) + b"e"
    content = b"\x80\x02" + call(word("collections", "OrderedDict"), pairs) + b"."
    return torch_old(content, {"0": SIX.tobytes()})


def test_torch_of_2017(tmp_path):
    arrays = read(tmp_path, torch_of_2017())
    assert list(arrays) == ["given", "later", "part"]
    np.testing.assert_array_equal(arrays["given"], SIX.reshape(2, 3), strict=True)
    np.testing.assert_array_equal(arrays["later"], SIX.reshape(2, 3), strict=True)
    np.testing.assert_array_equal(arrays["part"], SIX[3:5], strict=True)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_numpy_pickles(tmp_path, protocol):
    values = {
        "big_endian": np.arange(6, dtype=">f4").reshape(2, 3),
        "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "empty": np.zeros((0, 2), "f4"),
        "scalar": np.array(2.5),
        "bool": np.array([True, False]),
        "half": np.array([1.5, -2], "f2"),
        "bytes": np.arange(250, 256, dtype="u1"),
    }
    others = {"steps": 3, 4: np.ones(2), "lr": np.float64(2), "StructuredToParameterName@@": {"scalar": "linear_0"}}
    arrays = read(tmp_path, pickle.dumps({"a": values} | others, protocol))
    assert list(arrays) == [f"a/{key}" for key in values]
    for key, value in values.items():
        native = value.astype("f4" if key == "half" else value.dtype.newbyteorder("="))
        np.testing.assert_array_equal(arrays[f"a/{key}"], native, err_msg=key, strict=True)
        assert arrays[f"a/{key}"].flags.c_contiguous


def test_paddle_pieces_of_a_big_array(tmp_path):
    plan = {"UnpackBigParamInfor@@": {"w": {"OriginShape": (2, 3), "slices": ["w@@.0", "w@@.1"]}}}
    arrays = read(tmp_path, pickle.dumps({"w@@.0": SIX[:4], "w@@.1": SIX[4:]} | plan, 2))
    assert list(arrays) == ["w"]
    np.testing.assert_array_equal(arrays["w"], SIX.reshape(2, 3), strict=True)
    for pieces in ({"w@@.0": SIX[:4], "w@@.1": SIX[:1]}, {"w@@.0": SIX[:4]}):
        assert "do not fit together" in refusal(tmp_path, pickle.dumps(pieces | plan, 2))


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_paddle_save(tmp_path, protocol):
    layer, path = paddle.nn.Linear(2, 3), tmp_path / "W.pdparams"
    weight, rounded = layer.weight.numpy(), layer.weight.astype("bfloat16")
    paddle.save(layer.state_dict(), str(path), protocol=protocol)
    arrays = read_weights(path)
    assert list(arrays) == ["weight", "bias"]
    np.testing.assert_array_equal(arrays["weight"], weight, strict=True)
    content = {"a": {"w": layer.weight, "step": 3}, "list": [layer.bias], "b": rounded}
    paddle.save(content, str(path), protocol=protocol)
    arrays = read_weights(path)
    assert list(arrays) == ["a/w", "b"]
    np.testing.assert_array_equal(arrays["a/w"], weight, strict=True)
    np.testing.assert_array_equal(arrays["b"], rounded.astype("float32").numpy(), strict=True)


def safetensors_file(data, **entries):
    """A file of entries (type, shape, first byte, end) over data."""
    described = {
        key: {"dtype": kind, "shape": shape, "data_offsets": [start, end]}
        for key, (kind, shape, start, end) in entries.items()
    }
    header = json.dumps(described).encode()
    return struct.pack("<Q", len(header)) + header + data


def test_safetensors(tmp_path):
    data, flag = struct.pack("<HHB", 0x3F80, 0xC020, 1), ("BOOL", [], 4, 5)
    arrays = read(tmp_path, safetensors_file(data, h=("BF16", [2], 0, 4), b=flag))
    np.testing.assert_array_equal(arrays["h"], np.array([1, -2.5], "f4"), strict=True)
    np.testing.assert_array_equal(arrays["b"], np.array(True), strict=True)
    assert type(arrays["b"]) is np.ndarray
    eighths = safetensors_file(data, h=("F8_E4M3", [4], 0, 4), b=flag)
    assert refusal(tmp_path, eighths) == "holds h of type F8_E4M3, which is not read"
    for wrong in (("BF16", [3], 0, 4), ("BF16", [1], 0, 4), ("BF16", [2], 0, 5), ("BF16", [2**32, 2**32, 2], 0, 4)):
        assert "truncated or damaged" in refusal(tmp_path, safetensors_file(data, h=wrong, b=flag))
    assert "truncated or damaged" in refusal(tmp_path, safetensors_file(data + b"\0", h=("BF16", [2], 0, 4), b=flag))


@pytest.mark.parametrize("form", healthy())
def test_a_truncated_file_is_refused_wherever_it_ends(tmp_path, form):
    data = healthy()[form]
    arrays = read(tmp_path, data)
    np.testing.assert_array_equal(arrays["w"], SIX.reshape(2, 3), strict=True)
    np.testing.assert_array_equal(arrays["h"], np.array([1, -2], "f4"), strict=True)
    for length in range(0, len(data), 1 if form == "old" else 3):
        refusal(tmp_path, data[:length])


@pytest.mark.parametrize("form", ["zip", "old"])
def test_a_truncated_file_of_torch_is_refused(tmp_path, form):
    data = (ASSETS / f"torch_{form}.pth").read_bytes()
    for length in range(0, len(data), 41):
        refusal(tmp_path, data[:length])


def test_a_file_truncated_in_what_is_dropped_is_refused(tmp_path):
    content = tree(w=tensor(storage()), dropped=b"](" + tensor(storage("1")) + b"e")
    data = torch_old(content, {"0": SIX.tobytes(), "1": SIX.tobytes()})
    assert list(read(tmp_path, data)) == ["w"]
    assert refusal(tmp_path, data[:-1]) == "is truncated"


def test_dicts_are_nested_and_named_within_reason(tmp_path):
    def chain(depth, key):
        return {key: chain(depth - 1, key)} if depth else SIX

    assert list(read(tmp_path, pickle.dumps(chain(16, "a")))) == ["/".join("a" * 16)]
    assert list(read(tmp_path, pickle.dumps(chain(1, "a" * 1000)))) == ["a" * 1000]
    for depth, key in ((18, "a"), (1, "a" * 1001), (2, "a" * 501)):
        assert "beyond reason" in refusal(tmp_path, pickle.dumps(chain(depth, key)))


def test_a_zip_with_a_wrong_checksum_is_refused(tmp_path):
    data = healthy()["zip"]
    place = data.index(SIX.tobytes()) + 5
    assert "CRC" in refusal(tmp_path, data[:place] + b"\x77" + data[place + 1 :])


@pytest.mark.parametrize("form", [torch_zip, torch_old])
def test_storages_and_tensors_that_do_not_fit(tmp_path, form):
    data = {"0": SIX.tobytes()}
    for wrong in (storage(count=5), storage(count=7), storage("1")):
        line = refusal(tmp_path, form(tree(w=tensor(wrong)), data))
        assert line == "has a storage whose size is not the one declared"
    assert refusal(tmp_path, form(tree(w=tensor(storage(kind="DoubleStorage"))), data))
    for offset, shape, strides in ((1, (2, 3), (3, 1)), (0, (2, 3), (4, 1)), (0, (2, 3), (3, 2)), (6, (), ())):
        line = refusal(tmp_path, form(tree(w=tensor(storage(), offset, shape, strides)), data))
        assert line == "has a tensor that reaches beyond its storage"
    for shape, strides in (((2, -3), (3, 1)), ((2, 3), (-3, 1)), ((2**60, 0), (0, 1)), ((True, 6), (6, 1)),
                           ((1,) * 40, (1,) * 40)):  # fmt: skip
        line = refusal(tmp_path, form(tree(w=tensor(storage(), 0, shape, strides)), data))
        assert line == "gives an array an impossible shape"
    assert "tensor that cannot be" in refusal(tmp_path, form(tree(w=tensor(storage(), 0, (6,), (1, 1))), data))
    assert "tensor that cannot be" in refusal(tmp_path, form(tree(w=tensor(storage(), -1)), data))
    assert "unknown kind" in refusal(tmp_path, form(tree(w=tensor(storage(kind="Size"))), data))
    assert "is no storage" in refusal(tmp_path, form(b"\x80\x02" + plain("module") + b"Q.", data))


def test_other_faults_of_torch_files(tmp_path):
    content, data = tree(w=tensor(storage())), {"0": SIX.tobytes()}
    twice = tree(a=tensor(storage()), b=tensor(storage(kind="IntStorage")))
    assert "twice" in refusal(tmp_path, torch_old(twice, data))
    big_endian = pickle.dumps({"little_endian": False}, 2)
    assert "byte order" in refusal(tmp_path, torch_old(content, data, system=big_endian))
    assert "lacks a storage" in refusal(tmp_path, torch_old(content, {}))
    assert "outside its pickle" in refusal(tmp_path, content)
    assert "not one of torch.save" in refusal(tmp_path, torch_zip(content, data, "a/b"))
    lengths = torch_old(content, data, width=2)
    assert refusal(tmp_path, lengths) == "has a storage whose size is not the one declared"
    assert "compressed" in refusal(tmp_path, torch_zip(content, data, compression=zipfile.ZIP_DEFLATED))


HUGE = struct.pack("<q", 1 << 40)
BOMBS = {
    "repeated view": torch_zip(tree(w=tensor(storage(), 0, (1 << 20, 1 << 20), (0, 0))), {"0": SIX.tobytes()}),
    "many repeated views": torch_zip(
        tree(**{f"w{i}": tensor(storage(), 0, (1 << 20,), (0,)) for i in range(8)}), {"0": SIX.tobytes()}
    ),
    "deflated zip": torch_zip(tree(w=tensor(storage(count=1 << 22))), {"0": bytes(1 << 24)}, "a", zipfile.ZIP_DEFLATED),
    "old storage": torch_old(tree(w=tensor(storage(count=1 << 40))), {}, pickle.dumps(["0"], 2)) + HUGE,
    "safetensors header": struct.pack("<Q", 1 << 62) + b"{" + b" " * 100,
    "safetensors shape": safetensors_file(b"", h=("F32", [1 << 40, 1 << 40], 0, 0)),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_at_once_and_in_little_memory(tmp_path, name):
    check_cheap_refusal(tmp_path, BOMBS[name])
