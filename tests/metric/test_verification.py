"""Closed forms of the verification figures, their ties and directions, and how pairs and folds are made."""

import numpy as np
import pytest

from engine.errors import InputError
from metric.verification import (
    Verification,
    acceptance_rate,
    accuracy,
    area_under_curve,
    best_threshold,
    cosines,
    fold_figures,
    pair_scores,
    seed_acceptance_rate,
    summary,
    too_few_pairs,
)


def test_cosines():
    first, second = np.array([[3.0, 4.0], [1, 0], [1, 0], [0, 0]]), np.array([[6.0, 8.0], [0, 2], [-2, 0], [1, 1]])
    np.testing.assert_allclose(cosines(first, second), [1, 0, -1, 0], atol=1e-5)


def test_area_is_the_share_of_rightly_ordered_pairs_and_ties_count_half():
    random = np.random.default_rng(0)
    positive, negative = random.integers(0, 6, 40) / 5, random.integers(0, 5, 70) / 5
    compared = np.sign(positive[:, None] - negative[None])
    assert area_under_curve(positive, negative) == pytest.approx((compared + 1).mean() / 2)
    assert area_under_curve(np.ones(3), np.zeros(4)) == 1
    assert area_under_curve(np.zeros(3), np.ones(4)) == 0
    assert area_under_curve(np.ones(3), np.ones(4)) == 0.5


def test_at_most_n_times_the_rate_of_the_negatives_pass():
    negative = np.arange(1000) / 1000
    # 10 pass: those above the eleventh highest, 0.989; 1 passes: that above the second highest, 0.998
    positive = np.array([0.9885, 0.989, 0.9895, 0.998, 0.9985, 1.5])
    assert acceptance_rate(positive, negative, 1e-2) == pytest.approx(4 / 6)
    assert acceptance_rate(positive, negative, 1e-3) == pytest.approx(2 / 6)
    assert acceptance_rate(positive, negative[::-1], 1e-2) == pytest.approx(4 / 6)
    for count in (7, 29, 100, 810, 2900, 10_000):
        scores = np.random.default_rng(count).permutation(count) / count
        for rate in (1e-3, 1e-2, 0.29):
            passed = acceptance_rate(scores, scores, rate) * count  # the negatives themselves
            assert round(passed) == int(count * rate + 1e-9) <= count * rate + 1e-9
    tied = np.ones(1000)
    assert acceptance_rate(np.ones(4), tied, 1e-2) == 0  # with a tie at the threshold all would pass, so none does


def test_the_seeds_rule_lets_more_pass():
    negative = np.arange(1000) / 1000
    positive = np.array([0.9885, 0.989, 0.9895, 0.998, 1.5])
    assert seed_acceptance_rate(positive, negative, 1e-2) == pytest.approx(4 / 5)
    assert seed_acceptance_rate(positive, negative, 1e-3) == pytest.approx(2 / 5)
    for count, passed in ((1000, 2), (810, 2), (2900, 4)):  # of 1, 0.81 and 2.9
        scores = np.arange(count) / count
        assert seed_acceptance_rate(scores, scores, 1e-3) * count == pytest.approx(passed)
    folds = [(positive, negative), (positive, negative)]
    assert fold_figures(folds, seed_acceptance_rate)["tar_far_1"] == [0.8, 0.8] != fold_figures(folds)["tar_far_1"]


@pytest.mark.parametrize("figure", [lambda p, n: acceptance_rate(p, n, 1e-2), area_under_curve])
def test_what_is_no_set_of_pairs_is_one_line(figure):
    some = np.array([0.1, 0.2])
    for positive, negative, said in (
        (some, some[:0], "no pair of two people"),
        (some[:0], some, "no pair of one person"),
        (some, np.array([0.1, np.nan]), "NaN among the scores of pairs of two people"),
    ):
        with pytest.raises(InputError, match=said) as caught:
            figure(positive, negative)
        assert "\n" not in str(caught.value)


