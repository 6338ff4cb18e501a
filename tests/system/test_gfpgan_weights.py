"""The files GFP-GAN's training reads: the prior of its decoder, and the networks inside its losses."""

import logging

import numpy as np
import paddle
import pytest

from engine.errors import InputError
from engine.training import checkpoint
from loss.perceptual import PerceptualLoss
from model.backbones.arcface import ResNet18ArcFace
from model.backbones.vgg import VGG
from model.shared.basicsr_stylegan2 import StyleGAN2Generator
from system import gfpgan_weights
from tests.system.small_gfpgan import SIMPLE, SIZE, Recorder, TinyFace, gfpgan, pictures, updater


def test_fixed_decoder_stays_and_the_rest_learns():
    it = gfpgan(fixes_decoder=True, **SIMPLE)
    decoder = {id(p) for p in it.generator.stylegan_decoder.parameters()}
    assert not decoder & {id(p) for p in it.trainable["generator"]}
    record = Recorder(it)
    it.train_step(pictures(), 0, record)
    wanted = {f"generator/{key}" for key, p in it.generator.named_parameters() if id(p) not in decoder}
    assert record.calls[0][2] == wanted
    assert not any(p.stop_gradient for p in it.trainable["generator"])


@pytest.mark.parametrize("form", ["original", "bilinear"])
def test_prior_is_loaded_into_the_decoder_with_a_report(tmp_path, caplog, form):
    paddle.seed(11)
    prior = {key: value.numpy() for key, value in StyleGAN2Generator(SIZE, 16, 2, 1, 1 / 32).state_dict().items()}
    path = tmp_path / "prior.pdparams"
    checkpoint.write_weights(path, {f"params_ema/{key}": array for key, array in prior.items()})
    it = gfpgan(False, form=form, decoder_weights=path, fixes_decoder=True, **SIMPLE)
    encoder = it.generator.conv_body_first[0].weight.numpy()
    with caplog.at_level(logging.INFO, logger="kintsugi"):
        it.prepare_training()
    for key, value in it.generator.stylegan_decoder.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), prior[key])
    np.testing.assert_array_equal(it.generator.conv_body_first[0].weight.numpy(), encoder)
    elements = sum(array.size for array in prior.values())
    assert f"loaded into the decoder: {len(prior)} arrays (7 of them noise), {elements} elements" in caplog.text
    with pytest.raises(InputError, match="prior.pdparams: weights of another size"):
        gfpgan(decoder_weights=path, narrow=1 / 16)
    with pytest.raises(InputError, match="none.pth: cannot be read"):
        gfpgan(decoder_weights=tmp_path / "none.pth")


def test_missing_loss_networks(tmp_path, caplog):
    missing = {
        "identity_weight": 1.0,
        "identity_network": tmp_path / "face.pdparams",
        "style_weight": 1.0,
        "perceptual_network": tmp_path / "vgg.pdparams",
    }
    it = gfpgan(False, **missing)  # predicting needs none of them
    with pytest.raises(InputError, match="vgg.pdparams: missing; .*recipe.when_missing: skip"):
        it.prepare_training()
    it = gfpgan(False, **missing, when_missing="skip")
    with caplog.at_level(logging.WARNING, logger="kintsugi"):
        it.prepare_training()
    assert "perceptual: off" in caplog.text and "identity: off" in caplog.text
    assert it.log_header == {"perceptual": "off", "identity": "off"}
    assert {"generator/identity", "generator/style"} & it.train_step(pictures(), 1, updater(it)).keys() == set()


def test_loss_networks_are_read_from_official_files(tmp_path, monkeypatch):
    """A VGG file has more layers than are used; ArcFace's keys begin with "module."."""
    small = {"conv1_2": 0.1}
    monkeypatch.setattr(PerceptualLoss, "LAYERS", small)
    vgg = {key: value.numpy() for key, value in VGG(19, ["conv2_1"]).state_dict().items()}
    checkpoint.write_weights(tmp_path / "vgg.pdparams", vgg)
    face = TinyFace()
    checkpoint.write_weights(
        tmp_path / "face.pdparams",
        {"module.project.weight": face.project.weight.numpy().T, "module.project.bias": face.project.bias.numpy()},
    )
    monkeypatch.setattr(gfpgan_weights, "ResNet18ArcFace", TinyFace)
    it = gfpgan(
        False,
        perceptual_weight=1.0,
        perceptual_network=tmp_path / "vgg.pdparams",
        identity_weight=1.0,
        identity_network=tmp_path / "face.pdparams",
        **SIMPLE,
    )
    it.prepare_training()
    assert it.log_header == {"perceptual": "on", "identity": "on"}
    np.testing.assert_array_equal(it.perceptual.network.features[2].weight.numpy(), vgg["features.2.weight"])
    np.testing.assert_array_equal(it.identity.backbone.project.weight.numpy(), face.project.weight.numpy())
    assert all(p.stop_gradient for p in it.perceptual.network.parameters() + it.identity.backbone.parameters())
    assert it.networks.keys() == {"generator", "discriminator"}
    assert issubclass(ResNet18ArcFace, paddle.nn.Layer)
