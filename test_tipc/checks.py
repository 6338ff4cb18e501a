"""Whether a stage that exited with 0 did its work: weights, numbers, files and pictures are looked at."""

import json
import math
import re
from pathlib import Path

import numpy as np
import yaml

from engine import images, inference
from engine.errors import InputError
from engine.weights import read_weights

NUMBER = r"([-+]?(?:nan|inf|[0-9][0-9.]*(?:e[-+]?[0-9]+)?))"
LOSS = re.compile(rf"(?<![\w/])loss: {NUMBER},?(?=\s|$)", re.IGNORECASE)
IPS = re.compile(rf"(?<!\w)ips: {NUMBER}(?=\s|$)", re.IGNORECASE)
STEP = re.compile(r"\biter: (\d+)")
METRIC = re.compile(rf"^Metric (\S+): {NUMBER}\s*$", re.IGNORECASE | re.MULTILINE)
MODEL_FILES = ("inference.json", "inference.pdmodel", "model.json", "model.pdmodel")
PICTURE_SHARE = 0.005  # of all values may differ by one grey level between variants of one model
NUMBER_TOLERANCE = 1e-3  # on printed results, for outputs in [0, 1]


def check_train(stage, text, began):
    """(reasons, facts) of a training stage: finite losses, a rate above 0, weights that are new and have changed."""
    losses, rates = _numbers(LOSS, text), _numbers(IPS, text)
    reasons = []
    if not losses:
        reasons.append("no 'loss: NUMBER' in the log: nothing was trained")
    if any(not math.isfinite(loss) for loss in losses):
        reasons.append("a loss is not finite")
    if not rates or not all(math.isfinite(rate) and rate > 0 for rate in rates):
        reasons.append("no 'ips: NUMBER' above 0 in the log")
    missing = _not_new(stage.facts["weights"], began)
    if missing:
        return [*reasons, missing], {}
    reasons += _unchanged(stage)
    facts = {"loss": losses[-1] if losses else None, "ips": rates[-1] if rates else None, "steps": _steps(text)}
    start = stage.facts["pretrained"]
    return reasons, {**facts, "start": "" if start == "null" else start, "weights": stage.facts["weights"]}


def _steps(text):
    """Step number of the last training line, or None."""
    found = STEP.findall(text)
    return int(found[-1]) if found else None


def _unchanged(stage):
    """Reasons to think that training moved nothing: against the weights it began with, or against their average."""
    start, weights = stage.facts["pretrained"], stage.facts["weights"]
    try:
        arrays = read_weights(weights)
        if not all(np.isfinite(array).all() for array in arrays.values()):
            return [f"{weights}: holds values that are not finite"]
        if start not in ("", "null"):
            pairs = _shared(read_weights(start), arrays)
            against = start
        else:
            checkpoint = max(Path(weights).parent.glob("step_*"), default=None)
            names = [path.stem for path in checkpoint.glob("*_ema.pdparams")] if checkpoint else []
            pairs = [pair for name in names for pair in _shared(
                read_weights(checkpoint / f"{name.removesuffix('_ema')}.pdparams"),
                read_weights(checkpoint / f"{name}.pdparams"))]
            against = f"the averages in {checkpoint}"
    except InputError as error:
        return [str(error)]
    if not pairs:
        return [f"{weights}: nothing to compare it with ({against}); whether the weights changed is not known"]
    changed = any(not np.array_equal(first, second) for first, second in pairs)
    return [] if changed else [f"{weights}: no weight changed against {against}"]


def _shared(first, second):
    return [(first[key], second[key]) for key in first if key in second and first[key].shape == second[key].shape]


def check_eval(stage, text, began):
    """(reasons, facts) of an evaluation: at least one `Metric NAME: NUMBER`, all finite."""
    metrics = {name: float(value) for name, value in METRIC.findall(text)}
    if not metrics:
        return ["no 'Metric NAME: NUMBER' in the log"], {}
    bad = [name for name, value in metrics.items() if not math.isfinite(value)]
    return [f"metric {name} is not finite" for name in bad], metrics


