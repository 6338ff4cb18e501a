"""Conversion there and back, what is chosen from a file that holds several networks, and every mistake in one line."""

import hashlib
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import paddle
import pytest

from engine.errors import InputError
from engine.weights import known, manifest
from engine.weights.convert import convert
from engine.weights.files import load_into, read_weights, write_torch, write_weights
from engine.weights.manifest import Entry
from engine.weights.official_keys import from_official
from engine.weights.recognise import match
from model.gpen.network import GPENDiscriminator, GPENGenerator
from tests.engine.known_toy import TOY, Toy
from tests.engine.weight_files import ASSETS
from tests.tools.conversion import random_arrays, refusal, run, same

ROOT = Path(__file__).resolve().parents[2]
TINY = {"size": 8, "style_dim": 4, "n_mlp": 1, "narrow": 1 / 128}


@pytest.fixture
def gpen(tmp_path):
    """GPEN's training checkpoint: generator, its average, discriminator, all of them different."""
    generator, critic = GPENGenerator(**TINY), GPENDiscriminator(8, narrow=1 / 128)
    parts = {"g": random_arrays(generator, 1), "d": random_arrays(critic, 2), "g_ema": random_arrays(generator, 3)}
    flat = {f"{part}/{key}": array for part, arrays in parts.items() for key, array in arrays.items()}
    write_torch(tmp_path / "gpen.pth", flat)
    return tmp_path / "gpen.pth", parts


def test_the_averaged_generator_is_taken_and_the_result_loads(gpen, tmp_path, capsys):
    source, parts = gpen
    run(source, tmp_path / "out.pdparams", "--as", "gpen_generator")
    same(read_weights(tmp_path / "out.pdparams"), parts["g_ema"])
    line = capsys.readouterr().out
    assert line.startswith(f"{tmp_path}/out.pdparams: GPEN generator (size 8, style_dim 4, n_mlp 1, ")
    assert line.endswith("; from [g_ema]\n")
    load_into(GPENGenerator(**TINY), read_weights(tmp_path / "out.pdparams"), "out")
    same(paddle.load(str(tmp_path / "out.pdparams")), dict(parts["g_ema"].items()))
    run(source, tmp_path / "out.pdparams", "--as", "gpen_generator", "--entry", "g")
    same(read_weights(tmp_path / "out.pdparams"), parts["g"])
    run(source, tmp_path / "out.pdparams", "--as=gpen_discriminator")
    same(read_weights(tmp_path / "out.pdparams"), parts["d"])


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_there_and_back_gives_the_official_arrays(tmp_path, monkeypatch, suffix):
    monkeypatch.setattr(known, "known_networks", lambda: {TOY.name: TOY})
    layer = Toy(4)
    ours = random_arrays(layer)
    write_weights(tmp_path / "ours.pdparams", ours)
    run(tmp_path / "ours.pdparams", tmp_path / f"official{suffix}")
    official = read_weights(tmp_path / f"official{suffix}")
    renamed = {"1._mean": "1.running_mean", "1._variance": "1.running_var", "2._weight": "2.weight"}
    same(official, {renamed.get(key, key): array.T if key == "3.weight" else array for key, array in ours.items()})
    write_torch(tmp_path / "counted.pth", official | {"1.num_batches_tracked": np.array(7)})
    run(tmp_path / "counted.pth", tmp_path / "again.pdparams")
    same(read_weights(tmp_path / "again.pdparams"), ours)
    same(from_official(layer, ours), ours)  # what a loss does with the file, in either form
    same(from_official(layer, official), ours)


def test_recorded_official_weights_give_the_recorded_output(tmp_path):
    """From arrays in GPEN's own form through a .pth file and the converter to the pixels the official code made."""
    with np.load(ASSETS.parent / "golden" / "gpen_discriminator_0.npz") as file:
        case = dict(file)
    weights = {key[2:]: array for key, array in case.items() if key.startswith("w:")}
    write_torch(tmp_path / "D.pth", weights)
    _, found = convert([tmp_path / "D.pth"], tmp_path / "D.pdparams", "gpen_discriminator")
    critic = GPENDiscriminator(**found.arguments)
    load_into(critic, read_weights(tmp_path / "D.pdparams"), "D")
    logits = critic(paddle.to_tensor(case["in:real"])).numpy()
    np.testing.assert_allclose(logits, case["out:pred_real"], rtol=2e-4, atol=2e-5)


def test_halves_become_float32_and_doubles_too(tmp_path):
    arrays = random_arrays(GPENDiscriminator(8, narrow=1 / 128))
    write_torch(
        tmp_path / "h.pth",
        {key: array.astype("f2" if i % 2 else "f8") for i, (key, array) in enumerate(arrays.items())},
    )
    run(tmp_path / "h.pth", tmp_path / "h.pdparams")
    assert {array.dtype for array in read_weights(tmp_path / "h.pdparams").values()} == {np.dtype("f4")}


def test_two_files_are_put_together(tmp_path):
    arrays = random_arrays(GPENDiscriminator(8, narrow=1 / 128))
    items = list(arrays.items())
    write_torch(tmp_path / "a.pth", dict(items[:5]))
    write_torch(tmp_path / "b.pth", dict(items[5:]))
    run(tmp_path / "a.pth", tmp_path / "b.pth", tmp_path / "c.pdparams")
    same(read_weights(tmp_path / "c.pdparams"), arrays)
    line = refusal(tmp_path / "a.pth", tmp_path / "c.pdparams", tmp_path / "d.pdparams")
    assert line.startswith(f"{tmp_path}/c.pdparams: ") and line.endswith(" is also in another of the files")


