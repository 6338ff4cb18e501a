"""The terms of GPEN's loss: each by its weight, and the identity network on, off and missing."""

import logging

import numpy as np
import paddle
import pytest

import system.gpen
from engine.errors import InputError
from engine.training import checkpoint
from tests.system.small_gpen import ALWAYS, gpen, pictures, updater


class Gradients:
    """Takes the place of an Updater: keeps the generator's gradients, moves nothing."""

    def __init__(self, it):
        self.it = it

    def __call__(self, names, loss, reaches_all=False):
        if names == ("encoder", "decoder"):
            loss.backward()
            parameters = self.it.trainable["encoder"] + self.it.trainable["decoder"]
            self.found = [np.zeros(p.shape, np.float32) if p.grad is None else p.grad.numpy() for p in parameters]


def generator_gradient(**weights):
    none = {"adversarial_weight": 0.0, "pixel_weight": 0.0, "feature_weight": 0.0, "identity_weight": 0.0}
    it = gpen(**none | weights, r1_every=0, path_every=0)
    gradients = Gradients(it)
    it.train_step(pictures(), 0, gradients)
    assert all(p.grad is None for p in it.discriminator.parameters())
    return gradients.found


def test_logged_total_is_the_weighted_sum():
    it = gpen(adversarial_weight=0.3, pixel_weight=7.0, feature_weight=0.5)
    scalars = {key: float(value) for key, value in it.train_step(pictures(), 1, updater(it)).items()}
    assert scalars.keys() == ALWAYS | {"generator/feature"}
    parts = 0.3 * scalars["generator/adversarial"] + 7 * scalars["generator/pixel"] + 0.5 * scalars["generator/feature"]
    assert scalars["generator/loss"] == pytest.approx(parts, rel=1e-5)


class TinyFace(paddle.nn.Layer):
    """In the place of IR-SE50: 8 features of the 112 px crop."""

    def __init__(self):
        super().__init__()
        self.project = paddle.nn.Linear(3 * 49, 8)

    def forward(self, image):
        features = self.project(paddle.nn.functional.avg_pool2d(image, 16).reshape([image.shape[0], -1]))
        return features / features.norm(axis=1, keepdim=True)


@pytest.fixture
def identity_file(tmp_path, monkeypatch):
    monkeypatch.setattr(system.gpen, "IRSE50", TinyFace)
    paddle.seed(8)
    checkpoint.write_weights(tmp_path / "face.pdparams", {k: v.numpy() for k, v in TinyFace().state_dict().items()})
    return tmp_path / "face.pdparams"


@pytest.mark.parametrize("term", ["adversarial", "pixel", "feature", "identity"])
def test_every_term_reaches_the_generator_by_its_weight(term, identity_file):
    """Doubling one weight adds that term's own gradient, which is not zero in encoder and decoder."""
    base = {
        "adversarial_weight": 1.0,
        "pixel_weight": 1.0,
        "feature_weight": 1.0,
        "identity_weight": 1.0,
        "identity_network": identity_file,
    }
    name = f"{term}_weight"
    alone = generator_gradient(**{name: 1.0, "identity_network": identity_file})
    one, two = generator_gradient(**base), generator_gradient(**base | {name: 2.0})
    largest = max(np.abs(gradient).max() for gradient in alone)
    for wanted, a, b in zip(alone, one, two, strict=True):
        np.testing.assert_allclose(b - a, wanted, atol=1e-4 * largest + 1e-7)
    encoders = len(gpen().trainable["encoder"])
    assert largest > 1e-5
    assert max(np.abs(g).max() for g in alone[:encoders]) > 0 and max(np.abs(g).max() for g in alone[encoders:]) > 0


def test_missing_identity_network(tmp_path, caplog):
    missing = {"identity_weight": 1.0, "identity_network": tmp_path / "face.pdparams"}
    with pytest.raises(InputError, match="face.pdparams: missing; .*recipe.when_missing: skip") as error:
        gpen(**missing)
    assert "\n" not in str(error.value)
    with caplog.at_level(logging.WARNING, logger="kintsugi"):
        it = gpen(**missing, when_missing="skip")
    assert len(caplog.records) == 1 and "identity: off" in caplog.text
    assert it.log_header == {"identity": "off"}
    assert it.train_step(pictures(), 1, updater(it)).keys() == ALWAYS
    assert gpen(identity_weight=0.0).log_header == {"identity": "off"}


def test_identity_loss_is_on_and_frozen(identity_file):
    it = gpen(identity_weight=1.0, identity_network=identity_file)
    weight = it.identity.backbone.project.weight.numpy().copy()
    assert it.train_step(pictures(), 1, updater(it)).keys() == ALWAYS | {"generator/identity"}
    assert it.log_header == {"identity": "on"} and it.networks.keys() == {"generator", "discriminator"}
    np.testing.assert_array_equal(it.identity.backbone.project.weight.numpy(), weight)
