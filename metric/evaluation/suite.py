"""The metrics of test.py and tools/evaluate.py, built from flags and from the weights that are there.

A metric whose weights are missing is named with the command that fetches them. With --proxy_weights it is computed with
seeded random weights instead, and its name ends in `_proxy`: it shows that a chain works, and compares with nothing.
"""

import functools
import hashlib
import json
import math
from pathlib import Path

import numpy as np

from engine import cli
from engine.cli import Flag
from engine.errors import ConfigError, InputError
from engine.files import write_text
from engine.log import logger
from engine.weights.files import load_into, read_weights, select_network
from engine.weights.official_keys import from_official
from metric import fid, identity, niqe, pixel, psnr_ssim
from metric.evaluation import scorers
from metric.evaluation.scoring import DIGITS, Scoring, shown, table
from metric.inception_features import RESIZES, InceptionFeatures
from metric.lpips import LPIPSDistance
from model.backbones.arcface import ResNet18ArcFace
from model.backbones.inception import FIDInception
from model.backbones.ir_se50 import IRSE50
from model.backbones.lpips import LPIPS

PLAIN = ("psnr", "ssim", "l1", "mse")
WITH_WEIGHTS = ("lpips_alex", "lpips_vgg", "fid", "kid", "identity", "deg", "niqe")
DEFAULT = (*PLAIN, *WITH_WEIGHTS)
OTHER = ("ssim_ec51", "relative_l1")
SUFFIXES = (".pdparams", ".safetensors", ".pth", ".npz")
FILE_NAMES = {"ir_se50": ("ir_se50", "model_ir_se50")}  # the second is what training's configurations say
BACKBONES = {"lpips_alex": "alexnet", "lpips_vgg": "vgg16"}  # where the published file holds the linear layers only

FLAGS = {
    "metrics": Flag(
        f"comma-separated, of {', '.join((*DEFAULT, *OTHER))}; all: those but the last {len(OTHER)}",
        default="all",
        metavar="NAMES",
    ),
    "crop_border": Flag("pixels PSNR and SSIM leave out on each side", cli.at_least(0), default=0, metavar="N"),
    "on_luma": Flag("PSNR and SSIM on Y of YCbCr in place of RGB", cli.boolean, default=False),
    "fid_resize": Flag(
        "legacy: as pytorch-fid; clean: as clean-fid",
        cli.choice(*RESIZES),
        default=RESIZES[0],
        metavar="|".join(RESIZES),
    ),
    "fid_statistics": Flag("saved statistics (.npz or .pth) as FID's reference", metavar="FILE"),
    "save_fid_statistics": Flag("where statistics of the reference set are kept", metavar="FILE"),
    "metric_weights": Flag("folder with the weights of metrics", default="weights", metavar="DIR"),
    "proxy_weights": Flag("random weights in place of missing ones; names end in _proxy", cli.boolean, default=False),
    "legacy_seed_metrics": Flag(
        "also PSNR and FID as GPEN's Paddle port printed them",
        cli.boolean,
        default=False,
        aliases=("--legacy-seed-metrics",),
    ),
}


def weights_file(name, folder):
    """The file of a network in a folder, or None."""
    paths = (Path(folder) / f"{stem}{suffix}" for stem in FILE_NAMES.get(name, (name,)) for suffix in SUFFIXES)
    return next((path for path in paths if path.is_file()), None)


def named_metrics(args, measured=()):
    """The metrics that --metrics names; "all" are all but those of OTHER.

    Args:
        args: values of FLAGS.
        measured: set metrics of a system, which may be named too.

    Raises:
        ConfigError: an unknown metric.
    """
    known = tuple(dict.fromkeys((*DEFAULT, *OTHER, *measured)))
    wanted = (*DEFAULT, *measured) if args.metrics == "all" else tuple(args.metrics.split(","))
    if unknown := [name for name in wanted if name not in known]:
        raise ConfigError(f"--metrics: unknown metric '{unknown[0]}'; expected some of {', '.join(known)}")
    return wanted


def scoring(args, reference, wanted=None):
    """The Scoring that flags ask for.

    Args:
        args: values of FLAGS.
        reference: what signatures call the reference set.
        wanted: names of the metrics; None: those of --metrics.

    Raises:
        ConfigError: an unknown metric.
        InputError: weights or statistics that are damaged or do not fit.
    """
    wanted = named_metrics(args) if wanted is None else wanted
    found, missing = _plain(args, wanted), {}
    for names, build in BUILDERS.items():
        if set(names) & set(wanted):
            scorer, lacking = build(args, names[0])
            found += [scorer] if scorer else []
            missing |= {name: _fetch(lacking, args.metric_weights) for name in names if lacking and name in wanted}
    if args.legacy_seed_metrics:
        scorer, lacking = _legacy_seed(args)
        found.append(scorer)
        missing |= {"fid_legacy_seed": _fetch(lacking, args.metric_weights)} if lacking else {}
    return Scoring([*found, scorers.HoleScorer()], missing, reference)


