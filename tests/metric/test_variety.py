"""Variety: 0 for styles that do nothing, the mean over pairs by hand, pictures apart from styles."""

from itertools import combinations

import numpy as np
import pytest

from metric.texture_distance import texture_features
from metric.variety import Variety


def contents(seed=0, count=5):
    return np.random.default_rng(seed).random((count, 3, 16, 12)).astype(np.float32)


def batch(variants, real=None):
    real = contents(7, 30) if real is None else real
    return {"caricature": real, "to_caricature": variants[:, 0], "variants_of_caricature": variants}


def score(variants, lpips=None):
    metric = Variety(lpips)
    metric.update(batch(variants))
    return metric.result()


def test_equal_translations_have_none_however_different_the_pictures():
    same = np.repeat(contents()[:, None], 3, 1)
    assert score(same) == {"caricature_l1": 0, "caricature_texture": 0}


def test_means_over_the_pairs_of_one_picture():
    random = np.random.default_rng(1)
    variants = random.random((5, 3, 3, 16, 12)).astype(np.float32)
    found = score(variants)
    pairs = list(combinations(range(3), 2))
    by_hand = np.mean([np.abs(one[i] - one[j]).mean() for one in variants for i, j in pairs])
    assert found["caricature_l1"] == pytest.approx(by_hand, rel=1e-5)
    features = np.stack([texture_features(one) for one in variants])
    deviation = texture_features(contents(7, 30)).std(0)
    by_hand = np.mean([np.abs(one[i] - one[j]) / deviation for one in features for i, j in pairs])
    assert found["caricature_texture"] == pytest.approx(by_hand, rel=1e-4)


def test_independent_pictures_differ_by_about_a_deviation():
    random = np.random.default_rng(2)
    drawn = (random.random((400, 3, 16, 12)) * random.random((400, 3, 1, 1))).astype(np.float32)
    metric = Variety()
    metric.update(batch(drawn.reshape(200, 2, 3, 16, 12), real=drawn))
    assert 0.8 < metric.result()["caricature_texture"] < 1.4


def test_a_stronger_style_is_more_variety():
    tint = np.linspace(-1, 1, 4).reshape(1, 4, 1, 1, 1).astype(np.float32)
    weak, strong = (score(contents()[:, None] + amount * tint) for amount in (0.02, 0.2))
    assert strong["caricature_l1"] == pytest.approx(10 * weak["caricature_l1"], rel=1e-4)
    assert strong["caricature_texture"] > 5 * weak["caricature_texture"]


def test_lpips_is_asked_for_pairs_of_one_picture():
    class Distance:
        """Of the mean level, in the form of metric.lpips.LPIPSDistance."""

        def embed(self, pictures):
            assert pictures.shape == (5, 16, 12, 3)
            return pictures.mean((1, 2, 3))

        def between(self, one, other):
            return np.abs(one - other)

    tint = np.array([0, 0.1, 0.3], np.float32).reshape(1, 3, 1, 1, 1)
    found = score(contents()[:, None] + tint, Distance())
    assert found["caricature_lpips"] == pytest.approx((0.1 + 0.3 + 0.2) / 3, rel=1e-4)


def test_batches_add_up():
    variants = np.random.default_rng(3).random((6, 3, 3, 16, 12)).astype(np.float32)
    parts, whole, real = Variety(), Variety(), contents(7, 6)
    whole.update(batch(variants, real))
    for part in (slice(0, 2), slice(2, 6)):
        parts.update(batch(variants[part], real[part]))
    assert parts.result() == pytest.approx(whole.result(), rel=1e-5)
