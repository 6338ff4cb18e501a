"""Quantise an exported model to int8 by the route that gives right results, and report speed and accuracy.

python tools/quantise.py --model_path=inference/GPEN --output_dir=inference/GPEN_int8 --data_dir=lite_data/val/lq
    --target_dir=lite_data/val/hq --batch_num=2 --batch_size=4

The model goes to ONNX first (deploy/onnx.py), then through onnxruntime's static quantisation: convolutions only,
weights per channel, activations calibrated on pictures of --data_dir. Needs requirements-onnx.txt.

Source: onnxruntime.quantization.quantize_static, format QDQ.
"""

import argparse
import json
import logging
import math
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import engine  # noqa: E402, F401, I001  thread environment before Paddle
import numpy as np  # noqa: E402

from engine import images
from deploy import inference  # noqa: E402
from engine.cli import at_least, guarded  # noqa: E402
from engine.errors import InputError  # noqa: E402
from engine.files import write_text  # noqa: E402
from deploy.onnx import OnnxPredictor, export_onnx, extra  # noqa: E402
from deploy.predictor import model_files  # noqa: E402
from metric.psnr_ssim import psnr  # noqa: E402

NAME = "inference.onnx"
REPORT = "quantised.json"
LOWEST_PSNR = 25.0  # dB between the int8 and the fp32 pictures; below it the model is refused
HIGHEST_ERROR = 0.05  # of vectors and points: mean distance from the fp32 numbers, relative to their size
REFUSED = {
    "paddle-pir": "paddle.quantization.PTQ exports a graph that loads as garbage or aborts (errors of 2e5)",
    "paddle-legacy": "paddle.quantization.PTQ in the legacy format is right and slower than fp32",
    "paddle-qat": "paddle.quantization.QAT.convert raises TypeError (zero_point None) in Paddle 3.3.1",
    "onednn-int8": "Config.enable_mkldnn_int8 is fast and wrong (correlation of 0.09 with fp32)",
}


def parse_arguments(words=None):
    """Command line. --use_gpu is accepted for TIPC; only False can be had."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--model_path", type=Path, required=True, help="folder of the exported model")
    parser.add_argument("--output_dir", type=Path, required=True, help="folder of the int8 model")
    parser.add_argument("--data_dir", type=Path, required=True, help="pictures to calibrate and measure on")
    parser.add_argument("--target_dir", type=Path, help="clean pictures of the same names: adds PSNR against them")
    parser.add_argument("--batch_num", type=at_least(1), default=2, help="calibration batches (default: 2)")
    parser.add_argument("--batch_size", type=at_least(1), default=4, help="pictures a batch (default: 4)")
    parser.add_argument("--route", default="onnxruntime", help=f"onnxruntime; refused: {', '.join(REFUSED)}")
    parser.add_argument("--use_gpu", default="False", choices=("False",))
    return parser.parse_args(words)


def check_route(route):
    """InputError with the measured reason for a route that must not be taken."""
    if route in REFUSED:
        raise InputError(f"--route {route}: refused: {REFUSED[route]}; use onnxruntime")
    if route != "onnxruntime":
        raise InputError(f"--route {route}: unknown; expected onnxruntime")


def batches(contract, folder, batch_size):
    """(samples, arrays) of all pictures of a folder, in order."""
    samples = inference.find_samples(contract, folder)
    for start in range(0, len(samples), batch_size):
        chosen = samples[start : start + batch_size]
        yield chosen, inference.stack([inference.load(contract, sample) for sample in chosen])


def quantise(fp32_file, int8_file, calibration):
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


def timed(predictor, arrays, rounds=5):
    """(outputs, milliseconds a picture): the fastest of some runs after one that is not timed."""
    outputs, best = predictor.run(arrays), math.inf
    for _ in range(rounds):
        began = time.perf_counter()
        predictor.run(arrays)
        best = min(best, time.perf_counter() - began)
    return outputs, 1000 * best / len(next(iter(arrays.values())))


def measure(fp32_file, int8_file, folder, batch_size, target_dir=None):
    """Speed and accuracy of an int8 model beside its fp32 form, on the pictures of a folder.

    Returns:
        dict: fp32_ms and int8_ms a picture, fp32_bytes and int8_bytes; `psnr_to_fp32` for images or `error_to_fp32` for
        vectors and points; with targets also `fp32_psnr` and `int8_psnr` against them.
    """
    fp32, int8 = OnnxPredictor(fp32_file), OnnxPredictor(int8_file)
    rows, count = [], 0
    for samples, arrays in batches(fp32.contract, folder, batch_size):
        count += len(samples)
        (first, fp32_ms), (second, int8_ms) = timed(fp32, arrays), timed(int8, arrays)
        rows.append({"fp32_ms": fp32_ms, "int8_ms": int8_ms, **distances(fp32.contract, first, second)})
        if target_dir is not None:
            port = next(port["name"] for port in fp32.contract["outputs"] if port["kind"] == "image")
            rows[-1] |= against_targets(samples, {"fp32": first[port], "int8": second[port]}, target_dir)
    found = {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
    sizes = {"fp32_bytes": Path(fp32_file).stat().st_size, "int8_bytes": Path(int8_file).stat().st_size}
    return {"pictures": count, **found, **sizes}


def distances(contract, first, second):
    """{"psnr_to_fp32"} of a graph with images among its outputs, {"error_to_fp32"} of one without."""
    pictures = [port["name"] for port in contract["outputs"] if port["kind"] == "image"]
    if pictures:
        values = [
            min(psnr(b, a), 99.0)
            for name in pictures
            for a, b in zip(map(images.to_hwc, first[name]), map(images.to_hwc, second[name]), strict=True)
        ]
        return {"psnr_to_fp32": float(np.mean(values))}
    errors = [np.abs(second[name] - first[name]).mean() / max(np.abs(first[name]).mean(), 1e-12) for name in first]
    return {"error_to_fp32": float(np.mean(errors))}


def against_targets(samples, outputs, target_dir):
    """{"fp32_psnr", "int8_psnr"} against the pictures of the same names, brought to the output's size."""
    found = {}
    for kind, arrays in outputs.items():
        values = []
        for sample, array in zip(samples, arrays, strict=True):
            target = images.read_image(Path(target_dir) / sample.name)
            values.append(psnr(images.to_hwc(array), images.resize(target, array.shape[1:], "area")))
        found[f"{kind}_psnr"] = float(np.mean(values))
    return found


