"""A system's own measures: which are computed when, with which weights, and what is said before training."""

from types import SimpleNamespace

import numpy as np
import paddle
import pytest
from paddle import nn

from engine.errors import ConfigError
from engine.weights.files import write_weights
from metric.evaluation import registry
from metric.variety import Variety
from model.sphereface.network import Sphere20a
from system.satnet import SATNet
from system.satnet_recipe import IdentitySettings
from tests.metric.scoring import args, keep
from tests.metric.tiny_network import Tiny

CHEAP = {"texture_distance", "checkerboard"}
ALL = {*CHEAP, "variety", "identity_similarity", "fid"}


def satnet(folder):
    """A small one whose recognition network is folder/face.pdparams."""
    identity = IdentitySettings(
        mode="none", network=folder / "face.pdparams", image_size=(14, 12), width=1 / 32, embedding_size=4
    )
    system = object.__new__(SATNet)  # what is measured depends on the settings alone
    system.config = SimpleNamespace(identity=identity)
    return system


def run_config(measures=(), best=None):
    best = best and SimpleNamespace(score=best, better="lower")
    return SimpleNamespace(system="system.satnet.SATNet", train=SimpleNamespace(measures=tuple(measures), best=best))


def own(found):
    """{name: scorer} of a system's own."""
    return {scorer.names[0]: scorer for scorer in found[0] if scorer.names[0] not in ("psnr", "ssim", "hole_psnr")}


@pytest.fixture
def face(tmp_path):
    network = Sphere20a((14, 12), 1 / 32, 4)
    arrays = {f"recognizer/{key}": value.numpy() for key, value in network.state_dict().items()}
    write_weights(tmp_path / "face.pdparams", arrays)
    return network


def test_a_validation_computes_the_cheap_ones_and_those_it_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = registry.of_validation(run_config(), satnet(tmp_path))
    assert own(found).keys() == CHEAP and [scorer.names[0] for scorer in found[0][:2]] == ["psnr", "ssim"]
    found = registry.of_validation(run_config(["variety"]), satnet(tmp_path))
    assert own(found).keys() == CHEAP | {"variety"} and isinstance(own(found)["variety"].metric, Variety)


def test_own_measures_without_weights_say_why_they_are_missing(tmp_path):
    found = registry.of_flags(args(tmp_path), satnet(tmp_path))
    assert own(found).keys() == CHEAP | {"variety"} and own(found)["variety"].metric.lpips is None
    assert found[1] == {
        "identity_similarity": f"recipe.identity.network: {tmp_path}/face.pdparams is missing",
        "fid": f"{tmp_path}/inception_fid is missing; python tools/fetch_weights.py inception_fid",
        "variety/lpips": f"{tmp_path}/lpips_alex is missing; python tools/fetch_weights.py lpips_alex",
    }


def test_weights_of_own_measures_are_used_and_named(tmp_path, tiny, face):
    found = own(registry.of_flags(args(tmp_path, proxy_weights=True), satnet(tmp_path)))
    assert (
        "fid_proxy" in found
        and "fid" not in found
        and "a proxy" in found["fid_proxy"].circumstances["fid_proxy"]["weights"]
    )
    image = paddle.to_tensor(np.random.default_rng(0).random((2, 3, 28, 24)), "float32")
    embed = found["identity_similarity"].metric.embed
    small = nn.functional.avg_pool2d(image, 3, stride=2, padding=1, exclusive=True)
    np.testing.assert_allclose(embed(image), face.embedding(small * 2 - 1).numpy(), rtol=1e-4, atol=1e-6)
    assert "face.pdparams (sha256 " in found["identity_similarity"].circumstances["identity_similarity"]["weights"]
    keep(Tiny(), tmp_path / "inception_fid.pdparams")
    found = registry.of_flags(args(tmp_path), satnet(tmp_path))
    assert own(found)["fid"].metric.features(np.zeros((2, 8, 8, 3), np.float32)).shape == (2, 6)
    assert "fid" not in found[1] and "inception_fid (sha256 " in own(found)["fid"].circumstances["fid"]["weights"]


def test_a_network_that_was_trained_against_is_told(tmp_path, face):
    system, asked = satnet(tmp_path), run_config(["identity_similarity"])
    scorer = own(registry.of_validation(asked, system))["identity_similarity"]
    assert "trained_against" not in scorer.circumstances["identity_similarity"]
    system.config.identity = system.config.identity.model_copy(update={"mode": "hinge"})
    scorer = own(registry.of_validation(asked, system))["identity_similarity"]
    assert scorer.circumstances["identity_similarity"]["trained_against"] == "hinge"


@pytest.mark.parametrize(
    ("measures", "best", "text"),
    [
        (["lpips"], None, "train.measures: 'lpips' is not known; system.satnet.SATNet is measured by texture_distance"),
        ([], "fid/caricature", "train.best.score: fid is not computed; add it to train.measures"),
        (["fid"], "fid/caricature", "train.best.score: fid is not computed, .*inception_fid is missing"),
    ],
)
def test_what_cannot_be_computed_is_said_before_training(tmp_path, monkeypatch, measures, best, text):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=text):
        registry.of_validation(run_config(measures, best), satnet(tmp_path))


def test_costly_measures_are_measures(tmp_path):
    assert satnet(tmp_path).measures().keys() == ALL and set(SATNet.costly) == ALL - CHEAP
