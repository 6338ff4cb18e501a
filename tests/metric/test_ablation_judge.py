"""A judge sees each kind of picture whole, and measures against the truth or against its own points of it."""

import numpy as np
import paddle
import pytest

from metric.evaluation.ablation_judge import Judged
from metric.landmarks import LandmarkError, normalised_mean_error
from metric.scorer import SetScorer

RNG = np.random.default_rng(0)
TRUE = RNG.uniform(4, 28, (2, 68, 2)).astype(np.float32)
OFFSET = 3.0  # of the judge, everywhere


class Shifting:
    """Finds the true points moved by OFFSET and by 10 times the mean brightness of what it sees."""

    networks: dict = {}

    def measures(self):
        return {"landmarks": lambda weights: SetScorer("landmarks", LandmarkError)}

    def generate(self, batch, networks):
        assert float(batch["mask"].sum()) == 0
        bright = batch["image"].mean(axis=[1, 2, 3]).reshape([-1, 1, 1])
        return {"predicted_landmarks": paddle.to_tensor(TRUE) + OFFSET + 10 * bright}


def judged(paired):
    judge = Judged("j", Shifting(), ["composite", "image"], paired)
    judge.start({})
    judge.update(
        {
            "image": paddle.zeros([2, 3, 8, 8]),
            "composite": paddle.full([2, 3, 8, 8], 0.2),
            "mask": paddle.ones([2, 1, 8, 8]),
            "landmarks": paddle.to_tensor(TRUE),
        },
        {},
    )
    return judge.result()


def error(shift):
    return np.mean([normalised_mean_error(true + shift, true) for true in TRUE])


def test_scores_against_the_truth():
    found = judged({})
    assert found["j/nme/image"] == pytest.approx(error(OFFSET), rel=1e-4)
    assert found["j/nme/composite"] == pytest.approx(error(OFFSET + 2), rel=1e-4)
    assert not [key for key in found if "paired" in key]


def test_its_own_error_is_no_part_of_the_paired_score():
    found = judged({"landmarks": "predicted_landmarks"})
    assert found["j/nme_paired/image"] == 0
    assert found["j/nme_paired/composite"] == pytest.approx(error(2), rel=1e-4)
    assert found["j/nme/composite"] == pytest.approx(error(OFFSET + 2), rel=1e-4)
