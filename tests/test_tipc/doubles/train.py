"""Stands in for train.py: keeps its printed lines and its files. `--fault` makes it wrong in one way."""

import argparse
import sys
from pathlib import Path

import numpy as np
from stand_in import read_weights, write_weights

parser = argparse.ArgumentParser()
for name in ("--config", "--device", "--precision", "--pretrained", "--data_dir", "--fault"):
    parser.add_argument(name)
for name in ("--to_static", "--profiler_options", "--processes"):
    parser.add_argument(name)
parser.add_argument("--output_dir", type=Path)
parser.add_argument("--iters", type=int)
parser.add_argument("--batch_size", type=int)
args = parser.parse_args()

if args.fault == "crash":
    sys.exit("no data found")
if args.precision in ("fp16", "bf16") and args.fault != "boasts":
    print(f"precision {args.precision}: autocast is a no-op on a CPU; this run computes in float32")
if args.to_static == "True":
    print(f"to_static: {0 if args.fault == 'eager' else 2} graphs compiled")
if args.processes:
    print(f"stand-in: 5 training pictures, {args.iters} steps, {args.processes} processes")
weights = read_weights(args.pretrained) if args.pretrained else {"generator/w": np.zeros(3, np.float32)}
for step in range(args.iters):
    drift = 0.01 * step if args.fault == "drifts" else 0
    loss = "nan" if args.fault == "nan" else f"{0.25 + drift:.6f}"
    ips = 0 if args.fault == "stalled" else 12.5
    print(f"[iter: {step}] loss: {loss}, generator/loss: {loss}, avg_ips: 9 images/sec, ips: {ips} images/s")
if args.profiler_options and args.fault != "untraced":
    args.output_dir.mkdir(parents=True, exist_ok=True)
    (args.output_dir / "model.profile").write_text("{}\n")
    print(f"profile of steps 10 to 20: {args.output_dir / 'model.profile'}")
moved = {key: array + (0 if args.fault == "frozen" else 1) for key, array in weights.items()}
if args.fault != "unsaved":
    args.output_dir.mkdir(parents=True, exist_ok=True)
    write_weights(args.output_dir / "latest.pdparams", moved)
    step = args.output_dir / f"step_{args.iters:07d}"
    step.mkdir(exist_ok=True)
    write_weights(step / "generator.pdparams", {"w": moved["generator/w"]})
    write_weights(step / "generator_ema.pdparams", {"w": (weights["generator/w"] + moved["generator/w"]) / 2})
