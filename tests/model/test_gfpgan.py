"""GFP-GAN's networks: official values, keys and sizes; bilinear <-> clean; the exported form of all three forms."""

import json
from pathlib import Path

import numpy as np
import paddle
import pytest
from paddle import nn

from model.gfpgan.clean import GFPGANClean
from model.gfpgan.component import FacialComponentDiscriminator
from model.gfpgan.conversion import to_bilinear, to_clean
from model.gfpgan.exported import ExportedGFPGAN
from model.gfpgan.network import GFPGANBilinear, GFPGANOriginal
from model.shared.basicsr_stylegan2 import StyleGAN2Discriminator
from tests.model.test_gpen import entries, listed, totals
from tests.parity import case_lines

GOLDEN = Path(__file__).parents[1] / "assets" / "golden"
CASES = json.loads((GOLDEN / "meta_gfpgan.json").read_text())["cases"]
LARGE = ("gfpgan_resnet_arcface_0", "vgg19_perceptual_gfpgan_0", "gfpgan_facial_component_disc_0")
OPTIONS = [{}, {"sft_half": False, "different_w": False, "input_is_latent": False}, {"input_is_latent": False}]


def small(kind, **options):
    """A generator in evaluation mode, no parameter at zero; weights of the clean form are those of the bilinear one."""
    paddle.seed(3)
    generator = (GFPGANBilinear if kind is GFPGANClean else kind)(16, 16, 2, 2, 1 / 16, **options)
    for parameter in generator.parameters():
        parameter.set_value(parameter + 0.1 * paddle.randn(parameter.shape))
    if kind is GFPGANClean:
        weights = to_clean(arrays(generator))
        generator = GFPGANClean(16, 16, 2, 2, 1 / 16, **options)
        assert {key: value.shape for key, value in weights.items()} == entries(generator)
        generator.set_state_dict(weights)
    generator.eval()
    return generator


def arrays(layer):
    return {key: value.numpy() for key, value in layer.state_dict().items()}


def face(seed=0, size=16):
    image = np.random.default_rng(seed).random((3, 3, size, size), dtype=np.float32)
    image[0], image[1] = 0, 1  # the ends of the range, where a forgotten conversion shows most
    return paddle.to_tensor(image)


@pytest.mark.parametrize("case", [pytest.param(name, marks=[pytest.mark.slow] * (name in LARGE)) for name in CASES])
def test_outputs_losses_and_gradients_are_the_official_ones(case):
    lines = list(case_lines(GOLDEN, case, CASES[case]))
    assert [line for line in lines if not line["ok"]] == []
    assert len(lines) >= 7


@pytest.mark.parametrize(
    ("kind", "multiplier", "name", "total"),
    [
        (GFPGANOriginal, 1, "original", 76_906_268),
        (GFPGANBilinear, 1, "original", 76_906_268),
        (GFPGANClean, 2, "clean", 87_143_276),
    ],
)
def test_512_has_the_official_keys_and_shapes(kind, multiplier, name, total, monkeypatch):
    monkeypatch.setattr(nn.initializer, "Normal", lambda mean, std: nn.initializer.Constant(0.0))
    network = kind(512, channel_multiplier=multiplier)
    assert entries(network) == listed(f"keys_gfpgan_512_{name}.txt")
    assert totals(network) == (285, total)


def test_bilinear_512_converts_to_the_official_clean_keys(monkeypatch):
    monkeypatch.setattr(nn.initializer, "Normal", lambda mean, std: nn.initializer.Constant(0.0))
    network = GFPGANBilinear(512, channel_multiplier=2)
    converted = {key: np.broadcast_to(np.float32(0), value.shape) for key, value in network.state_dict().items()}
    assert {key: value.shape for key, value in to_clean(converted).items()} == listed("keys_gfpgan_512_clean.txt")


def test_discriminators_have_the_official_number_of_elements(monkeypatch):
    monkeypatch.setattr(nn.initializer, "Normal", lambda mean, std: nn.initializer.Constant(0.0))
    assert totals(StyleGAN2Discriminator(512, 1))[1] == 24_030_753
    critic = FacialComponentDiscriminator()
    assert totals(critic) == (12, 1_110_785)
    assert {key.split(".")[0] + "." + key.split(".")[1] for key in entries(critic)} == {
        "conv1.0", "conv1.1", "conv2.1", "conv2.2", "conv3.0", "conv3.1", "conv4.1", "conv4.2", "conv5.0", "conv5.1",
        "final_conv.0"}  # fmt: skip
    for size, side in ((80, 20), (120, 30)):
        assert critic(paddle.zeros([1, 3, size, size]))[0].shape == [1, 1, side, side]


