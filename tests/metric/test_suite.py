"""The suite of metrics: what is computed with which weights, what is not and how to come by it."""

import argparse
import hashlib
import json

import numpy as np
import paddle
import pytest
from paddle import nn

from engine.errors import ConfigError, InputError
from engine.weights.files import write_weights
from metric.evaluation import suite as metric_suite
from metric.evaluation.scoring import Scoring
from metric.evaluation.suite import FLAGS, randomise, scoring, weights_file, write_report
from metric.psnr_ssim import psnr

RNG = np.random.default_rng(0)
NEEDS = {"lpips_alex": "lpips_alex", "lpips_vgg": "lpips_vgg", "fid": "inception_fid", "kid": "inception_fid",
         "identity": "ir_se50", "deg": "arcface_resnet18", "niqe": "niqe"}  # fmt: skip


class Tiny(nn.Layer):
    """Stands for the large networks: 6 features of the mean colour."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 6)

    def forward(self, image):
        return self.fc(image.expand([-1, 3, -1, -1]).mean(axis=[2, 3]))


def args(folder, **given):
    values = {name: flag.default for name, flag in FLAGS.items()} | {"metric_weights": str(folder)} | given
    return argparse.Namespace(**values)


@pytest.fixture
def tiny(monkeypatch):
    for name in ("FIDInception", "IRSE50", "ResNet18ArcFace"):
        monkeypatch.setattr(metric_suite, name, Tiny)


def keep(layer, path):
    write_weights(path, {key: value.numpy() for key, value in layer.state_dict().items()})


def names(found):
    return [name for scorer in found.scorers for name in scorer.names if not name.startswith("hole_")]


def batch(count=4, size=32):
    return {kind: RNG.integers(0, 256, (count, size, size, 3), np.uint8) for kind in ("restored", "image")}


def test_without_weights_each_metric_names_its_command(tmp_path, monkeypatch):
    for name in ("FIDInception", "IRSE50", "ResNet18ArcFace", "LPIPS"):
        monkeypatch.setattr(metric_suite, name, None)  # nothing large is built for nothing
    found = scoring(args(tmp_path), "val")
    assert names(found) == ["psnr", "ssim", "l1", "mse"]
    assert found.skipped == {
        name: f"{tmp_path}/{file} is missing; python tools/fetch_weights.py {file}" for name, file in NEEDS.items()
    }


def test_proxies_are_named_so_and_are_repeatable(tmp_path, tiny):
    wanted = args(tmp_path, proxy_weights=True, metrics="psnr,lpips_alex,fid,kid,identity,deg,niqe")
    pictures, scores = batch(), []
    for _ in range(2):
        found = scoring(wanted, "val")
        assert names(found) == ["psnr", "lpips_alex_proxy", "fid_proxy", "kid_proxy", "identity_proxy", "deg_proxy"]
        assert found.skipped.keys() == {"niqe"}
        found.update(list("abcd"), pictures)
        scores.append(found.scores())
        assert "a proxy" in found.facts("fid_proxy/restored")["weights"]
        assert "weights" not in found.facts("psnr/restored")
    assert scores[0] == scores[1] and np.isfinite(list(scores[0].values())).all()


@pytest.mark.parametrize("form", ["ours", "official"])
def test_weights_are_used_and_hashed(tmp_path, tiny, form):
    arrays = {"fc.weight": RNG.normal(size=(3, 6)).astype(np.float32), "fc.bias": np.ones(6, np.float32)}
    official = {"module.fc.weight": arrays["fc.weight"].T, "module.fc.bias": arrays["fc.bias"]}
    stored = arrays if form == "ours" else official
    path = tmp_path / "ir_se50.pdparams"
    write_weights(path, stored)
    found = scoring(args(tmp_path, metrics="identity"), "val")
    found.update(
        list("ab"),
        {"restored": np.zeros((2, 256, 256, 3), np.uint8), "image": np.full((2, 256, 256, 3), 255, np.uint8)},
    )
    black, white = (arrays["fc.weight"].sum(axis=0) * sign + 1 for sign in (-1, 1))
    expected = black @ white / np.linalg.norm(black) / np.linalg.norm(white)
    assert found.scores()["identity/restored"] == pytest.approx(expected, rel=1e-4)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    assert found.facts("identity/restored")["weights"] == f"ir_se50 (sha256 {digest})"


def test_file_names(tmp_path):
    assert weights_file("ir_se50", tmp_path) is None
    (tmp_path / "model_ir_se50.pdparams").touch()
    assert weights_file("ir_se50", tmp_path).name == "model_ir_se50.pdparams"
    (tmp_path / "ir_se50.pth").touch()
    assert weights_file("ir_se50", tmp_path).name == "ir_se50.pth"


def test_lpips_from_one_file_or_from_two(tmp_path):
    """The published file holds the linear layers; the backbone comes from torchvision's, classifier and all."""
    network = metric_suite.LPIPS("alex")
    randomise(network)
    state = {key: tensor.numpy() for key, tensor in network.state_dict().items()}
    linear = {key: array for key, array in state.items() if key.startswith("lin")}
    backbone = {key: array for key, array in state.items() if key.startswith("features")}
    pictures, scores = batch(2, 40), []
    for folder, files in {"one": {"lpips_alex": state}, "two": {"lpips_alex": linear, "alexnet": backbone | {
            "classifier.1.weight": np.zeros((2, 2), np.float32)}}}.items():  # fmt: skip
        for name, arrays in files.items():
            write_weights(tmp_path / folder / f"{name}.pdparams", arrays)
        found = scoring(args(tmp_path / folder, metrics="lpips_alex"), "val")
        found.update(list("ab"), pictures)
        scores.append(found.scores()["lpips_alex/restored"])
    assert scores[0] == scores[1] > 0
    write_weights(tmp_path / "half" / "lpips_alex.pdparams", linear)
    found = scoring(args(tmp_path / "half", metrics="lpips_alex"), "val")
    assert found.skipped == {
        "lpips_alex": f"{tmp_path}/half/alexnet is missing; python tools/fetch_weights.py alexnet"}  # fmt: skip


