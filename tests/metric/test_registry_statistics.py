"""Saved FID statistics: written, read again, BasicSR's, and those that are none."""

import numpy as np
import paddle
import pytest

from engine.errors import InputError
from engine.weights.files import write_weights
from metric.evaluation.report import save_statistics
from metric.evaluation.scores import Scores
from tests.metric.scoring import args, batch, facts, keep, scoring
from tests.metric.tiny_network import Tiny


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