def save_statistics(scoring, path):
    """Keep the reference set's FID statistics of a Scoring.

    Raises:
        InputError: FID is not computed.
    """
    scorer = next((each for each in scoring.scorers if isinstance(each, scorers.SetScorer)), None)
    if scorer is None:
        raise InputError(f"{path}: no statistics to save; FID is not computed")
    fid.save_statistics(path, scorer.statistics("image"), scorer.common)


def write_report(path, report):
    """A report as JSON that every reader takes: infinities and nan become text."""

    def plain(value):
        if isinstance(value, dict):
            return {key: plain(each) for key, each in value.items()}
        if isinstance(value, list):
            return [plain(each) for each in value]
        return str(value) if isinstance(value, float) and not math.isfinite(value) else value

    write_text(path, json.dumps(plain(report), indent=1, allow_nan=False))


def tell(report):
    """The table, its warnings, and one line `Metric NAME: NUMBER` for each number, which TIPC reads."""
    for line in table(report):
        logger.info(line)
    for line in report["warnings"]:
        logger.warning(line)
    for name, value in report["scores"].items():
        logger.info(f"Metric {name}: {shown(value)}")


def _plain(args, wanted):
    """Scorers that need no weights."""
    colour = {"colour": "Y" if args.on_luma else "RGB", "crop": args.crop_border, "range": 255, "bits": 8}
    window = {"window": "Gaussian 11x11 sigma 1.5"}
    whole = {"colour": "RGB", "range": 1, "bits": 8}
    keywords = {"crop_border": args.crop_border, "on_luma": args.on_luma}
    known = {
        "psnr": (functools.partial(psnr_ssim.psnr, **keywords), colour),
        "ssim": (functools.partial(psnr_ssim.ssim, **keywords), colour | window),
        "l1": (pixel.l1, whole),
        "mse": (pixel.mse, whole),
        "ssim_ec51": (psnr_ssim.ssim_uniform, {"colour": "grey", "range": 255, "bits": 8, "window": "uniform 51x51"}),
        "relative_l1": (pixel.relative_l1, {"colour": "RGB", "bits": 8}),
    }
    return [scorers.PairScorer(name, *known[name]) for name in wanted if name in known]


def _network(args, name, build, takes_proxy=True):
    """A frozen network for metrics, `build()` with its weights; `takes_proxy`: random ones where flags say so.

    Returns:
        (layer in evaluation mode, what its weights are, suffix of its metrics), or (None, name of what is missing, "").
    """
    paths = [weights_file(name, args.metric_weights)]
    if None in paths and takes_proxy and args.proxy_weights:
        layer = build()
        randomise(layer)
        layer.eval()
        return layer, "random (seed 0), a proxy", "_proxy"
    if None in paths:
        return None, name, ""
    arrays = _plain_names(read_weights(paths[0]), name, paths[0])
    if name in BACKBONES and not any(key.startswith("features.") for key in arrays):
        backbone = BACKBONES[name]
        paths.append(weights_file(backbone, args.metric_weights))
        if paths[1] is None:
            return None, backbone, ""
        arrays |= _plain_names(read_weights(paths[1]), backbone, paths[1])
    if name in BACKBONES:
        arrays = {key: array for key, array in arrays.items() if not key.startswith("classifier.")}
    layer = build()
    load_into(layer, from_official(layer, arrays), " and ".join(map(str, paths)))
    layer.eval()
    return layer, f"{name} (sha256 {', '.join(map(file_hash, paths))})", ""


def _plain_names(arrays, name, path):
    """One network's arrays out of a file, a wrapper's prefix removed."""
    chosen = select_network(arrays, name, path)
    return {key.removeprefix("module."): array for key, array in chosen.items()}


def _lpips(args, name):
    distance, facts, suffix = _lpips_network(args, name)
    if distance is None:
        return None, facts
    return scorers.FeatureScorer(name + suffix, distance.embed, distance.between, facts), ""


def _lpips_network(args, name, takes_proxy=True):
    """(LPIPSDistance, facts, suffix) or (None, name of what is missing, "")."""
    backbone = name.removeprefix("lpips_")
    layer, weights, suffix = _network(args, name, lambda: LPIPS(backbone), takes_proxy)
    if layer is None:
        return None, weights, ""
    facts = {"backbone": backbone, "version": "0.1", "input": "RGB [-1, 1]", "weights": weights}
    return LPIPSDistance(layer), facts, suffix