def test_inspect_says_what_a_file_is_and_lists_it(gpen, capsys):
    source, parts = gpen
    run(source, "--inspect")
    lines = capsys.readouterr().out.splitlines()
    places = [re.match(r".*gpen\.pth \[(\w+)\]: (.*) \(size 8.*; --as (\w+)$", line).groups() for line in lines[:3]]
    assert places == [
        ("g", "GPEN generator", "gpen_generator"),
        ("d", "StyleGAN2 discriminator as of GPEN and rosinality", "gpen_discriminator"),
        ("g_ema", "GPEN generator", "gpen_generator"),
    ]
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    assert lines[3] == f"{source}: sha256 {digest}"
    keys = [line.split() for line in lines[4:]]
    assert len(keys) == sum(map(len, parts.values()))
    assert ["g/ecd0.0.0.weight", "float32", "[4,", "3,", "1,", "1]"] in keys


def test_inspect_knows_published_files_by_their_hash(gpen, capsys, monkeypatch):
    digest = hashlib.sha256(gpen[0].read_bytes()).hexdigest()
    entry = Entry(licence="", purpose="", url="https://example.org/W", file="W.pth", sha256=digest[:8])
    monkeypatch.setattr(manifest, "read_manifest", lambda: {"theirs": entry})
    run(gpen[0], "--inspect")
    assert f"gpen.pth: sha256 {digest}, theirs of weights/manifest.yaml" in capsys.readouterr().out


def test_inspect_of_strangers_and_misfits(tmp_path, capsys):
    run(ASSETS / "torch_zip.pth", "--inspect")
    assert "torch_zip.pth [g_ema]: no known network, 5 arrays" in capsys.readouterr().out
    arrays = random_arrays(GPENDiscriminator(8, narrow=1 / 128))
    arrays.pop("final_linear.1.bias")
    write_torch(tmp_path / "D.pth", arrays)
    run(tmp_path / "D.pth", "--inspect")
    assert "; but weights of another network: final_linear.1.bias is missing in the file" in capsys.readouterr().out
    line = refusal(tmp_path / "D.pth", tmp_path / "D.pdparams")
    assert "rosinality: weights of another network: final_linear.1.bias is missing" in line
    assert not (tmp_path / "D.pdparams").exists()


def test_mistakes(gpen, tmp_path):
    source, _ = gpen
    out = tmp_path / "out.pdparams"
    assert "holds gpen_generator at g, gpen_discriminator at d, gpen_generator at g_ema; say" in refusal(source, out)
    assert "no vgg16; it holds gpen_generator at g, " in refusal(source, out, "--as", "vgg16")
    assert "no network at x; it holds" in refusal(source, out, "--entry", "x")
    assert "--as: no network 'gpne'; known: ir_se50, " in refusal(source, out, "--as", "gpne")
    assert "DST: no file to write was named" in refusal(source)
    assert "expected a name ending in .pdparams, .pth or .safetensors" in refusal(source, tmp_path / "out.bin")
    assert "is also a file to read; expected another name" in refusal(source, source)
    line = refusal(ASSETS / "torch_zip.pth", out)
    assert "no known network among its 20 arrays; the first: g_ema/weight [2], g_ema/bias [2], " in line
    assert "No such file or directory" in refusal(tmp_path / "none.pth", out)
    (tmp_path / "text.pth").write_text("hello, this is text")
    assert "is not a weights file" in refusal(tmp_path / "text.pth", out)
    assert "asks for posix.system" in refusal_of_hostile(tmp_path, out)
    assert not out.exists()


def refusal_of_hostile(folder, out):
    (folder / "hostile.pth").write_bytes(b"\x80\x02cposix\nsystem\nX\x02\x00\x00\x00ls\x85R.")
    return refusal(folder / "hostile.pth", out)


def test_two_generators_without_an_average_need_an_entry(tmp_path):
    arrays = random_arrays(GPENDiscriminator(8, narrow=1 / 128))
    write_torch(tmp_path / "ab.pt", {f"{part}/{key}": array for part in "ab" for key, array in arrays.items()})
    assert "holds gpen_discriminator at a, gpen_discriminator at b; say which with --entry" in refusal(
        tmp_path / "ab.pt", tmp_path / "out.pdparams"
    )
    run(tmp_path / "ab.pt", tmp_path / "out.pdparams", "--entry", "b")
    assert (tmp_path / "out.pdparams").exists()


def test_a_row_without_a_way_back_says_so(tmp_path):
    found = match(random_arrays(GPENDiscriminator(8, narrow=1 / 128)))
    found.network = replace(found.network, goes_back=False)
    with pytest.raises(InputError, match="cannot be converted back to the official form; write .pdparams"):
        found.official()


def test_a_full_disk_leaves_nothing(gpen):
    for name in ("out.pdparams", "out.pth"):
        line = refusal(gpen[0], Path("/proc") / name, "--as", "gpen_generator")
        assert re.search(r"out\.pd?p?a?r?a?m?s?t?h?: cannot be written \(", line)


@pytest.mark.slow
def test_in_a_process_of_its_own(gpen, tmp_path):
    def call(*words):
        command = [sys.executable, "tools/convert_weights.py", *map(str, words)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ)

    done = call(gpen[0], tmp_path / "o.pth", "--as", "gpen_generator")
    assert done.returncode == 0 and (tmp_path / "o.pth").exists() and not done.stderr
    done = call(gpen[0], tmp_path / "o.pdparams", "--as", "vgg19")
    assert done.returncode == 2 and done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
