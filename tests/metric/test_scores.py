"""Scores: means over pictures, signatures, warnings, what is left out and why, memory."""

import logging
import tracemalloc

import numpy as np
import pytest

from engine.errors import InputError
from metric.evaluation import registry
from metric.evaluation.report import shown, table
from metric.evaluation.scorers import DistanceScorer, of_pairs
from metric.evaluation.scores import Fingerprint, Scores, better
from metric.psnr_ssim import psnr, ssim
from metric.scorer import SetScorer

RNG = np.random.default_rng(0)


def pictures(count, size=16):
    return RNG.integers(0, 256, (count, size, size, 3), np.uint8)


def level(output, target):
    return float(output[0, 0, 0])


def features(batch):
    return batch.reshape(len(batch), -1)[:, :4].astype(float)


def test_means_are_over_pictures_not_batches():
    scores = Scores([of_pairs("level", level, {"colour": "RGB"})])
    scores.update(["a", "b", "c"], {}, {"restored": np.full((3, 4, 4, 3), 10, np.uint8), "image": pictures(3, 4)})
    scores.update(["d"], {}, {"restored": np.full((1, 4, 4, 3), 50, np.uint8), "image": pictures(1, 4)})
    assert scores.means() == {"level/restored": 20}
    assert scores.rows == [
        {"name": name, "level/restored": value} for name, value in zip("abcd", (10, 10, 10, 50), strict=True)
    ]


def test_signature_names_what_the_number_depends_on():
    def scored(reference, **facts):
        scores = Scores([of_pairs("psnr", psnr, {"range": 255} | facts)])
        scores.update(["a"], {}, {"restored": 0 * reference, "image": reference})
        return scores.report("val")["metrics"][0]["signature"]

    image = np.full((1, 4, 4, 3), 7, np.uint8)
    signature = scored(image)
    assert signature.startswith("psnr|n=1|range=255|reference=val (pixels ") and scored(image.copy()) == signature
    other = image.copy()
    other[0, 0, 0, 0] = 8
    assert signature not in (scored(other), scored(image, crop=4), scored(image.reshape(1, 2, 8, 3)))


def test_fingerprint_depends_on_pictures_not_on_their_order_or_batches():
    batch = pictures(5)
    one, other = Fingerprint(), Fingerprint()
    one.update(batch)
    other.update(batch[3:])
    other.update(batch[:3])
    assert str(one) == str(other) and len(str(one)) == 12
    other.update(batch[:1])
    assert str(one) != str(other)


def test_what_a_scorer_cannot_do_is_said_and_its_numbers_go():
    scores = Scores([of_pairs("psnr", psnr, {}), of_pairs("ssim", ssim, {})])
    scores.update(["a"], {}, {"restored": pictures(1), "image": pictures(1)})
    assert "ssim/restored" in scores.rows[0]
    scores.update(["b"], {}, {"restored": pictures(1, 8), "image": pictures(1, 8)})
    report = scores.report(missing={"fid": "no weights"})
    assert report["scores"].keys() == {"psnr/restored"}
    assert report["not_computed"].keys() == {"fid", "ssim"} and "less than 11" in report["not_computed"]["ssim"]
    assert all(row.keys() == {"name", "psnr/restored"} for row in report["rows"])
    lines = table(report)
    assert any(line.startswith("fid ") and line.endswith("not computed: no weights") for line in lines)


def test_small_sets_are_warned_of_and_kid_stands_beside_fid():
    scores = Scores([DistanceScorer(features, {})])
    scores.update(list("abc"), {}, {"restored": pictures(3), "image": pictures(3)})
    report = scores.report()
    assert list(report["scores"]) == ["fid/restored", "kid/restored"]
    (warning,) = report["warnings"]
    assert warning.startswith("fid: 3 pictures of 'restored', 3 pictures of 'image', fewer than 2048: biased")


def test_unpaired_pictures_count_in_sets_only():
    scores = Scores([of_pairs("psnr", psnr, {}), DistanceScorer(features, {})])
    scores.update(["a", "b"], {}, {"restored": pictures(2), "image": pictures(2)})
    scores.update([], {}, {"image": pictures(3)})
    scores.update([], {}, {"restored": pictures(1)})
    facts = {metric["name"]: metric["facts"] for metric in scores.report("val")["metrics"]}
    assert facts["psnr/restored"]["n"] == "2"
    assert (facts["fid/restored"]["n"], facts["fid/restored"]["reference_n"]) == ("3", "5")
    assert facts["fid/restored"]["reference"] != facts["psnr/restored"]["reference"]


def test_too_few_for_a_set_is_a_line_not_an_end():
    scores = Scores([of_pairs("psnr", psnr, {}), DistanceScorer(features, {})])
    scores.update(["a"], {}, {"restored": pictures(1), "image": pictures(1)})
    report = scores.report()
    assert report["scores"].keys() == {"psnr/restored"} and "found 1" in report["not_computed"]["kid"]


