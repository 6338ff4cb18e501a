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
from engine.weights.official_keys import from_official, official_names
from engine.weights.recognise import build, match
from model.gfpgan.clean import GFPGANClean
from model.gfpgan.network import GFPGANBilinear
from model.gpen.network import GPENDiscriminator, GPENGenerator
from tests.engine.known_toy import TOY, Toy
from tests.engine.weight_files import ASSETS
from tools import convert_weights

ROOT = Path(__file__).resolve().parents[2]
TINY = {"size": 8, "style_dim": 4, "n_mlp": 1, "narrow": 1 / 128}


def random_arrays(layer, seed=0):
    """Values for a network's parameters and buffers, kernels left as they are."""
    draw = np.random.default_rng(seed)
    return {
        key: tensor.numpy() if key.endswith("kernel") else draw.normal(size=tensor.shape).astype("f4")
        for key, tensor in layer.state_dict().items()
    }


def run(*words):
    convert_weights.main([str(word) for word in words])


def refusal(*words):
    with pytest.raises(InputError) as caught:
        run(*words)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def gpen(tmp_path):
    """GPEN's training checkpoint: generator, its average, discriminator, all of them different."""
    generator, critic = GPENGenerator(**TINY), GPENDiscriminator(8, narrow=1 / 128)
    parts = {"g": random_arrays(generator, 1), "d": random_arrays(critic, 2), "g_ema": random_arrays(generator, 3)}
    flat = {f"{part}/{key}": array for part, arrays in parts.items() for key, array in arrays.items()}
    write_torch(tmp_path / "gpen.pth", flat)
    return tmp_path / "gpen.pth", parts


def same(found, expected):
    assert found.keys() == expected.keys()
    for key, array in expected.items():
        np.testing.assert_array_equal(found[key], array, err_msg=key)


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


@pytest.mark.slow
def test_vgg_comes_without_its_classifier_and_says_so(tmp_path, capsys):
    wide = {"features.0.weight": (64, 3, 3, 3), "classifier.6.bias": (1000,)}
    from model.backbones.vgg import VGG

    with paddle.LazyGuard():
        layer = VGG(16, ("pool5",))
    shapes = {key: tensor.shape for key, tensor in layer.state_dict().items()} | wide
    write_torch(tmp_path / "vgg.pth", {key: np.zeros(shape, "f2") for key, shape in shapes.items()})
    run(tmp_path / "vgg.pth", tmp_path / "vgg.pdparams", "--as", "vgg16")
    assert "26 arrays, 14,714,688 values; without classifier.6.bias" in capsys.readouterr().out
    assert read_weights(tmp_path / "vgg.pdparams").keys() == layer.state_dict().keys()


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


def official_file(name):
    """A small network of a row, or the only one there is, and random arrays for it as its authors' code writes them."""
    network = known.known_networks()[name]
    layer = build(network, network.example)
    names = official_names(layer)
    draw = np.random.default_rng(3)
    arrays = {}
    for key, tensor in layer.state_dict().items():
        official, turned = names[key]
        array = draw.random(tensor.shape, "f4") if tensor.size < 100_000 else np.zeros(tensor.shape, "f2")
        arrays[official] = array.T if turned else array
    return layer, arrays


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, row in known.known_networks().items() if row.builder])
@pytest.mark.parametrize("wrapper", ["", "params_ema/module.", "state_dict/model."])
def test_every_name_works_through_the_program(name, wrapper, tmp_path, capsys):
    """--as NAME: a file in the authors' form becomes ours, with their values; and back where there is a way."""
    layer, arrays = official_file(name)
    write_torch(tmp_path / "theirs.pth", {f"{wrapper}{key}": array for key, array in arrays.items()})
    run(tmp_path / "theirs.pth", tmp_path / "ours.pdparams", "--as", name)
    assert capsys.readouterr().out.startswith(f"{tmp_path}/ours.pdparams: {known.known_networks()[name].title}")
    ours = read_weights(tmp_path / "ours.pdparams")
    assert {key: list(array.shape) for key, array in ours.items()} == {
        k: t.shape for k, t in layer.state_dict().items()
    }
    same(ours, from_official(layer, {key: array.astype("f4") for key, array in arrays.items()}))
    back = tmp_path / "back.pth"
    if known.known_networks()[name].goes_back:
        run(tmp_path / "ours.pdparams", back, f"--as={name}")
        same(read_weights(back), {key: array.astype("f4") for key, array in arrays.items()})
    else:
        assert "cannot be converted back" in refusal(tmp_path / "ours.pdparams", back, "--as", name)


RECOGNISED = {
    "lpips_linear": ("lin0.model.1.weight", "lin4.model.1.weight"),
    "alexnet": ("features.0.weight", "features.10.weight", "classifier.1.weight"),
    "maruru_half": ("ec_1.conv.input_conv.weight",),
    "lafin_generator": ("encoder1.1.weight", "fushion1.0.weight", "auto_attn.query_conv.weight"),
    "lafin_discriminator": ("conv1.0.weight_orig", "conv5.0.weight_orig", "auto_attn.query_conv.weight"),
}


