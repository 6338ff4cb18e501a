"""Scoring: means over pictures, signatures, warnings, what is left out and why, memory."""

import tracemalloc

import numpy as np
import pytest

from engine.errors import InputError
from metric.evaluation.scorers import HoleScorer, LegacySeedScorer, PairScorer, SetScorer
from metric.evaluation.scoring import Fingerprint, Scoring, better, shown, table
from metric.psnr_ssim import psnr, ssim

RNG = np.random.default_rng(0)


def pictures(count, size=16):
    return RNG.integers(0, 256, (count, size, size, 3), np.uint8)


def level(output, target):
    return float(output[0, 0, 0])


def features(batch):
    return batch.reshape(len(batch), -1)[:, :4].astype(float)


def test_means_are_over_pictures_not_batches():
    scoring = Scoring([PairScorer("level", level, {"colour": "RGB"})], reference="val")
    scoring.update(["a", "b", "c"], {"restored": np.full((3, 4, 4, 3), 10, np.uint8), "image": pictures(3, 4)})
    scoring.update(["d"], {"restored": np.full((1, 4, 4, 3), 50, np.uint8), "image": pictures(1, 4)})
    assert scoring.scores() == {"level/restored": 20}
    assert scoring.rows == [
        {"name": name, "level/restored": value} for name, value in zip("abcd", (10, 10, 10, 50), strict=True)
    ]


def test_floats_are_rounded_to_8_bits_but_for_those_that_want_them():
    seen = {}

    class Legacy(LegacySeedScorer):
        def update(self, batch):
            seen["legacy"] = batch["restored"].dtype
            return {}

    def note(output, target):
        seen["pair"] = output.dtype
        return float(output[0, 0, 0])

    scoring = Scoring([PairScorer("note", note, {}), Legacy()])
    scoring.update(["a"], {"restored": np.full((1, 4, 4, 3), 100.4 / 255, np.float32), "image": pictures(1, 4)})
    assert seen == {"legacy": np.float32, "pair": np.uint8} and scoring.rows[0]["note/restored"] == 100


def test_signature_names_what_the_number_depends_on():
    def scored(reference, **facts):
        scoring = Scoring([PairScorer("psnr", psnr, {"range": 255} | facts)], reference="val")
        scoring.update(["a"], {"restored": 0 * reference, "image": reference})
        return scoring.signature("psnr/restored")

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
    scoring = Scoring([PairScorer("psnr", psnr, {}), PairScorer("ssim", ssim, {})], {"fid": "no weights"})
    scoring.update(["a"], {"restored": pictures(1), "image": pictures(1)})
    assert "ssim/restored" in scoring.rows[0]
    scoring.update(["b"], {"restored": pictures(1, 8), "image": pictures(1, 8)})
    report = scoring.report()
    assert report["scores"].keys() == {"psnr/restored"}
    assert report["not_computed"].keys() == {"fid", "ssim"} and "less than 11" in report["not_computed"]["ssim"]
    assert all(row.keys() == {"name", "psnr/restored"} for row in report["rows"])
    lines = table(report)
    assert any(line.startswith("fid ") and line.endswith("not computed: no weights") for line in lines)


def test_small_sets_are_warned_of_and_kid_stands_beside_fid():
    scoring = Scoring([SetScorer(features, {})])
    scoring.update(list("abc"), {"restored": pictures(3), "image": pictures(3)})
    report = scoring.report()
    assert list(report["scores"]) == ["fid/restored", "kid/restored"]
    (warning,) = report["warnings"]
    assert warning.startswith("fid: 3 pictures of 'restored', 3 pictures of 'image', fewer than 2048: biased")


def test_unpaired_pictures_count_in_sets_only():
    scoring = Scoring([PairScorer("psnr", psnr, {}), SetScorer(features, {})], reference="val")
    scoring.update(["a", "b"], {"restored": pictures(2), "image": pictures(2)})
    scoring.update_set({"image": pictures(3)})
    scoring.update_set({"restored": pictures(1)})
    facts = {metric["name"]: metric["facts"] for metric in scoring.report()["metrics"]}
    assert facts["psnr/restored"]["n"] == "2"
    assert (facts["fid/restored"]["n"], facts["fid/restored"]["reference_n"]) == ("3", "5")
    assert facts["fid/restored"]["reference"] != facts["psnr/restored"]["reference"]


def test_too_few_for_a_set_is_a_line_not_an_end():
    scoring = Scoring([PairScorer("psnr", psnr, {}), SetScorer(features, {})])
    scoring.update(["a"], {"restored": pictures(1), "image": pictures(1)})
    report = scoring.report()
    assert report["scores"].keys() == {"psnr/restored"} and "found 1" in report["not_computed"]["kid"]


def test_buckets_of_hole_ratio():
    scoring = Scoring([PairScorer("psnr", psnr, {}), HoleScorer()])
    masks = np.zeros((3, 16, 16, 1), np.float32)
    masks[0, :2], masks[1, :4], masks[2, :3] = 1, 1, 1  # 0.125, 0.25, 0.1875
    scoring.update(list("abc"), {"restored": pictures(3), "image": pictures(3), "mask": masks})
    report = scoring.report()
    values = [row["psnr/restored"] for row in scoring.rows]
    assert report["scores"]["psnr/restored/0.1-0.2"] == pytest.approx((values[0] + values[2]) / 2)
    assert report["scores"]["psnr/restored/0.2-0.3"] == pytest.approx(values[1])
    facts = {metric["name"]: metric["facts"] for metric in report["metrics"]}
    assert facts["psnr/restored/0.1-0.2"]["n"] == "2"
    assert facts["psnr/restored/0.2-0.3"]["hole_ratio"] == "0.2-0.3"


def test_numbers_from_elsewhere_join_the_table():
    report = Scoring([]).report({"verification/accuracy": 0.5})
    assert report["metrics"][0]["value"] == 0.5 and report["metrics"][0]["better"] == ""
    assert table(report)[-1].split() == ["verification/accuracy", "0.5000"]


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
        scoring = Scoring([PairScorer("level", level, {}), SetScorer(features, {})])
        batch = pictures(4, 128)
        tracemalloc.start()
        for number in range(batches):
            scoring.update([f"{number}_{i}" for i in range(4)], {"restored": batch / np.float32(255), "image": batch})
        largest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return largest

    assert peak(100) - peak(5) < 380 * 1000 < 380 * 128 * 128 * 3


def test_bad_pictures_are_an_error_not_a_gap():
    def broken(output, target):
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        Scoring([PairScorer("x", broken, {})]).update(["a"], {"restored": pictures(1), "image": pictures(1)})
    with pytest.raises(InputError):
        psnr(pictures(1)[0], pictures(1, 8)[0])
