"""Quantise to int8 by the route that gives right results, and report accuracy and speed.

A model goes to ONNX first (deploy/onnx.py), then through onnxruntime's static quantisation: convolutions only, weights
per channel, activations calibrated on pictures. Needs requirements-onnx.txt.

Source: onnxruntime.quantization.quantize_static, format QDQ.
"""

import logging
import math
import os
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from deploy.contract import Arrays, Contract, Graph, read_contract, written_contract
from deploy.flags import REFUSED
from deploy.inference import read
from deploy.onnx import OnnxPredictor, export_onnx, extra
from deploy.predictor import model_files
from deploy.samples import Sample, find_samples
from deploy.session import Session, stacked
from engine import images
from engine.errors import InputError
from engine.files import write_json, write_text
from engine.log import progress, stages

NAME = "inference.onnx"
REPORT = "quantised.json"
LOWEST_PSNR = 25.0  # dB between the int8 and the fp32 pictures; below it the model is refused
HIGHEST_ERROR = 0.05  # of vectors and points: mean distance from the fp32 numbers, relative to their size


def check_route(route: str) -> None:
    """InputError with the measured reason for a route that must not be taken."""
    if route in REFUSED:
        raise InputError(f"--route {route}: refused: {REFUSED[route]}; use onnxruntime")
    if route != "onnxruntime":
        raise InputError(f"--route {route}: unknown; expected onnxruntime")


def batches(graph: Graph, folder: str | Path, batch_size: int) -> Iterator[tuple[list[Sample], Arrays]]:
    """(samples, what the graph takes of them) of all pictures of a folder, in order."""
    session, samples = Session(graph), find_samples(graph.contract, folder)
    for start in range(0, len(samples), batch_size):
        chosen = samples[start : start + batch_size]
        yield chosen, stacked([session.prepared(read(graph.contract, sample), name=sample.name) for sample in chosen])


def quantise(fp32_file: Path, int8_file: Path, calibration: list[Arrays]) -> None:
    """Write INT8_FILE from FP32_FILE. `calibration`: list of dicts input name -> array [N, ...]."""
    quantization = extra("onnxruntime.quantization")

    left = iter(calibration)
    reader = type("Reader", (quantization.CalibrationDataReader,), {"get_next": lambda self: next(left, None)})

    logging.getLogger().setLevel(logging.ERROR)  # it recommends a pre-processing that changes nothing here
    quantization.quantize_static(
        str(fp32_file),
        str(int8_file),
        reader(),
        quant_format=quantization.QuantFormat.QDQ,
        per_channel=True,
        op_types_to_quantize=["Conv"],
        activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QInt8,
    )


def timed(predictor: Graph, arrays: Arrays, rounds: int = 5) -> tuple[dict[str, np.ndarray], float]:
    """(outputs, milliseconds a picture): the fastest of some runs after one that is not timed."""
    outputs, best = predictor.run(arrays), math.inf
    for _ in range(rounds):
        began = time.perf_counter()
        predictor.run(arrays)
        best = min(best, time.perf_counter() - began)
    return outputs, 1000 * best / len(next(iter(arrays.values())))