def test_best_threshold_is_the_largest_of_the_best():
    assert best_threshold(np.array([0.5, 0.8]), np.array([0.1, 0.2])) == pytest.approx(0.5)
    assert best_threshold(np.array([0.1]), np.array([0.6, 0.7, 0.8])) == pytest.approx(1.0)
    assert accuracy(np.array([0.5, 0.8]), np.array([0.1, 0.6]), 0.5) == pytest.approx(0.75)


def test_accuracy_uses_the_threshold_of_the_other_folds():
    folds = [(np.array([0.9, 0.8]), np.array([0.1, 0.45])), (np.array([0.5, 0.4]), np.array([-0.5, -0.4]))]
    figures = fold_figures(folds)
    assert figures["threshold"] == [pytest.approx(0.4), pytest.approx(0.8)]
    assert figures["accuracy"] == [pytest.approx(0.75), pytest.approx(0.5)]  # the thresholds are 0.4 and 0.8
    assert figures["auc"] == [1, 1]
    assert "accuracy" not in fold_figures(folds[:1])


def test_spread_is_that_of_the_population():
    found = summary({"auc": [0.8, 0.9, 1.0]})
    assert found == {"auc": pytest.approx(0.9), "auc_std": pytest.approx(np.sqrt(0.02 / 3))}


def test_pairs_of_all_kinds_are_counted_once():
    identities, modes = np.array([0, 0, 0, 1, 1]), np.array([False, True, True, False, True])
    vectors = np.eye(5)
    vectors[1] = vectors[0]
    positive, negative = pair_scores(vectors, identities, modes)
    assert len(positive) == 3 and len(negative) == 3  # photos 0 and 3 with caricatures 1, 2 and 4
    assert sorted(positive) == pytest.approx([0, 0, 1], abs=1e-4) and negative == pytest.approx(np.zeros(3))
    positive, negative = pair_scores(vectors, identities, modes, cross_modal=False)
    assert len(positive) == 4 and len(negative) == 6


def test_few_pairs_are_named():
    enough, few = (np.ones(5), np.zeros(10_000)), (np.ones(5), np.zeros(500))
    assert too_few_pairs([enough]) == []
    found = too_few_pairs([enough, few])
    assert len(found) == 2 and found[0].startswith("tar_far_0.1: 0.5 wrongly accepted pairs") and "500" in found[0]


def faces(noise, people=40, seed=0):
    """Embeddings of two photos and two caricatures of each person around one direction a person."""
    random = np.random.default_rng(seed)
    identities, modes = np.repeat(np.arange(people), 4), np.tile([False, False, True, True], people)
    centres = random.standard_normal([people, 16])
    return {
        "embedding": centres[identities] + noise * random.standard_normal([len(identities), 16]),
        "identity": identities,
        "is_caricature": modes,
    }


def measured(pictures, parts=3):
    metric = Verification()
    for part in np.array_split(np.arange(len(pictures["identity"])), parts):
        metric.update({name: values[part] for name, values in pictures.items()})
    return metric.result()


def test_the_set_metric_tells_good_embeddings_from_chance():
    assert measured(faces(0.1))["auc"] > 0.999 and measured(faces(0.1))["tar_far_1"] > 0.99
    chance = measured(faces(30.0))
    assert 0.4 < chance["auc"] < 0.6 and chance["auc_std"] > 0
    assert measured(faces(0.8), 1) == measured(faces(0.8), 7)  # however it is batched


def test_ten_folds_of_identities():
    pictures = faces(0.8)
    folds = []
    for fold in range(10):
        chosen = np.isin(pictures["identity"], np.arange(4 * fold, 4 * fold + 4))
        scores = pair_scores(*(pictures[name][chosen] for name in ("embedding", "identity", "is_caricature")))
        assert [len(part) for part in scores] == [16, 48]
        folds.append(scores)
    assert measured(pictures) == pytest.approx(summary(fold_figures(folds)))


def test_one_kind_alone_cannot_be_measured():
    pictures = faces(0.1)
    pictures["is_caricature"] = np.zeros_like(pictures["is_caricature"])
    metric = Verification()
    metric.update(pictures)
    with pytest.raises(InputError, match="verification: no pair of one person"):
        metric.result()
