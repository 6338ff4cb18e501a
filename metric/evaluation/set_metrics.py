"""The set metrics a system is measured by, built from the weights that are there; train.py and test.py hand them on.

A metric whose weights are missing is named with the reason. What a validation costs is chosen by `train.measures`.
"""

import functools
from argparse import Namespace
from dataclasses import dataclass, field
from pathlib import Path

from engine.errors import ConfigError
from metric.evaluation import suite as metric_suite
from metric.evaluation.sets import SETS
from metric.identity_similarity import IdentitySimilarity
from metric.inception_distance import InceptionDistance
from metric.variety import Variety
from system.satnet import VARIANTS
from system.satnet_identity import identity_embedder


@dataclass
class SetMetrics:
    """What `chosen` found.

    Attributes:
        factories: name -> what makes the metric; for `evaluate`. With random weights a name ends in `_proxy`.
        missing: name -> why it is not computed.
        facts: name -> what its numbers depend on.
    """

    factories: dict = field(default_factory=dict)
    missing: dict = field(default_factory=dict)
    facts: dict = field(default_factory=dict)


def of_validation(config, system):
    """SetMetrics of a training's validations: the cheap ones and those `train.measures` names.

    Raises:
        ConfigError: a name the system is not measured by, or `train.best.score` is of one that cannot be computed.
    """
    asked = config.train.measures
    if unknown := [name for name in asked if name not in system.measured]:
        raise ConfigError(
            f"train.measures: '{unknown[0]}' is not known; {config.system} is measured by "
            f"{', '.join(system.measured) or 'nothing'}"
        )
    found = chosen(config, system, asked)
    best = config.train.best.score.partition("/")[0] if config.train.best else None
    if best in found.missing:
        raise ConfigError(f"train.best.score: {best} is not computed, {found.missing[best]}")
    if best in system.costly and best not in asked:
        raise ConfigError(f"train.best.score: {best} is not computed; add it to train.measures")
    return found


def chosen(config, system, asked, args=None):
    """SetMetrics of a system: the cheap ones, and those costly ones that are `asked` for.

    Args:
        config: RunConfig.
        system: the System or its class.
        asked: names.
        args: values of metric_suite.FLAGS; None: their defaults.
    """
    args = args or Namespace(**{name: flag.default for name, flag in metric_suite.FLAGS.items()})
    found = SetMetrics()
    for name in system.measured:
        if name in asked or name not in system.costly:
            build = BUILDERS.get(name)
            if build:
                build(config, args, found)
            else:
                found.factories[name] = SETS[name]
    return found


def _variety(config, args, found):
    """LPIPS beside the other distances where its weights are there."""
    distance, facts = metric_suite.lpips_distance(args, "lpips_alex")
    found.factories["variety"] = functools.partial(Variety, distance)
    found.facts["variety"] = {"styles": VARIANTS}
    if distance is None:
        found.missing["variety/lpips"] = facts
    else:
        found.facts["variety"] |= {f"lpips_{fact}": value for fact, value in facts.items()}


def _identity_similarity(config, args, found):
    """By the network of `recipe.identity`, whatever its mode."""
    settings = config.recipe.identity
    if not Path(settings.network).is_file():
        found.missing["identity_similarity"] = f"recipe.identity.network: {settings.network} is missing"
        return
    embed = identity_embedder(settings)
    found.factories["identity_similarity"] = functools.partial(IdentitySimilarity, embed)
    judged = {} if settings.mode == "none" else {"trained_against": settings.mode}
    weights = f"{settings.network} (sha256 {metric_suite.file_hash(settings.network)})"
    found.facts["identity_similarity"] = {"weights": weights} | judged


def _fid(config, args, found):
    """By the Inception network of the FID of 2017."""
    features, facts, suffix = metric_suite.inception_features(args)
    if features is None:
        found.missing["fid"] = facts
        return
    found.factories[f"fid{suffix}"] = functools.partial(InceptionDistance, features)
    found.facts[f"fid{suffix}"] = facts


BUILDERS = {"variety": _variety, "identity_similarity": _identity_similarity, "fid": _fid}
