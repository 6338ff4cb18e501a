"""Check that a stage that exited with 0 did its work: weights, numbers, files and pictures."""

import json
import math
import re
from pathlib import Path

import numpy as np
import paddle

from deploy.contract import read_contract
from deploy.files import output_files
from deploy.samples import find_samples, named_files
from engine import images
from engine.errors import InputError
from engine.weights.files import read_weights

NUMBER = r"([-+]?(?:nan|inf|[0-9][0-9.]*(?:e[-+]?[0-9]+)?))"
LOSS = re.compile(rf"(?<![\w/])loss: {NUMBER},?(?=\s|$)", re.IGNORECASE)
IPS = re.compile(rf"(?<!\w)ips: {NUMBER}(?=\s|$)", re.IGNORECASE)
STEP = re.compile(r"\biter: (\d+)")
METRIC = re.compile(rf"^Metric (\S+): {NUMBER}\s*$", re.IGNORECASE | re.MULTILINE)
MODEL_FILES = ("inference.json", "inference.pdmodel", "model.json", "model.pdmodel")
PICTURE_SHARE = 0.005  # of all values may differ by one grey level between variants of one model
NUMBER_TOLERANCE = 1e-3  # on printed results, relative to the largest of a sample where that is above 1
UNRECORDED = ("pictures", "results", "losses")  # facts too large for a summary
NO_OP = "autocast is a no-op on a CPU"


def check_train(stage, text, began):
    """(reasons, facts) of a training stage: finite losses, a rate above 0, weights that are new and have changed."""
    losses, rates = numbers(LOSS, text), numbers(IPS, text)
    reasons = []
    if not losses:
        reasons.append("no 'loss: NUMBER' in the log: nothing was trained")
    if any(not math.isfinite(loss) for loss in losses):
        reasons.append("a loss is not finite")
    if not rates or not all(math.isfinite(rate) and rate > 0 for rate in rates):
        reasons.append("no 'ips: NUMBER' above 0 in the log")
    missing = not_new(stage.facts["weights"], began)
    if missing:
        return [*reasons, missing], {}
    reasons += _unchanged(stage) + _precision(stage, text)
    facts = {
        "loss": losses[-1] if losses else None,
        "ips": rates[-1] if rates else None,
        "steps": _steps(text),
        "losses": losses,
    }
    start = stage.facts["pretrained"]
    return reasons, {**facts, "start": "" if start == "null" else start, "weights": stage.facts["weights"]}


def _precision(stage, text):
    """A run in half precision on a CPU has to say that autocast does nothing there."""
    asked = re.search(r"--precision=(fp16|bf16)", stage.command)
    on_gpu = paddle.is_compiled_with_cuda() and paddle.device.cuda.device_count() > 0
    if not asked or (on_gpu and "--device=cpu" not in stage.command) or NO_OP in text:
        return []
    return [f"{asked[1]} on a CPU: the log does not say '{NO_OP}', so it claims what was not done"]


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
            pairs = [
                pair
                for name in names
                for pair in _shared(
                    read_weights(checkpoint / f"{name.removesuffix('_ema')}.pdparams"),
                    read_weights(checkpoint / f"{name}.pdparams"),
                )
            ]
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
    """(reasons, facts) of an export: every graph and its parameters are new and not empty; the next stages load them.

    A system with several graphs has a sub-folder for each.
    """
    folder = Path(stage.output)
    graphs = [found[0] for found in map(_graphs, [folder, *sorted(folder.glob("*/"))]) if found]
    if not graphs:
        return [f"{folder}: no exported graph; expected one of {', '.join(MODEL_FILES)}"], {}
    files = [path for graph in graphs for path in (graph, graph.with_suffix(".pdiparams"))]
    reasons = [reason for reason in (not_new(path, began) for path in files) if reason]
    names = " ".join(path.relative_to(folder).as_posix() for path in files)
    return reasons, {} if reasons else {"folder": str(folder), "files": names, "graphs": len(graphs)}


def _graphs(folder):
    return [folder / name for name in MODEL_FILES if (folder / name).exists()]


def contract_of(model):
    """Contract of a model: of an .onnx file, of a folder with inference.onnx only, or of a Paddle export's folder."""
    path = Path(model)
    if path.suffix != ".onnx":
        path = (_graphs(path) or [path / "inference.json"])[0]
    return read_contract(path)


def check_infer(stage, text, began):
    """(reasons, facts) of an inference: a printed result and new pictures for every input, all numbers finite.

    What is expected is what the exported model's contract and the image folder say. facts["pictures"] maps files to
    [H, W, 3] uint8 arrays and facts["results"] names to lists of numbers; the runner compares variants by them.
    """
    results, folder = printed_results(text), re.findall(r"; results in (.+)$", text, re.MULTILINE)
    if not folder:
        return ["no 'results in FOLDER' in the log"], {}
    try:
        contract = contract_of(stage.output)
        masks = dict(re.findall(r"--(mask)[= ](\S+)", stage.command))
        given = named_files(contract, **masks)
        samples = find_samples(contract, stage.facts["images"] or None, given)
    except InputError as error:
        return [str(error)], {}
    reasons = [f"no result printed for {sample.name}" for sample in samples if sample.name not in results]
    reasons += [
        f"{name}: {len(results[name])} numbers, the contract promises {wanted}"
        for name in results
        if (wanted := promised(contract)) not in (None, len(results[name]))
    ]
    reasons += [f"{name}: a result is not finite" for name, values in results.items() if not np.isfinite(values).all()]
    files = output_files(contract, samples, folder[-1])
    paths = [path for outputs in files.values() for path in outputs.values()]
    reasons += [reason for reason in (not_new(path, began) for path in paths) if reason]
    pictures = {} if reasons else {str(path): images.to_uint8(images.read_image(path)) for path in paths}
    rate = (numbers(IPS, text) or [None])[-1]
    facts = {"images": len(samples), "ips": rate, "folder": folder[-1]}
    return reasons, {**facts, "pictures": pictures, "results": results}


def promised(contract):
    """Count of printed numbers per sample: one per channel of images, all of vectors and points; None: any."""
    counts = [port.shape[1:2] if port.kind in ("image", "mask") else port.shape[1:] for port in contract.outputs]
    sizes = [size for count in counts for size in count]
    return None if -1 in sizes else sum(math.prod(count) for count in counts)


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
        limit = NUMBER_TOLERANCE * max([1.0, *map(abs, values)])
        if len(values) != len(others) or not np.allclose(values, others, rtol=0, atol=limit):
            reasons.append(f"{name}: printed numbers differ by more than {limit:.2g}")
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


def numbers(pattern, text):
    """Every number that a pattern finds in a log."""
    return [float(value) for value in pattern.findall(text)]


def not_new(path, began):
    """Why a file does not count as made by this stage; empty where it does."""
    path = Path(path)
    if not path.exists():
        return f"{path}: was not written"
    if path.stat().st_size == 0:
        return f"{path}: is empty"
    return "" if path.stat().st_mtime_ns >= began else f"{path}: is older than the stage"


CHECKS = {"train": check_train, "eval": check_eval, "export": check_export, "infer": check_infer}
