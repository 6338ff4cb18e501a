"""Every metric by name: what is computed with which weights, what is not, and how to come by it."""

import hashlib
import json

import numpy as np
import pytest

from engine.errors import ConfigError, InputError
from engine.weights.files import write_weights
from metric import networks
from metric.evaluation.report import write_report
from metric.evaluation.weights import MetricWeights, randomise
from metric.psnr_ssim import psnr
from metric.scorer import Missing
from tests.metric.scoring import RNG, args, batch, facts, keep, names, scoring
from tests.metric.tiny_network import Tiny

NEEDS = {"lpips_alex": "lpips_alex", "lpips_vgg": "lpips_vgg", "fid": "inception_fid", "kid": "inception_fid",
         "identity": "ir_se50", "deg": "arcface_resnet18", "niqe": "niqe"}  # fmt: skip


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


def test_json_has_no_infinities(tmp_path):
    write_report(tmp_path / "s.json", {"scores": {"psnr": float("inf")}, "rows": [{"x": float("nan"), "y": 1.5}]})
    text = (tmp_path / "s.json").read_text()
    found = json.loads(text, parse_constant=lambda constant: pytest.fail(constant))
    assert found == {"scores": {"psnr": "inf"}, "rows": [{"x": "nan", "y": 1.5}]}