def lpips_distance(args, name):
    """(LPIPSDistance, facts) by weights that are there, or (None, why not)."""
    distance, facts, _ = _lpips_network(args, name, takes_proxy=False)
    return distance, facts if distance else _fetch(facts, args.metric_weights)


def inception_features(args):
    """(InceptionFeatures, facts, suffix of its metrics), or (None, why not, "")."""
    layer, weights, suffix = _network(args, "inception_fid", FIDInception)
    if layer is None:
        return None, _fetch(weights, args.metric_weights), ""
    facts = {"resize": args.fid_resize, "features": "Inception 2048", "weights": weights}
    return InceptionFeatures(layer, args.fid_resize), facts, suffix


def _identity(args, name):
    layer, weights, suffix = _network(args, "ir_se50", IRSE50)
    if layer is None:
        return None, weights
    facts = {"measure": "cosine", "crop": "GPEN's, to 112x112", "weights": weights}
    return scorers.FeatureScorer(name + suffix, identity.IRSE50Features(layer), identity.cosine, facts), ""


def _deg(args, name):
    layer, weights, suffix = _network(args, "arcface_resnet18", ResNet18ArcFace)
    if layer is None:
        return None, weights
    facts = {"measure": "degrees", "input": "grey, whole picture at 128x128", "weights": weights}
    return scorers.FeatureScorer(name + suffix, identity.DegFeatures(layer), identity.degrees, facts), ""


def _niqe(args, name):
    """NIQE has no proxy: its parameters are statistics, and random ones would be no scale at all."""
    path = weights_file(name, args.metric_weights)
    if path is None:
        return None, name
    facts = {
        "colour": "Y",
        "crop": 0,
        "block": "96x96",
        "weights": f"{name} (sha256 {file_hash(path)})",
        "reference": "none",
    }
    return scorers.NIQEScorer(niqe.load_parameters(path), facts), ""


def _sets(args, name):
    layer, weights, suffix = _network(args, "inception_fid", FIDInception)
    if layer is None:
        return None, weights
    facts = {"resize": args.fid_resize, "features": "Inception 2048", "weights": weights}
    saved = None
    if args.fid_statistics:
        path = args.fid_statistics
        mean, covariance, told = _saved_statistics(path)
        _check_facts(path, told, facts)
        about = {"reference": f"{path} (sha256 {file_hash(path)})", "reference_n": told.get("n", "not told")}
        saved = mean, covariance, about
    return scorers.SetScorer(InceptionFeatures(layer, args.fid_resize), facts, saved, suffix), ""


def _saved_statistics(path):
    """(mean, covariance, facts) of a .npz, or of BasicSR's .pth (`mean`, `cov`)."""
    if Path(path).suffix == ".npz":
        return fid.load_statistics(path)
    arrays = read_weights(path)
    if not {"mean", "cov"} <= arrays.keys():
        raise InputError(f"{path}: no saved FID statistics; found {sorted(arrays)[:4]}, expected mean and cov")
    return arrays["mean"].ravel().astype(np.float64), arrays["cov"].astype(np.float64), {}


def _check_facts(path, saved, own):
    """InputError where saved statistics say that they were made another way."""
    for fact in ("resize", "features", "weights"):
        if fact in saved and saved[fact] != own[fact]:
            raise InputError(f"{path}: made with {fact}={saved[fact]}, this run has {own[fact]}; they must match")


def _legacy_seed(args):
    """(scorer, name of what its FID lacks or "")."""
    layer, weights, suffix = _network(args, "inception_fid", FIDInception)
    if layer is None:
        return scorers.LegacySeedScorer(), weights
    facts = {"resize": RESIZES[0], "weights": weights}
    return scorers.LegacySeedScorer(InceptionFeatures(layer, RESIZES[0]), facts, suffix), ""


def _fetch(name, folder):
    return f"{folder}/{name} is missing; python tools/fetch_weights.py {name}"


BUILDERS = {  # metrics -> function of (args, first name): (scorer or None, name of the file that is missing or "")
    ("lpips_alex",): _lpips, ("lpips_vgg",): _lpips, ("fid", "kid"): _sets, ("identity",): _identity, ("deg",): _deg,
    ("niqe",): _niqe,
}  # fmt: skip


def randomise(layer):
    """Seeded weights in the place of trained ones: He's normal distribution, positive where LPIPS weighs channels."""
    rng = np.random.default_rng(0)
    for name, parameter in layer.named_parameters():
        if len(parameter.shape) < 2:
            continue
        shape = parameter.shape
        values = rng.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))
        values = np.full(shape, 1 / shape[1]) if ".model." in name and name.startswith("lin") else values
        parameter.set_value(values.astype(np.float32))


@functools.lru_cache(maxsize=32)
def file_hash(path):
    """First digits of a file's sha256."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()[:DIGITS]
