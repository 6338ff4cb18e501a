"""Every metric by name: what is computed with which weights, what is not, and how to come by it."""

import argparse
import hashlib
import json
from types import SimpleNamespace

import numpy as np
import paddle
import pytest
from paddle import nn

from engine.errors import ConfigError, InputError
from engine.weights.files import write_weights
from metric import networks
from metric.evaluation import registry
from metric.evaluation.flags import FLAGS
from metric.evaluation.report import save_statistics, write_report
from metric.evaluation.scores import Scores
from metric.evaluation.weights import MetricWeights, randomise
from metric.psnr_ssim import psnr
from metric.scorer import Missing
from metric.variety import Variety
from model.sphereface.network import Sphere20a
from system.satnet import SATNet
from system.satnet_recipe import IdentitySettings
from tests.metric.tiny_network import Tiny

RNG = np.random.default_rng(0)
NEEDS = {"lpips_alex": "lpips_alex", "lpips_vgg": "lpips_vgg", "fid": "inception_fid", "kid": "inception_fid",
         "identity": "ir_se50", "deg": "arcface_resnet18", "niqe": "niqe"}  # fmt: skip


def args(folder, **given):
    values = {name: flag.default for name, flag in FLAGS.items()} | {"metric_weights": str(folder)} | given
    return argparse.Namespace(**values)


@pytest.fixture
def tiny(monkeypatch):
    for name in ("inception_fid", "ir_se50", "arcface_resnet18"):
        monkeypatch.setitem(networks.BUILDERS, name, Tiny)


def keep(layer, path):
    write_weights(path, {key: value.numpy() for key, value in layer.state_dict().items()})


def scoring(given):
    """Scores of what flags ask for."""
    scorers, missing = registry.of_flags(given)
    scores = Scores(scorers)
    scores.skipped |= missing
    return scores


def facts(found, key):
    return next(metric["facts"] for metric in found.report()["metrics"] if metric["name"] == key)


def names(found):
    return [name for scorer in found.scorers for name in scorer.names if not name.startswith("hole_")]


def batch(count=4, size=32):
    return {kind: RNG.integers(0, 256, (count, size, size, 3), np.uint8) for kind in ("restored", "image")}


def test_without_weights_each_metric_names_its_command(tmp_path, monkeypatch):
    for name in networks.BUILDERS:
        monkeypatch.setitem(networks.BUILDERS, name, None)  # nothing large is built for nothing
    found = scoring(args(tmp_path))
    assert names(found) == ["psnr", "ssim", "l1", "mse"]
    assert found.skipped == {
        name: f"{tmp_path}/{file} is missing; python tools/fetch_weights.py {file}" for name, file in NEEDS.items()
    }


def test_proxies_are_named_so_and_are_repeatable(tmp_path, tiny):
    wanted = args(tmp_path, proxy_weights=True, metrics="psnr,lpips_alex,fid,kid,identity,deg,niqe")
    pictures, scores = batch(), []
    for _ in range(2):
        found = scoring(wanted)
        assert names(found) == ["psnr", "lpips_alex_proxy", "fid_proxy", "kid_proxy", "identity_proxy", "deg_proxy"]
        assert found.skipped.keys() == {"niqe"}
        found.update(list("abcd"), {}, pictures)
        scores.append(found.means())
        assert "a proxy" in facts(found, "fid_proxy/restored")["weights"]
        assert "weights" not in facts(found, "psnr/restored")
    assert scores[0] == scores[1] and np.isfinite(list(scores[0].values())).all()


