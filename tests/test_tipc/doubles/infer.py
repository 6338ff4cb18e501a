"""Stands in for infer.py: each picture a little brighter with its means printed; four numbers for a vector."""

import argparse
from pathlib import Path

import yaml
from stand_in import read_image, read_weights, write_image

parser = argparse.ArgumentParser()
for name in ("--use_gpu", "--use_mkldnn", "--cpu_threads", "--batch_size", "--precision", "--benchmark", "--fault"):
    parser.add_argument(name)
parser.add_argument("--model_dir", type=Path)
parser.add_argument("--image_dir", type=Path, default=Path("pictures"))
parser.add_argument("--save_dir", type=Path, default=Path("restored"))
args = parser.parse_args()
read_weights(args.model_dir / "inference.pdiparams")
contract = yaml.safe_load((args.model_dir / "inference.yaml").read_text())
if len(contract["inputs"]) > 1:
    args.image_dir = args.image_dir / "image"
paths = sorted(args.image_dir.glob("*.png"))
gives_pictures = contract["outputs"][0]["kind"] == "image"
for path in paths[1:] if args.fault == "forgets" else paths:
    brighter = read_image(path) * 0.9 + (0.1 if args.fault == "onednn" and args.use_mkldnn == "True" else 0.05)
    numbers = [float(value) for value in brighter.mean(axis=(0, 1))]
    if gives_pictures and args.fault != "unwritten":
        write_image(args.save_dir / f"{path.stem}_predict.png", brighter)
    if not gives_pictures:
        numbers.append(float("nan") if args.fault == "nan" else 7.0)
    print(f"{path.name}\t{numbers[1:] if args.fault == 'short' else numbers}".replace("nan", "NaN"))
print(f"{len(paths)} pictures, 0 skipped; results in {args.save_dir}")
print("ips: 40.0 images/s")
