"""Stands in for test.py: prints one metric of the weights it is given."""

import argparse

from stand_in import read_weights

parser = argparse.ArgumentParser()
for name in ("--config", "--device", "--data_dir", "--fault"):
    parser.add_argument(name)
parser.add_argument("--pretrained", required=True)
args = parser.parse_args()
level = float(read_weights(args.pretrained)["generator/w"].mean())
if args.fault != "silent":
    print(f"Metric psnr/restored: {level:.4f}")
