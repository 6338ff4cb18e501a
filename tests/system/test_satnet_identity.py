"""Who SATNet's pictures show: its identity loss, pairs of one person, the file of the recognition network."""

import logging

import numpy as np
import paddle
import pytest

from engine.errors import InputError
from engine.training import checkpoint
from loss.face_identity import same_person
from model.sphereface.network import Sphere20a
from system.satnet import OTHER
from tests.system.small_satnet import CRITICS, GENERATORS, NONE, SIZE, parts, pictures, reached, satnet, updater


class Stub:
    """In the place of TranslationIdentity: notes what it is asked."""

    def __init__(self):
        self.calls, self.pairs = [], []

    def __call__(self, made, source, labels):
        self.calls.append((source, labels))
        return (made - source).square().mean()

    def same_person(self, made, real, chosen):
        self.pairs.append((real, chosen))
        return (made - real).square().mean()


def test_identity_compares_a_made_picture_with_its_own_source():
    it, batch = satnet(**NONE | {"identity_weight": 2.0}), pictures()
    it.identity = Stub()
    scalars = it.train_step(batch, 0, lambda names, loss: None)
    shown = dict(zip(OTHER, it.identity.calls, strict=True))
    for domain, (source, labels) in shown.items():
        np.testing.assert_allclose(source.numpy(), batch[OTHER[domain]].numpy() * 2 - 1)
        wanted = batch["identity" if domain == "caricature" else "caricature_identity"]
        np.testing.assert_array_equal(labels.numpy(), wanted.numpy())
    total = sum(float(scalars[f"{name}/identity"]) for name in GENERATORS)
    assert float(scalars["generators/loss"]) == pytest.approx(2 * total, rel=1e-5)
    assert reached(it) == parts("enc_content", "dec", "mlp")


def test_same_identity_compares_with_the_real_picture_of_the_same_person():
    changes = NONE | {
        "same_identity_weight": 3.0,
        "identity": {"mode": "cosine", "network": "none.pdparams", "when_missing": "skip"},
    }
    it, batch = satnet(**changes), pictures()
    it.identity = Stub()
    it.train_step(batch, 0, lambda names, loss: None)
    for domain, (real, chosen) in zip(OTHER, it.identity.pairs, strict=True):
        np.testing.assert_allclose(real.numpy(), batch[domain].numpy() * 2 - 1)
        assert chosen.numpy().tolist() == [True, False]


def test_same_person_needs_a_known_identity():
    labels = {"photo": paddle.to_tensor([3, -1, 2]), "caricature": paddle.to_tensor([3, -1, 5])}
    assert same_person(labels).numpy().tolist() == [True, False, False]


def test_swap_counts_pairs_of_one_person():
    it = satnet(**NONE | {"swap_weight": 1.0})
    strangers = pictures(people=((0, 1), (2, 3)))
    scalars = it.train_step(strangers, 0, lambda names, loss: None)
    assert float(scalars["photo_generator/swap"]) == 0 and reached(it, strangers) == set()
    assert float(it.train_step(pictures(), 0, lambda names, loss: None)["photo_generator/swap"]) > 0
    assert reached(it, pictures(people=((0, 1), (0, 1)))) == parts("enc_content", "enc_style", "dec", "mlp")


def test_identity_network_is_read_frozen_and_in_no_checkpoint(tmp_path):
    face = Sphere20a(SIZE, 1 / 64, 4)
    arrays = {f"recognizer/{key}": value.numpy() for key, value in face.state_dict().items()}
    checkpoint.write_weights(tmp_path / "face.pdparams", arrays)
    section = {
        "mode": "hinge",
        "network": tmp_path / "face.pdparams",
        "image_size": SIZE,
        "width": 1 / 64,
        "embedding_size": 4,
        "threshold": 1.0,
    }
    it = satnet(identity=section, identity_weight=10.0)
    assert it.log_header == {"identity": "hinge"} and it.networks.keys() == {*GENERATORS, *CRITICS}
    scalars = it.train_step(pictures(), 0, updater(it))
    assert 0 <= float(scalars["photo_generator/identity"]) <= 2
    for key, value in it.identity.network.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), arrays[f"recognizer/{key}"])


def test_missing_identity_network(tmp_path, caplog):
    section = {"mode": "hinge", "network": tmp_path / "face.pdparams"}
    with pytest.raises(InputError, match="face.pdparams: missing; .*recipe.identity.mode: none"):
        satnet(identity=section, identity_weight=1.0)
    with caplog.at_level(logging.WARNING, logger="kintsugi"):
        it = satnet(identity=section | {"when_missing": "skip"}, identity_weight=1.0)
    assert "identity: off" in caplog.text and it.log_header == {"identity": "off"}
