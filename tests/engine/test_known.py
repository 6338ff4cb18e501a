"""Every row of the table of known networks tells its network and size from keys and shapes alone."""

import json
from importlib import import_module
from pathlib import Path

import numpy as np
import paddle
import pytest

from engine.weights.files import load_into
from engine.weights.known import known_networks
from engine.weights.recognise import build, match
from model.gpen.network import StyleGAN2Decoder
from model.shared.basicsr_stylegan2 import StyleGAN2Generator
from tests.engine.known_layers import blank, official, row
from tests.engine.weight_files import ASSETS

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ASSETS.parent / "golden"
STYLE = {"style_dim": 512, "n_mlp": 8}
GPEN = {**STYLE, "channel_multiplier": 2, "narrow": 1.0, "is_concat": True}
GENERATOR = {"dim": 64, "mlp_dim": 256, "style_dim": 8, "n_downsample": 2, "n_res": 4}
CRITIC = {"dim": 64, "n_layer": 4, "num_scales": 3, "init": "gaussian"}
PUBLISHED = [  # row, what its builder takes, parameters and buffers; those without a count are not in the sources
    ("gpen_generator", {"size": 256, **GPEN, "channel_multiplier": 1, "narrow": 0.5}, (144, 18_879_298)),
    ("gpen_generator", {"size": 512, **GPEN}, (163, 71_005_559)),
    ("gpen_generator", {"size": 1024, **GPEN}, (182, 71_210_924)),
    ("gpen_generator", {"size": 2048, **GPEN}, (201, 71_295_201)),
    ("gpen_generator", {"size": 512, **GPEN, "in_size": 256}, None),
    ("gpen_discriminator", {"size": 256, "channel_multiplier": 1, "narrow": 0.5}, (50, 6_003_169)),
    ("gpen_discriminator", {"size": 512, "channel_multiplier": 2, "narrow": 1.0}, (57, 28_983_073)),
    ("gpen_discriminator", {"size": 1024, "channel_multiplier": 2, "narrow": 1.0}, (64, 29_012_769)),
    ("gpen_decoder", {"size": 512, **GPEN}, None),
    ("stylegan2_generator", {"size": 512, **STYLE, "channel_multiplier": 1, "narrow": 1.0}, None),
    ("stylegan2_generator", {"size": 1024, **STYLE, "channel_multiplier": 2, "narrow": 1.0}, None),
    ("stylegan2_discriminator", {"size": 512, "channel_multiplier": 1, "narrow": 1.0}, (43, 24_030_753)),
    ("gfpgan_v1", {"size": 512, **STYLE, "channel_multiplier": 1, "narrow": 1.0}, (285, 76_906_268)),
    ("gfpgan_bilinear", {"size": 512, **STYLE, "channel_multiplier": 2, "narrow": 1.0}, (285, 87_143_276)),
    ("gfpgan_clean", {"size": 512, **STYLE, "channel_multiplier": 2, "narrow": 1.0}, (285, 87_143_276)),
    ("gfpgan_clean", {"size": 512, **STYLE, "channel_multiplier": 1, "narrow": 1.0}, (285, 76_906_268)),
    ("gfpgan_component", {}, (12, 1_110_785)),
    ("ir_se50", {}, None),
    ("arcface_resnet18", {}, None),
    ("sphere20a", {}, None),
    ("vgg16", {"depth": 16, "layers": ("pool5",)}, (26, 14_714_688)),
    ("vgg19", {"depth": 19, "layers": ("pool5",)}, (32, 20_024_384)),
    ("lpips_alex", {"backbone": "alex"}, None),
    ("lpips_vgg", {"backbone": "vgg"}, None),
    ("inception_fid", {}, None),
    ("partialconv", {"size": 256, "layers": 7, "width": 64, "bias": "last"}, None),
    ("partialconv", {"size": 512, "layers": 8, "width": 64, "bias": "all"}, None),
    ("maruru_unet", {"size": 256, "layers": 6, "width": 64, "blocks": 4}, None),
    ("satnet_generator", {**GENERATOR, "attention": True}, (None, 17_816_333)),
    ("munit_generator", {**GENERATOR, "attention": False}, (None, 15_026_187)),
    ("glcic_completion", {"width": 1.0, "in_channels": 4}, None),
    ("glcic_completion", {"width": 0.25, "in_channels": 5}, None),
    ("glcic_discriminator", {"local_size": (96, 96), "global_size": (160, 160), "width": 1.0}, None),
    ("lafin_landmarks", {"width": 1.0, "num_points": 68}, (None, 2_588_681)),
    ("satnet_discriminator", {**CRITIC, "norm": "sn", "attention": True}, (None, 9_286_854)),
    ("satnet_discriminator", {**CRITIC, "norm": "none", "attention": False}, (None, 8_271_171)),
]


SLOW = "satnet_generator", "munit_generator", "ir_se50", "arcface_resnet18", "sphere20a"  # large Linear layers
CASES = [
    pytest.param(*case, marks=pytest.mark.slow) if case[0] in SLOW or case[1].get("size", 0) > 512 else case
    for case in PUBLISHED
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "arguments", "count"), CASES, ids=[f"{i}-{p[0]}" for i, p in enumerate(PUBLISHED)])
def test_every_row_tells_its_network_and_size_in_both_forms(name, arguments, count):
    network = row(name)
    layer = build(network, arguments)
    for arrays in (official(layer), blank(layer)):
        found = match(arrays, name)
        assert (found.network.name, found.arguments, found.problem) == (name, arguments, "")
        assert {key: list(array.shape) for key, array in found.ours.items()} == {
            key: tensor.shape for key, tensor in layer.state_dict().items()
        }
        if name != "gfpgan_bilinear":
            assert match(arrays).network.name == name
    if count is not None:
        assert count[0] in (None, len(found.ours)) and sum(a.size for a in found.ours.values()) == count[1]