def test_buckets_of_hole_ratio():
    scores = Scores(registry.paired(["psnr", "hole_l1"]))
    masks = np.zeros((3, 16, 16, 1), np.float32)
    masks[0, :2], masks[1, :4], masks[2, :3] = 1, 1, 1  # 0.125, 0.25, 0.1875
    scores.update(list("abc"), {}, {"restored": pictures(3), "image": pictures(3), "mask": masks})
    report = scores.report()
    values = [row["psnr/restored"] for row in scores.rows]
    assert report["scores"]["psnr/restored/0.1-0.2"] == pytest.approx((values[0] + values[2]) / 2)
    assert report["scores"]["psnr/restored/0.2-0.3"] == pytest.approx(values[1])
    facts = {metric["name"]: metric["facts"] for metric in report["metrics"]}
    assert facts["psnr/restored/0.1-0.2"]["n"] == "2"
    assert facts["psnr/restored/0.2-0.3"]["hole_ratio"] == "0.2-0.3"


class Counting:
    """A metric of the set: how many pictures, and what a test wants."""

    value = 0.5

    def __init__(self):
        self.count = 0

    def update(self, batch):
        self.count += len(batch["name"])

    def result(self):
        return {"count": self.count, "value": self.value}


def test_metrics_of_the_set_join_the_table():
    scores = Scores([SetScorer("verification", Counting, {"weights": "w"})])
    for names in (["a", "b"], ["c"]):
        scores.update(names, {"name": names}, {})
    report = scores.report("val")
    assert report["scores"] == {"verification/count": 3, "verification/value": 0.5}
    assert report["metrics"][1]["facts"] == {"n": "3", "reference": "val", "weights": "w"}
    assert table(report)[-1].split() == ["verification/value", "0.5000", "n", "3;", "weights", "w"]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_of_the_set_that_is_none_is_said(value, monkeypatch):
    monkeypatch.setattr(Counting, "value", value)
    scores = Scores([SetScorer("verification", Counting)])
    scores.update(["a"], {"name": ["a"]}, {})
    assert scores.report()["not_computed"] == {"verification": f"verification/value is {value}"}


def test_pairs_without_an_error_are_counted_beside_the_mean_of_the_others():
    scores, image = Scores(registry.paired(["psnr", "l1"])), pictures(4)
    restored = image.copy()
    restored[1, 0, 0, 0] ^= 1
    restored[3] = 255 - restored[3]
    scores.update(list("abcd"), {}, {"restored": restored, "image": image})
    report, expected = scores.report(), [psnr(restored[i], image[i]) for i in (1, 3)]
    assert report["scores"]["psnr/restored"] == pytest.approx(np.mean(expected)) and np.isfinite(expected).all()
    assert report["metrics"][0]["facts"]["identical"] == "2" and "identical" not in report["metrics"][1]["facts"]
    assert "; identical 2; " in table(report)[2]
    assert report["warnings"] == ["psnr/restored: 2 identical, left out of the mean"]
    assert scores.numbers() == report["scores"] | {"psnr/restored_identical": 2}


def test_a_set_of_identical_pairs_alone():
    scores, image = Scores(registry.paired(["psnr"])), pictures(2)
    scores.update(list("ab"), {}, {"restored": image, "image": image})
    assert scores.numbers() == {"psnr/restored": float("inf"), "psnr/restored_identical": 2}


def test_nan_of_a_picture_is_said():
    scores = Scores([of_pairs("x", lambda output, target: float("nan"), {})])
    scores.update(["a"], {}, {"restored": pictures(1), "image": pictures(1)})
    assert scores.report()["not_computed"] == {"x": "x/restored is nan"}


@pytest.mark.parametrize("key, word", [
    ("psnr/restored", "higher"), ("ssim_ec51/x", "higher"), ("identity_proxy/x", "higher"), ("hole_ssim/x", "higher"),
    ("lpips_vgg/x", "lower"), ("deg/x", "lower"), ("niqe/x", "lower"), ("fid_proxy/x", "lower"), ("hole_l1/x", "lower"),
])  # fmt: skip
def test_direction(key, word):
    assert better(key) == word


def test_shown():
    assert [shown(value) for value in (27.11, 0.0123, 0.00321, -0.004, 0.0, float("inf"))] == [
        "27.1100", "0.0123", "3.21e-03", "-4.00e-03", "0.0000", "inf"]  # fmt: skip


def test_memory_does_not_grow_with_the_number_of_pictures():
    """Nothing keeps a picture: 20 times as many take no more room than their rows of numbers."""

    def peak(batches):
        scores = Scores([of_pairs("level", level, {}), DistanceScorer(features, {})])
        batch = pictures(4, 128)
        tracemalloc.start()
        for number in range(batches):
            scores.update(
                [f"{number}_{i}" for i in range(4)], {}, {"restored": batch / np.float32(255), "image": batch}
            )
        largest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return largest

    assert peak(100) - peak(5) < 380 * 1000 < 380 * 128 * 128 * 3


def test_bad_pictures_are_an_error_not_a_gap():
    def broken(output, target):
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        Scores([of_pairs("x", broken, {})]).update(["a"], {}, {"restored": pictures(1), "image": pictures(1)})
    with pytest.raises(InputError):
        psnr(pictures(1)[0], pictures(1, 8)[0])


def test_a_validation_says_what_it_could_not_compute(caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("kintsugi"), "propagate", True)
    scores = Scores(registry.paired(["psnr", "ssim"]))
    scores.update(["a"], {}, {"restored": pictures(1, 8), "image": pictures(1, 8)})
    assert scores.numbers().keys() == {"psnr/restored"}
    assert "ssim: not computed, image of 8 x 8" in caplog.text
