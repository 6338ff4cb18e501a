"""Scores of what flags ask for, and what a test looks up in them."""

import argparse

import numpy as np

from engine.weights.files import write_weights
from metric.evaluation import registry
from metric.evaluation.flags import FLAGS
from metric.evaluation.scores import Scores

RNG = np.random.default_rng(0)


def args(folder, **given):
    values = {name: flag.default for name, flag in FLAGS.items()} | {"metric_weights": str(folder)} | given
    return argparse.Namespace(**values)


def keep(layer, path):
    write_weights(path, {key: value.numpy() for key, value in layer.state_dict().items()})


def scoring(given):
    """Scores of what flags ask for."""
    scorers, missing = registry.of_flags(given)
    scores = Scores(scorers)
    scores.skipped |= missing
    return scores


def facts(found, key):
    return next(metric["facts"] for metric in found.report()["metrics"] if metric["name"] == key)


def names(found):
    return [name for scorer in found.scorers for name in scorer.names if not name.startswith("hole_")]


def batch(count=4, size=32):
    return {kind: RNG.integers(0, 256, (count, size, size, 3), np.uint8) for kind in ("restored", "image")}
