"""Stands in for export_model.py: the weights under the names of an exported graph."""

import argparse
from pathlib import Path

import yaml
from stand_in import read_weights, write_weights

parser = argparse.ArgumentParser()
for name in ("--config", "--pretrained", "--fault"):
    parser.add_argument(name)
parser.add_argument("--kind", default="image", choices=("image", "vector", "masked"))
parser.add_argument("--save_inference_dir", type=Path)
args = parser.parse_args()
weights = read_weights(args.pretrained)
args.save_inference_dir.mkdir(parents=True, exist_ok=True)
(args.save_inference_dir / "inference.json").write_text("{}")
image = {"name": "image", "kind": "image", "shape": [-1, 3, 8, 8]}
mask = {"name": "mask", "kind": "image", "shape": [-1, 1, 8, 8]}
vector = {"name": "code", "kind": "vector", "shape": [-1, 4]}
ports = {
    "inputs": [image, mask] if args.kind == "masked" else [image],
    "outputs": [vector] if args.kind == "vector" else [image | {"name": "restored"}],
}
(args.save_inference_dir / "inference.yaml").write_text(yaml.safe_dump(ports))
if args.fault != "half":
    write_weights(args.save_inference_dir / "inference.pdiparams", weights)
print(f"exported to {args.save_inference_dir}")
