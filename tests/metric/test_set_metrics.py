"""Which set metrics a run computes: the cheap ones, the ones asked for, and why the others are not there."""

import argparse
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import paddle
import pytest
from paddle import nn

from engine.errors import ConfigError
from engine.weights.files import write_weights
from metric.evaluation import set_metrics
from metric.evaluation import suite as metric_suite
from metric.evaluation.sets import SETS
from metric.evaluation.suite import FLAGS
from metric.variety import Variety
from model.sphereface.network import Sphere20a
from system.satnet import SATNet
from system.satnet_identity import IdentitySettings

CHEAP = {"texture_distance", "checkerboard"}


def config(tmp_path, measures=(), best=None):
    identity = IdentitySettings(
        mode="none", network=tmp_path / "face.pdparams", image_size=(14, 12), width=1 / 32, embedding_size=4
    )
    best = best and SimpleNamespace(score=best, better="lower")
    return SimpleNamespace(
        system="system.satnet.SATNet",
        recipe=SimpleNamespace(identity=identity),
        train=SimpleNamespace(measures=tuple(measures), best=best),
    )


def args(folder, **given):
    return argparse.Namespace(
        **{name: flag.default for name, flag in FLAGS.items()} | {"metric_weights": str(folder)} | given
    )


class Tiny(nn.Layer):
    """In the place of the Inception network: 4 features of the mean colour."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 4)

    def forward(self, image):
        return self.fc(image.mean([2, 3]))


def test_a_validation_computes_the_cheap_ones_and_those_it_is_asked_for(tmp_path):
    assert set_metrics.of_validation(config(tmp_path), SATNet).factories.keys() == CHEAP
    found = set_metrics.of_validation(config(tmp_path, ["variety"]), SATNet)
    assert found.factories.keys() == CHEAP | {"variety"} and isinstance(found.factories["variety"](), Variety)


def test_all_known_measures_without_weights_say_why_they_are_missing(tmp_path):
    found = set_metrics.chosen(config(tmp_path), SATNet, SATNet.measured, args(tmp_path))
    assert found.factories.keys() == CHEAP | {"variety"} and found.factories["variety"]().lpips is None
    assert found.missing == {
        "identity_similarity": f"recipe.identity.network: {tmp_path}/face.pdparams is missing",
        "fid": f"{tmp_path}/inception_fid is missing; python tools/fetch_weights.py inception_fid",
        "variety/lpips": f"{tmp_path}/lpips_alex is missing; python tools/fetch_weights.py lpips_alex",
    }


def test_weights_that_are_there_are_used_and_named(tmp_path, monkeypatch):
    face = Sphere20a((14, 12), 1 / 32, 4)
    write_weights(tmp_path / "face.pdparams", {f"recognizer/{k}": v.numpy() for k, v in face.state_dict().items()})
    monkeypatch.setattr(metric_suite, "FIDInception", Tiny)
    found = set_metrics.chosen(config(tmp_path), SATNet, SATNet.measured, args(tmp_path, proxy_weights=True))
    assert (
        "fid_proxy" in found.factories
        and "fid" not in found.factories
        and "a proxy" in found.facts["fid_proxy"]["weights"]
    )
    image = paddle.to_tensor(np.random.default_rng(0).random((2, 3, 28, 24)), "float32")
    embed = found.factories["identity_similarity"]().embed
    small = nn.functional.avg_pool2d(image, 3, stride=2, padding=1, exclusive=True)
    np.testing.assert_allclose(embed(image), face.embedding(small * 2 - 1).numpy(), rtol=1e-4, atol=1e-6)
    assert "face.pdparams (sha256 " in found.facts["identity_similarity"]["weights"]
    write_weights(tmp_path / "inception_fid.pdparams", {k: v.numpy() for k, v in Tiny().state_dict().items()})
    found = set_metrics.chosen(config(tmp_path), SATNet, SATNet.measured, args(tmp_path))
    assert found.factories["fid"]().features(np.zeros((2, 8, 8, 3), np.float32)).shape == (2, 4)
    assert "fid" not in found.missing and "inception_fid (sha256 " in found.facts["fid"]["weights"]


def test_a_network_that_was_trained_against_is_told(tmp_path):
    face = Sphere20a((14, 12), 1 / 32, 4)
    write_weights(tmp_path / "face.pdparams", {f"recognizer/{k}": v.numpy() for k, v in face.state_dict().items()})
    asked = config(tmp_path, ["identity_similarity"])
    assert "trained_against" not in set_metrics.of_validation(asked, SATNet).facts["identity_similarity"]
    asked.recipe.identity = asked.recipe.identity.model_copy(update={"mode": "hinge"})
    assert set_metrics.of_validation(asked, SATNet).facts["identity_similarity"]["trained_against"] == "hinge"


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
        set_metrics.of_validation(config(tmp_path, measures, best), SATNet)


def test_every_measure_of_every_system_can_be_built():
    for path in Path("system").glob("*.py"):
        module = __import__(f"system.{path.stem}", fromlist=["x"])
        for kind in vars(module).values():
            for name in getattr(kind, "measured", ()):
                assert name in SETS or name in set_metrics.BUILDERS
            assert set(getattr(kind, "costly", ())) <= set(getattr(kind, "measured", ()))
