"""Stands in for infer.py: each picture a little brighter, its mean printed."""

import argparse
from pathlib import Path

from engine import images
from engine.weights import read_weights

parser = argparse.ArgumentParser()
for name in ("--use_gpu", "--use_mkldnn", "--cpu_threads", "--batch_size", "--precision", "--benchmark", "--fault"):
    parser.add_argument(name)
parser.add_argument("--model_dir", type=Path)
parser.add_argument("--image_dir", default="pictures")
parser.add_argument("--save_dir", type=Path, default=Path("restored"))
args = parser.parse_args()
read_weights(args.model_dir / "inference.pdiparams")
paths = images.list_images(args.image_dir)
for path in paths[1:] if args.fault == "forgets" else paths:
    brighter = images.read_image(path) * 0.9 + (0.1 if args.fault == "onednn" and args.use_mkldnn == "True" else 0.05)
    images.write_image(args.save_dir / f"{path.stem}_predict.png", brighter)
    print(f"{path.name}\t[{brighter.mean():.6f}]")
print(f"{len(paths)} pictures, 0 skipped; results in {args.save_dir}")
print("ips: 40.0 images/s")