@pytest.mark.parametrize("form", ["ours", "official"])
def test_weights_are_used_and_hashed(tmp_path, tiny, form):
    arrays = {"fc.weight": RNG.normal(size=(3, 6)).astype(np.float32), "fc.bias": np.ones(6, np.float32)}
    official = {"module.fc.weight": arrays["fc.weight"].T, "module.fc.bias": arrays["fc.bias"]}
    stored = arrays if form == "ours" else official
    path = tmp_path / "ir_se50.pdparams"
    write_weights(path, stored)
    found = scoring(args(tmp_path, metrics="identity"))
    found.update(
        list("ab"),
        {},
        {"restored": np.zeros((2, 256, 256, 3), np.uint8), "image": np.full((2, 256, 256, 3), 255, np.uint8)},
    )
    black, white = (arrays["fc.weight"].sum(axis=0) * sign + 1 for sign in (-1, 1))
    expected = black @ white / np.linalg.norm(black) / np.linalg.norm(white)
    assert found.means()["identity/restored"] == pytest.approx(expected, rel=1e-4)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    assert facts(found, "identity/restored")["weights"] == f"ir_se50 (sha256 {digest})"


def test_file_names(tmp_path):
    weights = MetricWeights(tmp_path)
    with pytest.raises(Missing, match="python tools/fetch_weights.py ir_se50"):
        weights.file("ir_se50")
    (tmp_path / "model_ir_se50.pdparams").touch()
    assert weights.file("ir_se50").name == "model_ir_se50.pdparams"
    (tmp_path / "ir_se50.pth").touch()
    assert weights.file("ir_se50").name == "ir_se50.pth"


def test_lpips_from_one_file_or_from_two(tmp_path):
    """The published file holds the linear layers; the backbone comes from torchvision's, classifier and all."""
    network = networks.BUILDERS["lpips_alex"]()
    randomise(network)
    state = {key: tensor.numpy() for key, tensor in network.state_dict().items()}
    linear = {key: array for key, array in state.items() if key.startswith("lin")}
    backbone = {key: array for key, array in state.items() if key.startswith("features")}
    pictures, scores = batch(2, 40), []
    for folder, files in {"one": {"lpips_alex": state}, "two": {"lpips_alex": linear, "alexnet": backbone | {
            "classifier.1.weight": np.zeros((2, 2), np.float32)}}}.items():  # fmt: skip
        for name, arrays in files.items():
            write_weights(tmp_path / folder / f"{name}.pdparams", arrays)
        found = scoring(args(tmp_path / folder, metrics="lpips_alex"))
        found.update(list("ab"), {}, pictures)
        scores.append(found.means()["lpips_alex/restored"])
    assert scores[0] == scores[1] > 0
    write_weights(tmp_path / "half" / "lpips_alex.pdparams", linear)
    found = scoring(args(tmp_path / "half", metrics="lpips_alex"))
    assert found.skipped == {
        "lpips_alex": f"{tmp_path}/half/alexnet is missing; python tools/fetch_weights.py alexnet"}  # fmt: skip


def test_weights_that_do_not_fit_are_named(tmp_path, tiny):
    write_weights(tmp_path / "ir_se50.pdparams", {"other": np.zeros(3, np.float32)})
    with pytest.raises(InputError, match=r"ir_se50\.pdparams: weights of another network"):
        scoring(args(tmp_path, metrics="identity"))


def test_unknown_metric():
    with pytest.raises(ConfigError, match="--metrics: unknown metric 'pnsr'"):
        scoring(args("weights", metrics="psnr,pnsr"))


def test_options_reach_the_metrics_and_the_signatures(tmp_path):
    pictures = batch(1)
    pictures["restored"][:, :3] = 0
    found = scoring(args(tmp_path, metrics="psnr", crop_border=3, on_luma=True))
    found.update(["a"], {}, pictures)
    expected = psnr(pictures["restored"][0], pictures["image"][0], 3, True)
    assert found.means() == {"psnr/restored": pytest.approx(expected)}
    assert "|colour=Y|crop=3|" in found.report()["metrics"][0]["signature"]


def test_legacy_seed_metrics_are_labelled(tmp_path, tiny):
    found = scoring(args(tmp_path, metrics="psnr", legacy_seed_metrics=True))
    assert names(found) == ["psnr", "psnr_legacy_seed"] and found.skipped.keys() == {"fid_legacy_seed"}
    keep(Tiny(), tmp_path / "inception_fid.pdparams")
    found = scoring(args(tmp_path, metrics="psnr", legacy_seed_metrics=True))
    assert names(found) == ["psnr", "psnr_legacy_seed", "fid_legacy_seed"]