def measure(
    fp32_file: Path, int8_file: Path, folder: str | Path, batch_size: int, target_dir: str | Path | None = None
) -> dict[str, float]:
    """Speed and accuracy of an int8 model beside its fp32 form, on the pictures of a folder.

    Returns:
        dict: fp32_ms and int8_ms a picture, fp32_bytes and int8_bytes; `psnr_to_fp32` for images or `error_to_fp32` for
        vectors and points; with targets also `fp32_psnr` and `int8_psnr` against them.
    """
    fp32, int8 = OnnxPredictor(fp32_file), OnnxPredictor(int8_file)
    rows, count = [], 0
    for samples, arrays in progress(batches(fp32, folder, batch_size), None, "batch"):
        count += len(samples)
        (first, fp32_ms), (second, int8_ms) = timed(fp32, arrays), timed(int8, arrays)
        rows.append({"fp32_ms": fp32_ms, "int8_ms": int8_ms, **distances(fp32.contract, first, second)})
        if target_dir is not None:
            port = fp32.contract.of_kind("image", outputs=True)[0].name
            rows[-1] |= against_targets(samples, {"fp32": first[port], "int8": second[port]}, target_dir)
    found = {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
    sizes = {"fp32_bytes": Path(fp32_file).stat().st_size, "int8_bytes": Path(int8_file).stat().st_size}
    return {"pictures": count, **found, **sizes}


def distances(contract: Contract, first: Arrays, second: Arrays) -> dict[str, float]:
    """{"psnr_to_fp32"} of a graph with images among its outputs, {"error_to_fp32"} of one without."""
    pictures = [port.name for port in contract.of_kind("image", outputs=True)]
    if pictures:
        values = [_psnr(b, a) for name in pictures for a, b in zip(first[name], second[name], strict=True)]
        return {"psnr_to_fp32": float(np.mean(values))}
    errors = [np.abs(second[name] - first[name]).mean() / max(np.abs(first[name]).mean(), 1e-12) for name in first]
    return {"error_to_fp32": float(np.mean(errors))}


def against_targets(samples: list[Sample], outputs: dict[str, np.ndarray], target_dir: str | Path) -> dict[str, float]:
    """{"fp32_psnr", "int8_psnr"} against the pictures of the same names, brought to the output's size."""
    found = {}
    for kind, arrays in outputs.items():
        values = []
        for sample, array in zip(samples, arrays, strict=True):
            target = images.read_image(Path(target_dir) / sample.name)
            values.append(_psnr(images.to_hwc(array), images.resize(target, array.shape[1:], "area")))
        found[f"{kind}_psnr"] = float(np.mean(values))
    return found


def _psnr(found, wanted):
    """dB between arrays in [0, 1], at most 99."""
    error = float(np.square(np.float64(found) - wanted).mean())
    return min(10 * math.log10(1 / error), 99.0) if error else 99.0


def verdict(report: dict[str, float]) -> None:
    """InputError where the int8 model is too far from fp32, or gives no numbers."""
    near, error = report.get("psnr_to_fp32", math.inf), report.get("error_to_fp32", 0.0)
    if not near >= LOWEST_PSNR:
        raise InputError(f"int8 is {near:.1f} dB from fp32, expected at least {LOWEST_PSNR:g}; calibrate on more data")
    if not error <= HIGHEST_ERROR:
        raise InputError(f"int8 is {error:.3f} from fp32, expected at most {HIGHEST_ERROR:g}; calibrate on more data")


def quantised(
    model: str | Path,
    folder: Path,
    data_dir: str | Path,
    target_dir: str | Path | None = None,
    batch_num: int = 2,
    batch_size: int = 4,
) -> dict[str, float]:
    """Convert, calibrate, quantise, measure; FOLDER gets the model only if it is near enough to fp32.

    Args:
        model: folder of the exported model.
        folder: gets fp32.onnx, NAME, their contracts and REPORT.
        data_dir: pictures to calibrate and measure on.
        target_dir: clean pictures of the same names: adds PSNR against them.
        batch_num, batch_size: of the calibration.

    Returns:
        the report, see `measure`.

    Raises:
        InputError: a file is missing or cannot be converted, or int8 is too far from fp32.
    """
    program, params = model_files(model)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".int8_", dir=folder) as workshop:
        fp32_file, int8_file = Path(workshop) / "fp32.onnx", Path(workshop) / NAME
        export_onnx(program, params, fp32_file)
        contract = read_contract(fp32_file).model_copy(update={"precision": "int8"})
        write_text(int8_file.with_suffix(".yaml"), written_contract(contract))
        calibration = batches(OnnxPredictor(fp32_file), data_dir, batch_size)
        with stages(1) as begin:
            begin("calibrating")
            quantise(fp32_file, int8_file, [arrays for _, arrays in islice(calibration, batch_num)])
        report = measure(fp32_file, int8_file, data_dir, batch_size, target_dir)
        verdict(report)
        (folder / "inference.yaml").unlink(missing_ok=True)
        for path in (fp32_file, fp32_file.with_suffix(".yaml"), int8_file, int8_file.with_suffix(".yaml")):
            os.replace(path, folder / path.name)
    write_json(folder / REPORT, report)
    return report
