"""Every metric by name: the scorers of test.py, tools/evaluate.py, a training's validation and an ablation.

A metric whose weights are missing is named with the command that fetches them. A system's own metrics come from
`System.measures()` and take the place of general ones of the same name.
"""

import argparse
import functools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import ConfigError, InputError
from engine.run_config import RunConfig
from engine.system import System
from engine.weights.files import read_weights
from metric import fid, holes, pixel, psnr_ssim
from metric.evaluation import scorers
from metric.evaluation.flags import DEFAULT, OTHER, RESIZES
from metric.evaluation.scorers import DistanceScorer, of_features, of_pairs
from metric.evaluation.weights import MetricWeights, told
from metric.scorer import KindScorer, Missing, Scorer

Found = tuple[list[Scorer], dict[str, str]]  # scorers; metric -> why it is not computed

_BITS: dict[str, Any] = {"colour": "RGB", "range": 1, "bits": 8}
_HOLE: dict[str, Any] = {"colour": "RGB", "range": 255, "pixels": "hole"}
PAIRS: dict[str, tuple[Callable[..., float], dict[str, Any]]] = {  # of two pictures: function, facts
    "psnr": (psnr_ssim.psnr, {"range": 255, "bits": 8}),
    "ssim": (psnr_ssim.ssim, {"range": 255, "bits": 8, "window": "Gaussian 11x11 sigma 1.5"}),
    "l1": (pixel.l1, _BITS),
    "mse": (pixel.mse, _BITS),
    "ssim_ec51": (psnr_ssim.ssim_uniform, {"colour": "grey", "range": 255, "bits": 8, "window": "uniform 51x51"}),
    "relative_l1": (pixel.relative_l1, {"colour": "RGB", "bits": 8}),
}
HOLES: dict[str, tuple[Callable[..., float], dict[str, Any]]] = {  # of two pictures and a mask
    "hole_l1": (holes.hole_l1, _HOLE | {"range": 1}),
    "hole_mse": (holes.hole_mse, _HOLE | {"range": 1}),
    "hole_psnr": (holes.hole_psnr, _HOLE),
    "hole_ssim": (holes.hole_ssim, _HOLE),
}
CROPPED = ("psnr", "ssim")  # those that --crop_border and --on_luma are for


def paired(names: Iterable[str], crop_border: int = 0, on_luma: bool = False) -> list[Scorer]:
    """Scorers of those of the names that need no weights: PAIRS, and HOLES for sets with masks."""
    found: list[Scorer] = []
    cropped = {"crop_border": crop_border, "on_luma": on_luma}
    for name in names:
        if name in CROPPED:
            function, facts = PAIRS[name]
            circumstances = {"colour": "Y" if on_luma else "RGB", "crop": crop_border} | facts
            found.append(of_pairs(name, functools.partial(function, **cropped), circumstances))
        elif name in PAIRS:
            found.append(of_pairs(name, *PAIRS[name]))
        elif name in HOLES:
            found.append(of_pairs(name, *HOLES[name], in_hole=True))
    return found


def of_flags(args: argparse.Namespace, system: System | None = None) -> Found:
    """Scorers that flags ask for.

    Args:
        args: values of FLAGS.
        system: whose own metrics may be named too; None: pictures out of files.

    Raises:
        ConfigError: an unknown metric.
        InputError: weights or statistics that are damaged or do not fit.
    """
    measures = system.measures() if system else {}
    known = tuple(dict.fromkeys((*DEFAULT, *OTHER, *measures)))
    wanted = (*DEFAULT, *measures) if args.metrics == "all" else tuple(args.metrics.split(","))
    if unknown := [name for name in wanted if name not in known]:
        raise ConfigError(f"--metrics: unknown metric '{unknown[0]}'; expected some of {', '.join(known)}")
    weights = MetricWeights(Path(args.metric_weights), args.proxy_weights, args.fid_resize)
    found, missing = own_measures(system, wanted, weights) if system else ([], {})
    if system and not system.scored:
        return found, missing
    found += paired([name for name in wanted if name not in measures], args.crop_border, args.on_luma)
    for names, build in BUILDERS.items():
        if chosen := [name for name in names if name in wanted and name not in measures]:
            try:
                found.append(build(weights, args, names[0]))
            except Missing as gap:
                missing |= {name: str(gap) for name in chosen}
    if args.legacy_seed_metrics:
        found.append(scorers.legacy_psnr())
        try:
            found.append(scorers.legacy_fid(*weights.inception(RESIZES[0])))
        except Missing as gap:
            missing["fid_legacy_seed"] = str(gap)
    return found + paired(("hole_l1", "hole_psnr", "hole_ssim")), missing


