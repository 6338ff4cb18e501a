"""Measures of SATNet: distances of the made sets to the real ones, variety of the styles, identity of people.

Source: the metrics name theirs; the seed computes FID alone.
"""

import functools

from metric.checkerboard import Checkerboard
from metric.identity_similarity import IdentitySimilarity
from metric.inception_distance import InceptionDistance
from metric.scorer import Missing, SetScorer
from metric.texture_distance import TextureDistance
from metric.variety import Variety
from system.satnet_identity import identity_embedder

VARIANTS = 4  # translations of a picture whose variety is measured


def builders(system):
    """{name: function of MetricWeights that gives the scorer}, see `System.measures`. Source: ours."""
    return {
        "texture_distance": lambda weights: SetScorer("texture_distance", TextureDistance),
        "checkerboard": lambda weights: SetScorer("checkerboard", Checkerboard),
        "variety": functools.partial(_variety, system),
        "identity_similarity": functools.partial(_identity_similarity, system.config.identity),
        "fid": _fid,
    }


def _variety(system, weights):
    """LPIPS beside the other distances where its weights are there."""
    distance, facts, missing = None, {"styles": VARIANTS}, {}
    try:
        distance, own, _ = weights.lpips("lpips_alex", takes_proxy=False)
        facts |= {f"lpips_{fact}": value for fact, value in own.items()}
    except Missing as gap:
        missing["variety/lpips"] = str(gap)
    return SetScorer("variety", functools.partial(Variety, distance), facts, missing, system.variants)


def _identity_similarity(settings, weights):
    """By the network of `recipe.identity`, whatever its mode."""
    if not settings.network.is_file():
        raise Missing(f"recipe.identity.network: {settings.network} is missing")
    judged = {} if settings.mode == "none" else {"trained_against": settings.mode}
    embed = functools.partial(IdentitySimilarity, identity_embedder(settings))
    return SetScorer("identity_similarity", embed, {"weights": weights.told(settings.network)} | judged)


def _fid(weights):
    """By the Inception network of the FID of 2017."""
    features, facts, suffix = weights.inception()
    return SetScorer(f"fid{suffix}", functools.partial(InceptionDistance, features), facts)