@pytest.fixture
def fid_weights(tmp_path, tiny):
    paddle.seed(0)
    keep(Tiny(), tmp_path / "inception_fid.pdparams")
    return tmp_path


def test_saved_statistics(fid_weights):
    pictures, path = batch(6), str(fid_weights / "s.npz")
    found = scoring(args(fid_weights, metrics="fid,kid"))
    found.update(list("abcdef"), {}, pictures)
    save_statistics(found, path)
    own = found.means()["fid/restored"]
    found = scoring(args(fid_weights, metrics="fid,kid", fid_statistics=path))
    found.update([], {}, {"restored": pictures["restored"]})
    assert found.means() == {"fid/restored": pytest.approx(own, rel=1e-9)}
    told = facts(found, "fid/restored")
    assert told["reference"].startswith(path) and told["reference_n"] == "6"
    with pytest.raises(InputError, match="made with resize=legacy, this run has clean"):
        scoring(args(fid_weights, metrics="fid", fid_statistics=path, fid_resize="clean"))


def test_statistics_of_basicsr(fid_weights):
    write_weights(fid_weights / "ffhq.pth", {"mean": np.zeros(6, np.float32), "cov": np.eye(6, dtype=np.float32)})
    found = scoring(args(fid_weights, metrics="fid", fid_statistics=str(fid_weights / "ffhq.pth")))
    found.update([], {}, {"restored": batch()["restored"]})
    assert found.means()["fid/restored"] > 0 and facts(found, "fid/restored")["reference_n"] == "not told"
    write_weights(fid_weights / "other.pth", {"x": np.zeros(6, np.float32)})
    with pytest.raises(InputError, match=r"other\.pth: no saved FID statistics"):
        scoring(args(fid_weights, metrics="fid", fid_statistics=str(fid_weights / "other.pth")))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda mean, covariance: (mean[:5], covariance[:5, :5]), "statistics of 5 features; expected 6"),
        (lambda mean, covariance: (mean, covariance[:5]), r"mean \(6,\) and covariance \(5, 6\)"),
        (lambda mean, covariance: (mean * np.nan, covariance), "NaN or infinite values"),
        (lambda mean, covariance: (mean, covariance + np.inf), "NaN or infinite values"),
    ],
)
@pytest.mark.parametrize("kind", ["npz", "pth"])
def test_statistics_that_are_none_are_one_line(fid_weights, damage, said, kind):
    mean, covariance = damage(np.zeros(6, np.float32), np.eye(6, dtype=np.float32))
    path = fid_weights / f"s.{kind}"
    if kind == "npz":
        np.savez(path, mu=mean, sigma=covariance)
    else:
        write_weights(path, {"mean": mean, "cov": covariance})
    with pytest.raises(InputError, match=said) as caught:
        scoring(args(fid_weights, metrics="fid", fid_statistics=str(path)))
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.9, 0.99])
def test_truncated_statistics_are_one_line(fid_weights, share):
    path = fid_weights / "s.npz"
    np.savez(path, mu=np.zeros(6), sigma=np.eye(6))
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(InputError, match="expected saved FID statistics") as caught:
        scoring(args(fid_weights, metrics="fid", fid_statistics=str(path)))
    assert "\n" not in str(caught.value)


def test_statistics_need_fid(tmp_path):
    with pytest.raises(InputError, match="no statistics to save"):
        save_statistics(Scores([]), tmp_path / "s.npz")


def test_json_has_no_infinities(tmp_path):
    write_report(tmp_path / "s.json", {"scores": {"psnr": float("inf")}, "rows": [{"x": float("nan"), "y": 1.5}]})
    text = (tmp_path / "s.json").read_text()
    found = json.loads(text, parse_constant=lambda constant: pytest.fail(constant))
    assert found == {"scores": {"psnr": "inf"}, "rows": [{"x": "nan", "y": 1.5}]}


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