def of_validation(config: RunConfig, system: System) -> Found:
    """Scorers of a training's validations: PSNR and SSIM, the system's cheap metrics, those of `train.measures`.

    Raises:
        ConfigError: a name the system is not measured by, or `train.best.score` is of one that cannot be computed.
    """
    asked, known = config.train.measures, system.measures()
    if unknown := [name for name in asked if name not in known]:
        raise ConfigError(
            f"train.measures: '{unknown[0]}' is not known; {config.system} is measured by "
            f"{', '.join(known) or 'nothing'}"
        )
    cheap = [name for name in known if name not in system.costly]
    found, missing = own_measures(system, (*cheap, *asked), MetricWeights())
    best = config.train.best.score.partition("/")[0] if config.train.best else None
    if best in missing:
        raise ConfigError(f"train.best.score: {best} is not computed, {missing[best]}")
    if best in system.costly and best not in asked:
        raise ConfigError(f"train.best.score: {best} is not computed; add it to train.measures")
    return paired(("psnr", "ssim", "hole_psnr")) + found, missing


def own_measures(system: System, wanted: Iterable[str], weights: MetricWeights) -> Found:
    """A system's own metrics, those that are cheap and those that are wanted; and why others are missing."""
    found: list[Scorer] = []
    missing: dict[str, str] = {}
    chosen = set(wanted)
    for name, build in system.measures().items():
        if name in chosen or name not in system.costly:
            try:
                found.append(build(weights))
                missing |= found[-1].missing
            except Missing as gap:
                missing[name] = str(gap)
    return found, missing


def _lpips(weights: MetricWeights, args: argparse.Namespace, name: str) -> Scorer:
    distance, facts, suffix = weights.lpips(name)
    return of_features(name + suffix, distance.embed, distance.between, facts)


def _identity(weights: MetricWeights, args: argparse.Namespace, name: str) -> Scorer:
    layer, told_weights, suffix = weights.forward("ir_se50")
    from metric.identity import CROP, IRSE50Features, cosine

    facts = {"measure": "cosine", "crop": CROP, "weights": told_weights}
    return of_features(name + suffix, IRSE50Features(layer), cosine, facts)


def _deg(weights: MetricWeights, args: argparse.Namespace, name: str) -> Scorer:
    layer, told_weights, suffix = weights.forward("arcface_resnet18")
    from metric.identity import DegFeatures, degrees

    facts = {"measure": "degrees", "input": "grey, whole picture at 128x128", "weights": told_weights}
    return of_features(name + suffix, DegFeatures(layer), degrees, facts)


def _niqe(weights: MetricWeights, args: argparse.Namespace, name: str) -> Scorer:
    """NIQE has no proxy: its parameters are statistics, and random ones would be no scale at all."""
    path = weights.file(name)
    from metric.niqe import load_parameters, niqe

    natural = load_parameters(path)
    facts = {"colour": "Y", "crop": 0, "block": "96x96", "weights": told(name, path), "reference": "none"}
    return KindScorer(name, lambda _, pictures: lambda kind: [niqe(each, natural) for each in pictures[kind]], facts)


def _distances(weights: MetricWeights, args: argparse.Namespace, name: str) -> Scorer:
    features, facts, suffix = weights.inception()
    path = args.fid_statistics
    if not path:
        return DistanceScorer(features, facts, suffix=suffix)
    mean, covariance, own = saved_statistics(path)
    for fact in ("resize", "features", "weights"):
        if fact in own and own[fact] != facts[fact]:
            raise InputError(f"{path}: made with {fact}={own[fact]}, this run has {facts[fact]}; they must match")
    if (length := features(np.zeros((1, 64, 64, 3), np.uint8)).shape[1]) != len(mean):
        raise InputError(f"{path}: statistics of {len(mean)} features; expected {length}")
    about = {"reference": told(path, path), "reference_n": own.get("n", "not told")}
    return DistanceScorer(features, facts, (mean, covariance, about), suffix)


def saved_statistics(path: str) -> tuple[np.ndarray, np.ndarray, dict[str, str]]:
    """(mean, covariance, facts) of a .npz, or of BasicSR's .pth (`mean`, `cov`). InputError for any other content."""
    if Path(path).suffix == ".npz":
        return fid.load_statistics(path)
    arrays = read_weights(path)
    if not {"mean", "cov"} <= arrays.keys():
        raise InputError(f"{path}: no saved FID statistics; found {sorted(arrays)[:4]}, expected mean and cov")
    return *fid.checked_statistics(path, arrays["mean"].ravel(), arrays["cov"]), {}


BUILDERS: dict[tuple[str, ...], Callable[..., Scorer]] = {  # metrics -> function of (weights, flags, first name)
    ("lpips_alex",): _lpips,
    ("lpips_vgg",): _lpips,
    ("fid", "kid"): _distances,
    ("identity",): _identity,
    ("deg",): _deg,
    ("niqe",): _niqe,
}