@pytest.mark.parametrize("options", OPTIONS)
def test_conversion_is_exact_in_both_directions(options):
    bilinear, clean = small(GFPGANBilinear, **options), small(GFPGANClean, **options)
    with paddle.no_grad():
        (image, pyramid), (again, pyramid_again) = (network(2 * face() - 1) for network in (bilinear, clean))
    scale = float(image.abs().max())
    assert np.abs((image - again).numpy()).max() < 1e-5 * scale and image.std() > 0.05
    for one, two in zip(pyramid, pyramid_again, strict=True):
        np.testing.assert_allclose(one.numpy(), two.numpy(), atol=1e-5)
    back = to_bilinear(arrays(clean))
    for key, array in arrays(bilinear).items():
        np.testing.assert_allclose(back[key], array, rtol=3e-7, err_msg=key)
        assert back[key].dtype == np.float32
    forth = to_clean(back)
    assert forth.keys() == arrays(clean).keys()
    assert max(np.abs(forth[key] - array).max() for key, array in arrays(clean).items()) < 1e-5


def test_conversion_names_a_foreign_key():
    with pytest.raises(KeyError, match="features.0.weight: no key of GFP-GAN's bilinear form"):
        to_clean({"features.0.weight": np.zeros([1, 1, 3, 3])})
    with pytest.raises(KeyError, match="clean form"):
        to_bilinear({"conv_body_first.0.weight": np.zeros([1, 3, 1, 1])})


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("kind", [GFPGANOriginal, GFPGANBilinear, GFPGANClean])
def test_exported_form_computes_the_same(kind, options):
    generator, image = small(kind, **options), face()
    with paddle.no_grad():
        wanted = ((generator(2 * image - 1)[0] + 1) / 2).numpy()
        found = ExportedGFPGAN(generator)(image).numpy()
    assert np.mean((wanted > 0) & (wanted < 1)) > 0.1  # clipping leaves enough to compare
    np.testing.assert_allclose(found, wanted.clip(0, 1), atol=3e-5)


def test_forms_differ():
    """The same weights, resampled with filters and bilinearly, are two functions."""
    generator = small(GFPGANOriginal)
    other = GFPGANBilinear(16, 16, 2, 2, 1 / 16)
    other.set_state_dict(generator.state_dict())
    other.eval()
    with paddle.no_grad():
        assert np.abs((generator(face())[0] - other(face())[0]).numpy()).max() > 0.01


def test_initial_values_are_the_official_ones():
    weights = arrays(GFPGANOriginal(32, 64, 2, narrow=0.25))
    assert (weights["condition_scale.1.2.bias"] == 1).all() and (weights["condition_shift.1.2.bias"] == 0).all()
    assert abs(weights["stylegan_decoder.style_mlp.1.weight"].std() - 100) < 5  # N(0, 1) / lr_mul
    assert abs(weights["conv_body_up.0.conv2.weight"].std() - 1) < 0.05
    assert abs(weights["final_linear.weight"].std() - 1) < 0.02
    assert weights["stylegan_decoder.style_convs.0.weight"] == 0
    assert (weights["stylegan_decoder.style_convs.0.modulated_conv.modulation.bias"] == 1).all()


def test_clean_form_starts_at_the_scale_of_the_bilinear_one():
    """Untrained, both forms compute features and pictures of like size: a factor forgotten would show."""
    spreads = {}
    for kind in (GFPGANBilinear, GFPGANClean):
        paddle.seed(0)
        network = kind(32, 32, 2, 1, 0.25)
        network.eval()
        with paddle.no_grad():
            image, pyramid = network(paddle.randn([2, 3, 32, 32]))
        spreads[kind] = [float(picture.std()) for picture in (image, *pyramid)]
    ratios = np.divide(*spreads.values())
    assert 0.5 < ratios.min() and ratios.max() < 2, spreads


def test_one_code_serves_all_layers_or_each_its_own():
    for options, shape in (({"different_w": False}, 16), ({}, 6 * 16)):
        network = small(GFPGANOriginal, **options)
        assert network.final_linear.weight.shape[0] == shape
        latents, features = network.encode(face())
        assert latents.shape == [3, 6, 16] and [x.shape[2] for x in features] == [8, 16]
        spread = float((latents - latents[:, :1]).abs().max())
        assert (spread == 0) == (options != {})
