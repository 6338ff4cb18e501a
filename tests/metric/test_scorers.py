"""Scorers: which picture is compared with which, in what range, and what sets are made of."""

import numpy as np
import pytest

from engine.errors import InputError
from engine.images import to_chw
from metric.evaluation.scorers import (
    DistanceScorer,
    legacy_fid,
    legacy_psnr,
    of_features,
    of_pairs,
)
from metric.fid import FeatureStatistics
from metric.kid import kernel_distance
from metric.scorer import KindScorer, scored_kinds

RNG = np.random.default_rng(0)


def levels(*values):
    """Pictures of 12 x 12, each of one level."""
    return np.stack([np.full((12, 12, 3), value, np.uint8) for value in values])


BATCH = {"degraded": levels(10, 20), "restored": levels(90, 60), "image": levels(100, 50)}


def signed(output, target):
    return float(output.astype(int).mean() - target.astype(int).mean())


def test_pairs_compare_each_kind_with_its_own_reference():
    assert scored_kinds(BATCH | {"mask": 0}) == ["degraded", "restored"]
    found = of_pairs("d", signed, {"colour": "RGB"}).update({}, BATCH)
    assert found == {"d/degraded": [-90, -30], "d/restored": [-10, 10]}


def test_features_of_the_reference_are_computed_once():
    calls = []

    def embed(pictures):
        calls.append(pictures.mean())
        return pictures.astype(float).mean(axis=(1, 2, 3))

    found = of_features("d", embed, lambda output, target: output - target, {}).update({}, BATCH)
    assert {key: list(values) for key, values in found.items()} == {"d/degraded": [-90, -30], "d/restored": [-10, 10]}
    assert len(calls) == 3


def features(pictures):
    """Mean and deviation of red, and a number that does not depend on the picture's order."""
    red = pictures[..., 0].astype(float)
    return np.stack([red.mean(axis=(1, 2)), red.std(axis=(1, 2)), red[:, 0, 0]], axis=1)


def test_sets_are_compared_as_wholes():
    """Batches together, extra pictures of either side included, against the distances of the joint features."""
    from metric.fid import frechet_distance

    scorer, batches = DistanceScorer(features, {"resize": "legacy"}, suffix="_proxy"), []
    for _ in range(3):
        batch = {kind: RNG.integers(0, 256, (2, 12, 12, 3), np.uint8) for kind in ("restored", "image")}
        batches.append(batch)
        assert scorer.update({}, batch) == {}
    alone = {"image": RNG.integers(0, 256, (3, 12, 12, 3), np.uint8)}
    scorer.update({}, alone)
    restored = features(np.concatenate([batch["restored"] for batch in batches]))
    image = features(np.concatenate([*(batch["image"] for batch in batches), alone["image"]]))
    found = scorer.result()
    expected = frechet_distance(restored.mean(0), np.cov(restored.T), image.mean(0), np.cov(image.T))
    assert found["fid_proxy/restored"] == pytest.approx(expected)
    assert found["kid_proxy/restored"] == pytest.approx(kernel_distance(restored, image), rel=1e-4)
    assert found.keys() == {"fid_proxy/restored", "kid_proxy/restored"}
    assert (scorer.count("restored"), scorer.count("image"), scorer.count("other")) == (6, 9, 0)
    assert scorer.facts()["fid_proxy"] == {"resize": "legacy", "reference_n": 9}


def test_equal_sets_are_at_distance_zero_in_any_order():
    scorer, pictures = DistanceScorer(features, {}), RNG.integers(0, 256, (8, 12, 12, 3), np.uint8)
    scorer.update({}, {"restored": pictures, "image": pictures[::-1]})
    assert scorer.result()["fid/restored"] == pytest.approx(0, abs=1e-8)


