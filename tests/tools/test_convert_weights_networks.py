"""Each network that the converter knows by name: the authors' form becomes ours, several files become one."""

import numpy as np
import paddle
import pytest

from engine.weights import known
from engine.weights.files import read_weights, write_torch, write_weights
from engine.weights.official_keys import from_official, official_names
from engine.weights.recognise import build
from model.gfpgan.clean import GFPGANClean
from model.gfpgan.network import GFPGANBilinear
from tests.tools.conversion import refusal, run, same


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