def test_names_that_are_only_recognised_say_why(tmp_path):
    assert RECOGNISED.keys() == {name for name, row in known.known_networks().items() if not row.builder}
    for name, keys in RECOGNISED.items():
        write_torch(tmp_path / "it.pth", {key: np.ones((2, 2), "f4") for key in keys})
        row = known.known_networks()[name]
        assert refusal(tmp_path / "it.pth", tmp_path / "o.pdparams", "--as", name).endswith(f"{row.title}: {row.note}")


def test_gfpgan_becomes_clean_and_bilinear_again(tmp_path):
    paddle.seed(0)
    arrays = {key: value.numpy() for key, value in GFPGANBilinear(16, 8, 1, 1, 1 / 32).state_dict().items()}
    others = {"discriminator/conv_body.0.0.weight": np.zeros(3, "f4")}
    write_weights(tmp_path / "latest.pdparams", {f"generator/{key}": a for key, a in arrays.items()} | others)
    run(tmp_path / "latest.pdparams", tmp_path / "clean.pdparams", "--as", "gfpgan_clean")
    clean = read_weights(tmp_path / "clean.pdparams")
    assert {key: a.shape for key, a in clean.items()} == {
        key: tuple(value.shape) for key, value in GFPGANClean(16, 8, 1, 1, 1 / 32).state_dict().items()
    }
    write_weights(tmp_path / "official.pdparams", {f"params_ema/{key}": array for key, array in clean.items()})
    run(tmp_path / "official.pdparams", tmp_path / "back.pdparams", "--as", "gfpgan_bilinear")
    back = read_weights(tmp_path / "back.pdparams")
    assert back.keys() == arrays.keys()
    for key, array in arrays.items():
        np.testing.assert_allclose(back[key], array, rtol=3e-7, err_msg=key)
    write_weights(tmp_path / "other.pdparams", arrays | {"stranger": np.zeros(2, "f4")})
    line = refusal(tmp_path / "other.pdparams", tmp_path / "x.pdparams", "--as", "gfpgan_clean")
    assert "stranger: no key of GFP-GAN's bilinear form" in line and not (tmp_path / "x.pdparams").exists()


def test_the_two_files_of_maruru_become_one(tmp_path):
    arrays = official_file("maruru_unet")[1]
    encoder = {key.removeprefix("encoder."): array for key, array in arrays.items() if key.startswith("encoder.")}
    encoder = {key.replace(".conv.", ".conv.input_conv."): array for key, array in encoder.items()}
    encoder["ec_1.conv.mask_conv.weight"] = np.ones((1, 1, 7, 7), "f4")
    decoder = {key.removeprefix("decoder."): array for key, array in arrays.items() if key.startswith("decoder.")}
    write_weights(tmp_path / "N_en.pdparams", encoder)
    write_weights(tmp_path / "N_de.pdparams", decoder)
    for files in (("N_en", "N_de"), ("N_de", "N_en")):
        run(*(tmp_path / f"{name}.pdparams" for name in files), tmp_path / "both.pdparams", "--as", "maruru_unet")
        assert read_weights(tmp_path / "both.pdparams").keys() == build_of("maruru_unet").state_dict().keys()
        (tmp_path / "both.pdparams").unlink()
    line = refusal(tmp_path / "N_en.pdparams", tmp_path / "both.pdparams", "--as", "maruru_half")
    assert line.endswith("give both files to read, N_en.pdparams and N_de.pdparams, --as maruru_unet")


def build_of(name):
    row = known.known_networks()[name]
    return build(row, row.example)


@pytest.mark.parametrize(("form", "factor"), [("naoto", 1 / 147), ("mmediting", 1.0)])
def test_published_partial_convolutions_come_in_the_scale_of_the_paper(tmp_path, form, factor):
    arrays = {key: np.ones_like(array) for key, array in official_file("partialconv")[1].items()}
    if form == "naoto":
        arrays = {f"model/{key.replace('conv.', 'conv.input_conv.')}": array for key, array in arrays.items()}
        arrays["model/enc_1.conv.mask_conv.weight"] = np.ones((2, 3, 7, 7), "f4")
    else:
        parts = {"enc": "encoder", "dec": "decoder"}
        arrays = {f"state_dict/generator.{parts[key[:3]]}.{key.replace('_', '', 1)}": a for key, a in arrays.items()}
    write_torch(tmp_path / "theirs.pth", arrays)
    run(tmp_path / "theirs.pth", tmp_path / "ours.pdparams", "--as", "partialconv")
    found = read_weights(tmp_path / "ours.pdparams")
    np.testing.assert_allclose(found["enc_1.conv.weight"], factor, rtol=1e-6)
    np.testing.assert_array_equal(found["dec_1.conv.bias"], 1.0)
