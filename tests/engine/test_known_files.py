"""Networks inside files: where checkpoints keep them, in whose form, and what fits no network."""

import random
import re

import numpy as np
import pytest

from engine.weights.official_keys import to_official
from engine.weights.recognise import build, match, networks_in
from tests.engine.known_layers import blank, official, row, small_gpen


def test_networks_are_found_where_checkpoints_keep_them():
    gpen, shape = small_gpen(), {"a": np.zeros(1), "b": np.zeros(2)}
    found = networks_in(
        {f"g_ema/{key}": array for key, array in gpen.items()}
        | {f"state_dict/module.netG.{key}": array for key, array in gpen.items()}
        | {f"state_dict/loss.{key}": array for key, array in shape.items()}
        | shape
    )
    assert {place: getattr(what, "network", what) for place, what in found.items()} == {
        "g_ema": row("gpen_generator"),
        "state_dict/module.netG.": row("gpen_generator"),
        "": 2,
    }


def test_what_does_not_fit_is_said():
    gpen = small_gpen()
    del gpen["ecd1.0.2.bias"]
    assert "ecd1.0.2.bias is missing in the file, [4] in the network" in match(gpen).problem
    gpen = small_gpen() | {"generator.convs.1.conv.weight": np.zeros((1, 4, 8, 5, 5))}
    assert "generator.convs.1.conv.weight is [1, 4, 8, 5, 5] in the file, [1, 4, 8, 3, 3] in the" in match(gpen).problem
    gpen = small_gpen() | {"generator.input.input": np.zeros((1, 5, 4, 4))}
    assert "follow no StyleGAN2 table" in match(gpen).problem
    gpen = {key: array for key, array in small_gpen().items() if key != "generator.conv1.conv.modulation.weight"}
    assert match(gpen).problem == ("generator.conv1.conv.modulation.weight is missing, empty or has too few dimensions")
    assert match({"conv1.weight": np.zeros(3)}) is None


@pytest.mark.parametrize(("keys", "name"), [
    (("encoder1.1.weight", "fushion1.0.weight", "auto_attn.query_conv.weight"), "lafin_generator"),
    (("conv1.0.weight_orig", "conv5.0.weight_orig", "auto_attn.query_conv.weight"), "lafin_discriminator"),
    (("lin0.model.1.weight", "lin4.model.1.weight"), "lpips_linear"),
    (("features.0.weight", "features.10.weight", "classifier.1.weight"), "alexnet"),
    (("ec_1.conv.input_conv.weight", "middle.0.conv_block.1.weight"), "maruru_half"),
])  # fmt: skip
def test_networks_that_are_only_recognised_say_why(keys, name):
    found = match(dict.fromkeys(keys, np.zeros((1, 1))))
    assert found.network.name == name and found.problem == found.network.note and len(found.problem) > 20
    assert found.network.title in found.describe()


def test_the_two_forms_of_gfpgan_are_told_apart_by_name_only():
    arguments = {"size": 16, "style_dim": 4, "n_mlp": 1, "channel_multiplier": 2, "narrow": 1 / 64}
    arrays = official(build(row("gfpgan_v1"), arguments))
    assert match(arrays).network.name == "gfpgan_v1" and "--as gfpgan_bilinear" in match(arrays).describe()
    assert match(arrays, "gfpgan_bilinear").network.builder.endswith("GFPGANBilinear")


def published_pconv(form):
    """Our U-Net of 2 layers as a file of naoto0804 or of MMEditing; every weight is 1."""
    layer = build(row("partialconv"), {"size": 8, "layers": 2, "width": 4})
    arrays = {key: np.ones(array.shape, "f4") for key, array in to_official(layer, blank(layer)).items()}
    if form == "naoto":
        arrays = {key.replace("conv.", "conv.input_conv."): array for key, array in arrays.items()}
        return layer, arrays | {"enc_1.conv.mask_conv.weight": np.ones((4, 3, 7, 7), "f4")}
    parts = {"enc": "encoder", "dec": "decoder"}
    return layer, {f"generator.{parts[key[:3]]}.{key.replace('_', '', 1)}": array for key, array in arrays.items()}


@pytest.mark.parametrize(("form", "factor"), [("naoto", 1 / 147), ("mmediting", 1.0)])
def test_published_partial_convolutions_come_in_the_scale_of_the_paper(form, factor):
    layer, arrays = published_pconv(form)
    (found,) = networks_in(arrays).values()
    assert (found.network.name, found.problem) == ("partialconv", "") and found.ours.keys() == layer.state_dict().keys()
    np.testing.assert_allclose(found.ours["enc_1.conv.weight"], factor, rtol=1e-6)
    np.testing.assert_array_equal(found.ours["dec_1.conv.bias"], 1.0)
    np.testing.assert_array_equal(found.ours["enc_2.bn._mean"], 1.0)


FORMS = ("gpen_generator", "gpen_discriminator", "stylegan2_generator", "gfpgan_clean", "vgg16", "partialconv",
         "satnet_discriminator", "glcic_discriminator", "maruru_unet", "sphere20a")  # fmt: skip
SHAPES = ((), (0,), (1,), (2, 3), (0, 5, 3), (1, 8, 8, 3, 3), (1, 1 << 40, 0, 4), (1 << 40, 0), (64, 3, 11, 11))


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if i else name for i, name in enumerate(FORMS)]
)
def test_no_set_of_keys_and_shapes_brings_it_down(name):
    """Keys lost, renumbered and repeated, shapes changed: a Match, fitting or saying why not, or nothing."""
    whole, problems = official(build(row(name), row(name).example)), 0
    for number in range(60):
        draw, arrays = random.Random(number), dict(whole)
        for _ in range(draw.choice((1, 1, 2, 4))):
            key, kind = draw.choice(list(arrays)), draw.randrange(4)
            if kind == 0:
                arrays[key] = np.broadcast_to(np.float32(0), draw.choice(SHAPES))
            elif kind == 1:
                arrays[key] = np.broadcast_to(np.float32(0), [n * draw.choice((0, 1, 2)) for n in arrays[key].shape])
            else:
                by = draw.randrange(3)
                later = re.sub(r"\d+", lambda digits, by=by: str(int(digits[0]) + by), key)
                arrays[later] = arrays.pop(key) if kind == 2 else arrays[key]
        for what in networks_in(arrays).values():
            problems += bool(getattr(what, "problem", True))
            assert isinstance(what, int) or "\n" not in what.describe() + what.problem
    assert problems > 30


def test_absurd_numbers_of_layers_are_refused():
    gpen = small_gpen() | {f"generator.style.{i}.weight": np.zeros((1, 1)) for i in range(200)}
    assert "200 keys like" in match(gpen).problem


def test_a_clean_file_becomes_the_bilinear_form_on_demand():
    sizes = {"size": 8, "style_dim": 4, "n_mlp": 1, "channel_multiplier": 2, "narrow": 1 / 64}
    clean = {key: np.ones(array.shape, "f4") for key, array in blank(build(row("gfpgan_clean"), sizes)).items()}
    found = match(clean, "gfpgan_bilinear")
    assert (found.network.name, found.problem, found.arguments) == ("gfpgan_bilinear", "", sizes)
    assert match(clean).network.name == "gfpgan_clean"
    fan_in = clean["final_linear.weight"].shape[1]
    np.testing.assert_allclose(found.ours["final_linear.weight"], fan_in**0.5, rtol=1e-6)
    assert match(clean | {"stranger": np.ones(1)}, "gfpgan_bilinear").problem.startswith("stranger: no key of GFP-GAN")