def verdict(report):
    """InputError where the int8 model is too far from fp32, or gives no numbers."""
    near, error = report.get("psnr_to_fp32", math.inf), report.get("error_to_fp32", 0.0)
    if not near >= LOWEST_PSNR:
        raise InputError(f"int8 is {near:.1f} dB from fp32, expected at least {LOWEST_PSNR:g}; calibrate on more data")
    if not error <= HIGHEST_ERROR:
        raise InputError(f"int8 is {error:.3f} from fp32, expected at most {HIGHEST_ERROR:g}; calibrate on more data")


def main(words=None):
    """Convert, calibrate, quantise, measure; the folder gets the model only if it is near enough to fp32."""
    args = parse_arguments(words)
    check_route(args.route)
    program, params = model_files(args.model_path)
    args.output_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".int8_", dir=args.output_dir) as workshop:
        fp32_file, int8_file = Path(workshop) / "fp32.onnx", Path(workshop) / NAME
        export_onnx(program, params, fp32_file)
        contract = fp32_file.with_suffix(".yaml").read_text(encoding="utf-8")
        int8_file.with_suffix(".yaml").write_text(contract.replace("precision: fp32", "precision: int8"))
        calibration = [
            arrays for _, arrays in batches(OnnxPredictor(fp32_file).contract, args.data_dir, args.batch_size)
        ][: args.batch_num]
        quantise(fp32_file, int8_file, calibration)
        report = measure(fp32_file, int8_file, args.data_dir, args.batch_size, args.target_dir)
        verdict(report)
        (args.output_dir / "inference.yaml").unlink(missing_ok=True)
        for path in (fp32_file, fp32_file.with_suffix(".yaml"), int8_file, int8_file.with_suffix(".yaml")):
            os.replace(path, args.output_dir / path.name)
    write_text(args.output_dir / REPORT, json.dumps(report, indent=1) + "\n")
    for key, value in report.items():
        print(f"Metric {key}: {value:.4f}")
    return 0


if __name__ == "__main__":
    guarded(main)