def test_every_row_with_a_builder_is_in_the_list_above():
    assert {name for name, *_ in PUBLISHED} == {name for name, network in known_networks().items() if network.builder}
    files = [import_module(f"model.{path.parent.name}.keys") for path in ROOT.glob("model/*/keys.py")]
    assert sum(len(module.NETWORKS) for module in files) == len(known_networks())


def test_small_examples_are_what_their_row_says():
    """The networks that unknown keys are compared with; the same rows know them."""
    for name, network in known_networks().items():
        if network.builder and name not in SLOW:
            found = match(official(build(network, network.example)), name)
            assert (found.network.name, found.problem) == (name, "")
            assert network.example.items() <= {"channel_multiplier": 2, **found.arguments}.items(), name


def test_no_file_is_known_by_rows_of_two_papers():
    for network in known_networks().values():
        if network.builder and network.name not in SLOW:
            arrays = official(build(network, network.example))
            rows = [row for row in known_networks().values() if row.builder and row.gives_itself_away(arrays)]
            assert len({row.builder.split(".")[1] for row in rows}) == 1, network.name


def test_gpen_256_by_the_keys_of_its_authors():
    for part in ("generator", "discriminator"):
        lines = (ASSETS.parent / f"keys_gpen_256_{part}.txt").read_text().splitlines()
        shapes = dict(line.split(" ", 1) for line in lines if line and not line.startswith("#"))
        arrays = {
            key: np.broadcast_to(
                np.float32(0), json.loads(shape.replace("(", "[").replace(",)", "]").replace(")", "]"))
            )
            for key, shape in shapes.items()
        }
        found = match(arrays)
        assert (found.network.name, found.problem, found.arguments["size"]) == (f"gpen_{part}", "", 256)
        assert (found.arguments["narrow"], found.arguments["channel_multiplier"]) == (0.5, 1)


def golden(case):
    """Official weights and the configuration of a recorded case."""
    with np.load(GOLDEN / f"{case}.npz") as file:
        weights = {key[2:]: file[key] for key in file.files if key.startswith("w:")}
    return weights, json.loads((GOLDEN / "meta.json").read_text())["cases"][case]["config"]


@pytest.mark.parametrize("case", ["gpen_fullgenerator_0", "gpen_fullgenerator_1", "gpen_stylegan2_generator_0",
                                  "gpen_discriminator_0", "basicsr_stylegan2_generator_0"])  # fmt: skip
def test_recorded_official_weights(case):
    weights, config = golden(case)
    found = match(weights)
    assert not found.problem
    told = {"style_dim": "num_style_feat", "n_mlp": "num_mlp", "is_concat": "isconcat"}
    for key, value in found.arguments.items():
        expected = config.get(key, config.get(told.get(key)))
        assert expected is None or value == expected, key


@pytest.mark.parametrize("narrow", [0.3, 0.03125, 0.0625, 0.1875, 0.25, 0.7, 1.0, 1.5])
@pytest.mark.parametrize("multiplier", [0.5, 1, 2, 4])
def test_factors_of_the_channel_table_are_found_also_where_they_are_cut_off(narrow, multiplier):
    arguments = {"size": 256, "style_dim": 16, "n_mlp": 2, "channel_multiplier": multiplier, "narrow": narrow}
    layer = build(row("gpen_generator"), arguments)
    found = match(blank(layer))
    assert not found.problem and found.arguments["channel_multiplier"] == multiplier
    assert abs(found.arguments["narrow"] - narrow) < 1 / 512


def test_rosinality_and_basicsr_forms_are_one_network():
    """GPEN's decoder has rosinality's keys; what the table makes of them draws the same in BasicSR's network."""
    paddle.seed(0)
    sizes = {"size": 16, "style_dim": 8, "n_mlp": 2, "channel_multiplier": 2, "narrow": 1 / 64}
    decoder, ours = StyleGAN2Decoder(**sizes, is_concat=False), StyleGAN2Generator(**sizes)
    for weight in decoder.parameters():
        weight.set_value(weight + 0.1 * paddle.randn(weight.shape))
    maps = [paddle.randn([1, 1, 4 << (i + 1) // 2, 4 << (i + 1) // 2]) for i in range(5)]
    file = {key: tensor.numpy() for key, tensor in decoder.state_dict().items()}
    found = match(file | {f"noises.noise_{i}": noise.numpy() for i, noise in enumerate(maps)})
    assert (found.network.name, found.problem, found.arguments) == ("stylegan2_generator", "", sizes)
    load_into(ours, found.ours, "the file")
    ours.eval()
    z = paddle.randn([2, 8])
    expected = decoder(decoder.latents([z]), maps).numpy()
    np.testing.assert_allclose(ours(ours.latents([z])).numpy(), expected, atol=1e-5)
    assert np.abs(expected).max() > 0.1
    assert match(file).network.name == "gpen_decoder"