def check_export(stage, text, began):
    """(reasons, facts) of an export: a new graph and new parameters that are not empty; the next stages load them."""
    folder = Path(stage.output)
    graphs = [folder / name for name in MODEL_FILES if (folder / name).exists()]
    if not graphs:
        return [f"{folder}: no exported graph; expected one of {', '.join(MODEL_FILES)}"], {}
    files = [graphs[0], graphs[0].with_suffix(".pdiparams")]
    reasons = [reason for reason in (_not_new(path, began) for path in files) if reason]
    return reasons, {} if reasons else {"folder": str(folder), "files": " ".join(path.name for path in files)}


def check_infer(stage, text, began):
    """(reasons, facts) of an inference: a printed result and new pictures for every input, all numbers finite.

    What is expected is what the exported model's contract and the image folder say. facts["pictures"] maps files to
    [H, W, 3] uint8 arrays and facts["results"] names to lists of numbers; the runner compares variants by them.
    """
    results, folder = printed_results(text), re.findall(r"; results in (.+)$", text, re.MULTILINE)
    if not folder:
        return ["no 'results in FOLDER' in the log"], {}
    try:
        contract = yaml.safe_load((Path(stage.output) / "inference.yaml").read_text(encoding="utf-8"))
        samples = inference.find_samples(contract, stage.facts["images"] or None)
    except (InputError, OSError) as error:
        return [str(error)], {}
    reasons = [f"no result printed for {sample.name}" for sample in samples if sample.name not in results]
    reasons += [f"{name}: a result is not finite" for name, values in results.items() if not np.isfinite(values).all()]
    files = inference.output_files(contract, samples, folder[-1])
    paths = [path for outputs in files.values() for path in outputs.values()]
    reasons += [reason for reason in (_not_new(path, began) for path in paths) if reason]
    pictures = {} if reasons else {str(path): images.to_uint8(images.read_image(path)) for path in paths}
    rate = (_numbers(IPS, text) or [None])[-1]
    facts = {"images": len(samples), "ips": rate, "folder": folder[-1]}
    return reasons, {**facts, "pictures": pictures, "results": results}


def disagreement(first, second):
    """Reasons why two variants of one inference (oneDNN, threads, batch size) do not agree; empty where they do.

    Args:
        first, second: facts of check_infer.
    """
    reasons = []
    for name, picture in first["pictures"].items():
        other = second["pictures"].get(name)
        if other is None or other.shape != picture.shape:
            reasons.append(f"{name}: another shape or no picture")
            continue
        difference = np.abs(picture.astype(np.int16) - other.astype(np.int16))
        share = (difference > 0).mean()
        if difference.max() > 1 or share > PICTURE_SHARE:
            reasons.append(f"{name}: up to {difference.max()} grey levels apart, {share:.2%} of the values differ")
    for name, values in first["results"].items():
        others = second["results"].get(name, [])
        if len(values) != len(others) or not np.allclose(values, others, rtol=0, atol=NUMBER_TOLERANCE):
            reasons.append(f"{name}: printed numbers differ by more than {NUMBER_TOLERANCE}")
    return reasons


def printed_results(text):
    """name -> list of numbers, of every line `NAME<TAB>[...]`; one that is not numbers becomes [nan]."""
    results = {}
    for line in text.splitlines():
        name, tab, rest = line.partition("\t")
        if tab and rest.startswith("["):
            try:
                results[name] = np.asarray(json.loads(rest), dtype=float).ravel().tolist()
            except (ValueError, TypeError):
                results[name] = [math.nan]
    return results


def _numbers(pattern, text):
    return [float(value) for value in pattern.findall(text)]


def _not_new(path, began):
    """Why a file does not count as made by this stage; empty where it does."""
    path = Path(path)
    if not path.exists():
        return f"{path}: was not written"
    if path.stat().st_size == 0:
        return f"{path}: is empty"
    return "" if path.stat().st_mtime_ns >= began else f"{path}: is older than the stage"


CHECKS = {"train": check_train, "eval": check_eval, "export": check_export, "infer": check_infer}