def test_saved_statistics_take_the_place_of_the_reference():
    statistics = FeatureStatistics()
    statistics.update(RNG.normal(size=(9, 3)))
    saved = (*statistics.result(), {"reference": "FFHQ", "reference_n": "9"})
    scorer = DistanceScorer(features, {}, saved)
    pictures = RNG.integers(0, 256, (5, 12, 12, 3), np.uint8)
    scorer.update({}, {"restored": pictures})
    assert scorer.result().keys() == {"fid/restored"}  # no pictures to take KID of
    alone = scorer.result()["fid/restored"]
    scorer.update({}, {"image": pictures})
    assert scorer.result()["fid/restored"] == alone and scorer.result()["kid/restored"] != 0
    assert scorer.facts()["fid"]["reference"] == "FFHQ" and "reference" not in scorer.facts()["kid"]


def test_a_set_of_one_or_none():
    scorer = DistanceScorer(features, {})
    with pytest.raises(InputError, match="no picture of 'image'"):
        scorer.result()
    scorer.update({}, {"restored": levels(1), "image": levels(2)})
    with pytest.raises(InputError, match="found 1"):
        scorer.result()


def test_a_set_begins_anew():
    scorer = DistanceScorer(features, {})
    scorer.update({}, {"restored": levels(1, 9), "image": levels(2, 8)})
    scorer.start({})
    assert (scorer.count("restored"), scorer.count("image")) == (0, 0)


def test_a_number_of_one_picture_looks_at_no_reference():
    scorer = KindScorer("d", lambda _, pictures: lambda kind: pictures[kind].astype(float).mean(axis=(1, 2, 3)))
    found = scorer.update({}, BATCH)
    assert {key: list(values) for key, values in found.items()} == {"d/degraded": [10, 20], "d/restored": [90, 60]}


def test_holes():
    mask = np.zeros((2, 12, 12, 1), np.float32)
    mask[0, :6], mask[1, :3] = 1, 1

    def inside(output, target, mask):
        return float((output.astype(int) - target)[mask[..., 0] == 1].mean() * mask.mean())

    scorer = of_pairs("d", inside, {}, in_hole=True)
    assert scorer.update({}, BATCH | {"mask": mask}) == {"d/degraded": [-45, -7.5], "d/restored": [-5, 2.5]}
    assert scorer.update({}, BATCH) == {}


def test_legacy_numbers_take_unrounded_pictures():
    unit = {kind: to_chw(each / np.float32(255)) for kind, each in BATCH.items()}
    bright = unit | {"restored": unit["image"] + 0.55, "image": unit["image"] + 0.5}  # not those that were rounded
    found = legacy_psnr().update(bright, BATCH)
    assert found["psnr_legacy_seed/restored"] == pytest.approx([20, 20], abs=1e-3)
    scorer = legacy_fid(features, {"resize": "legacy"}, "_proxy")
    assert scorer.update(bright, BATCH).keys() == {f"fid_legacy_seed_proxy/{kind}" for kind in ("degraded", "restored")}
    shifted = scorer.update(bright, BATCH)["fid_legacy_seed_proxy/restored"]
    assert shifted == pytest.approx([2 * 0.05**2 + (0.05 / 3**0.5) ** 2] * 2, rel=1e-4)  # mean and first pixel move


def test_sets_of_each_hole_ratio_are_those_pictures():
    """The numbers of a bucket are the numbers of a run over its pictures alone."""
    images = RNG.integers(0, 256, (12, 12, 12, 3), np.uint8)
    filled = RNG.integers(0, 256, (12, 12, 12, 3), np.uint8)
    masks = np.zeros((12, 12, 12, 1), np.float32)
    masks[:6, :2], masks[6:, :5] = 1, 1  # 0.17 and 0.42
    order = RNG.permutation(12)
    together, alone = DistanceScorer(features, {}), DistanceScorer(features, {})
    for part in (order[:5], order[5:]):
        together.update({}, {"composite": filled[part], "image": images[part], "mask": masks[part]})
    alone.update({}, {"composite": filled[:6], "image": images[:6]})
    found = together.result()
    buckets = ("", "/0.1-0.2", "/0.4-0.5")
    assert set(found) == {f"{name}/composite{bucket}" for name in ("fid", "kid") for bucket in buckets}
    for name, value in alone.result().items():
        assert found[f"{name}/0.1-0.2"] == pytest.approx(value, rel=1e-6)
        assert found[name] != pytest.approx(value, rel=1e-3)
