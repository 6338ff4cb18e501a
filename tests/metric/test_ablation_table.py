"""Means, spreads and paired differences against numpy and scipy, and the tables they make."""

import numpy as np
import pytest
from scipy import stats

from metric.evaluation.ablation_experiment import Experiment
from metric.evaluation.ablation_table import compare, difference, markdown, spread

FIRST, SECOND = {0: 20.0, 1: 21.5, 2: 20.5}, {0: 20.4, 1: 22.0, 2: 20.8}


@pytest.fixture
def experiment():
    return Experiment(
        config="x.yaml",
        seeds=[0, 1, 2],
        variants={"plain": {}, "more": {}},
        scores={"psnr/composite": {"better": "higher", "title": "PSNR (dB)", "digits": 2}, "nme": {"better": "lower"}},
        baselines={"mean pixel": {"psnr/composite": "psnr/masked"}},
    )


def rows(values, nme=0.0):
    return {seed: {"psnr/composite": value, "psnr/masked": 19.0, "nme": nme} for seed, value in values.items()}


def test_spread_is_the_sample_s():
    found = spread(FIRST.values())
    assert found["mean"] == pytest.approx(np.mean(list(FIRST.values())))
    assert found["sd"] == pytest.approx(np.sqrt(np.sum((np.array(list(FIRST.values())) - found["mean"]) ** 2) / 2))
    assert spread([3.0]) == {"n": 1, "mean": 3.0, "sd": None}


def test_differences_are_paired_by_seed():
    """The pairs' own spread, not that of the columns; another order of the seeds is the same."""
    found = difference(dict(reversed(SECOND.items())), FIRST, "higher")
    assert (found["mean"], found["sd"]) == (pytest.approx(0.4), pytest.approx(0.1))
    low, high = stats.t.interval(0.95, 2, 0.4, stats.sem([0.4, 0.5, 0.3]))
    assert found["half_width"] == pytest.approx((high - low) / 2)
    assert difference({0: 1.0, 7: 5.0}, {0: 0.5, 8: 1.0}, "higher") == {
        "n": 1,
        "mean": 0.5,
        "sd": None,
        "half_width": None,
        "verdict": "unclear",
    }
    assert difference({1: 1.0}, {0: 0.5}, "higher") is None


@pytest.mark.parametrize(
    ("values", "better", "verdict"),
    [
        (SECOND, "higher", "better"),
        (SECOND, "lower", "worse"),
        ({0: 21.0, 1: 21.4, 2: 20.6}, "higher", "unclear"),
        ({0: 19.6, 1: 21.0, 2: 20.2}, "higher", "worse"),
        ({0: 19.6, 1: 21.0, 2: 20.2}, "lower", "better"),
    ],
)
def test_verdict_needs_the_interval_and_the_right_side(values, better, verdict):
    assert difference(values, FIRST, better)["verdict"] == verdict


def test_tables(experiment):
    text = markdown(experiment, compare(experiment, {"plain": rows(FIRST), "more": rows(SECOND)}))
    assert "| variant | seeds | PSNR (dB) (higher is better) | nme (lower is better) |" in text
    assert "| mean pixel | - | 19.00 | - |" in text
    assert "| plain | 3 | 20.67 +- 0.76 | 0.0000 +- 0.0000 |" in text
    assert "| more | 3 | +0.40 +- 0.10, better | +0.0000 +- 0.0000, unclear |" in text


def test_what_is_not_run_says_so(experiment):
    text = markdown(experiment, compare(experiment, {"plain": rows({1: 20.0})}))
    assert "| plain | 1 | 20.00 | 0.0000 |" in text
    assert text.count("| more | 0 | not run | not run |") == 2
    assert "| mean pixel | - | not run | - |" in markdown(experiment, compare(experiment, {}))