def test_weights_that_do_not_fit_are_named(tmp_path, tiny):
    write_weights(tmp_path / "ir_se50.pdparams", {"other": np.zeros(3, np.float32)})
    with pytest.raises(InputError, match=r"ir_se50\.pdparams: weights of another network"):
        scoring(args(tmp_path, metrics="identity"), "val")


def test_unknown_metric():
    with pytest.raises(ConfigError, match="--metrics: unknown metric 'pnsr'"):
        scoring(args("weights", metrics="psnr,pnsr"), "val")


def test_options_reach_the_metrics_and_the_signatures(tmp_path):
    pictures = batch(1)
    pictures["restored"][:, :3] = 0
    found = scoring(args(tmp_path, metrics="psnr", crop_border=3, on_luma=True), "val")
    found.update(["a"], pictures)
    expected = psnr(pictures["restored"][0], pictures["image"][0], 3, True)
    assert found.scores() == {"psnr/restored": pytest.approx(expected)}
    assert "|colour=Y|crop=3|" in found.signature("psnr/restored")


def test_legacy_seed_metrics_are_labelled(tmp_path, tiny):
    found = scoring(args(tmp_path, metrics="psnr", legacy_seed_metrics=True), "val")
    assert names(found) == ["psnr", "psnr_legacy_seed"] and found.skipped.keys() == {"fid_legacy_seed"}
    keep(Tiny(), tmp_path / "inception_fid.pdparams")
    found = scoring(args(tmp_path, metrics="psnr", legacy_seed_metrics=True), "val")
    assert names(found) == ["psnr", "psnr_legacy_seed", "fid_legacy_seed"]


@pytest.fixture
def fid_weights(tmp_path, tiny):
    paddle.seed(0)
    keep(Tiny(), tmp_path / "inception_fid.pdparams")
    return tmp_path


def test_saved_statistics(fid_weights):
    pictures, path = batch(6), str(fid_weights / "s.npz")
    found = scoring(args(fid_weights, metrics="fid,kid"), "val")
    found.update(list("abcdef"), pictures)
    metric_suite.save_statistics(found, path)
    own = found.scores()["fid/restored"]
    found = scoring(args(fid_weights, metrics="fid,kid", fid_statistics=path), "val")
    found.update_set({"restored": pictures["restored"]})
    assert found.scores() == {"fid/restored": pytest.approx(own, rel=1e-9)}
    facts = found.facts("fid/restored")
    assert facts["reference"].startswith(path) and facts["reference_n"] == "6"
    with pytest.raises(InputError, match="made with resize=legacy, this run has clean"):
        scoring(args(fid_weights, metrics="fid", fid_statistics=path, fid_resize="clean"), "val")


def test_statistics_of_basicsr(fid_weights):
    write_weights(fid_weights / "ffhq.pth", {"mean": np.zeros(6, np.float32), "cov": np.eye(6, dtype=np.float32)})
    found = scoring(args(fid_weights, metrics="fid", fid_statistics=str(fid_weights / "ffhq.pth")), "val")
    found.update_set({"restored": batch()["restored"]})
    assert found.scores()["fid/restored"] > 0 and found.facts("fid/restored")["reference_n"] == "not told"
    write_weights(fid_weights / "other.pth", {"x": np.zeros(6, np.float32)})
    with pytest.raises(InputError, match=r"other\.pth: no saved FID statistics"):
        scoring(args(fid_weights, metrics="fid", fid_statistics=str(fid_weights / "other.pth")), "val")


def test_statistics_need_fid(tmp_path):
    with pytest.raises(InputError, match="no statistics to save"):
        metric_suite.save_statistics(Scoring([]), tmp_path / "s.npz")


def test_json_has_no_infinities(tmp_path):
    write_report(tmp_path / "s.json", {"scores": {"psnr": float("inf")}, "rows": [{"x": float("nan"), "y": 1.5}]})
    text = (tmp_path / "s.json").read_text()
    found = json.loads(text, parse_constant=lambda constant: pytest.fail(constant))
    assert found == {"scores": {"psnr": "inf"}, "rows": [{"x": "nan", "y": 1.5}]}
