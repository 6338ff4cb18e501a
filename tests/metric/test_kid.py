"""KID: the estimator against its definition, its mean, and the sample that bounds memory."""

import itertools

import numpy as np
import pytest

from engine.errors import InputError
from metric import kid
from metric.kid import Sample, kernel_distance

RNG = np.random.default_rng(0)


def by_definition(first, second):
    """Double loops over the definition."""

    def kernel(x, y):
        return (x @ y / len(x) + 1) ** 3

    within = [np.mean([kernel(x, y) for x, y in itertools.permutations(each, 2)]) for each in (first, second)]
    return sum(within) - 2 * np.mean([kernel(x, y) for x in first for y in second])


@pytest.mark.parametrize("rows", [3, 1024])
def test_the_definition(monkeypatch, rows):
    monkeypatch.setattr(kid, "ROWS", rows)
    first, second = RNG.normal(size=(8, 5)), RNG.normal(0.5, 2, size=(11, 5))
    assert kernel_distance(first, second) == pytest.approx(by_definition(first, second), rel=1e-12)
    assert kernel_distance(second, first) == pytest.approx(by_definition(first, second), rel=1e-12)


def test_no_bias_in_small_sets():
    """One distribution: mean zero (a biased estimate would be near +1 here), both signs; another mean: above."""
    found = [kernel_distance(*RNG.normal(size=(2, 6, 4))) for _ in range(3000)]
    assert abs(np.mean(found)) < 4 * np.std(found) / np.sqrt(len(found)) < 0.2
    assert min(found) < 0 < max(found)
    assert kernel_distance(RNG.normal(size=(200, 4)), RNG.normal(1, 1, size=(200, 4))) > 1


def test_two_pictures_are_needed():
    with pytest.raises(InputError, match="found 1 and 2"):
        kernel_distance(np.zeros((1, 3)), np.zeros((2, 3)))


def test_everything_is_kept_while_it_fits():
    features = RNG.normal(size=(7, 3)).astype(np.float32)
    sample = Sample(capacity=7)
    sample.update(features[:4])
    sample.update(features[4:])
    np.testing.assert_array_equal(sample.result(), features)


def test_a_longer_stream_leaves_a_uniform_sample():
    counts = np.zeros(20)
    for seed in range(600):
        sample = Sample(capacity=5, seed=seed)
        sample.update(np.arange(20.0)[:, None])
        kept = sample.result()[:, 0].astype(int)
        assert len(set(kept)) == 5
        counts[kept] += 1
    assert np.abs(counts - 150).max() < 5 * np.sqrt(150 * 0.75)
