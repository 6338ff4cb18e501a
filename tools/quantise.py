"""Quantise an exported model to int8 by the route that gives right results, and report speed and accuracy.

python tools/quantise.py --model_path=inference/GPEN --output_dir=inference/GPEN_int8 --data_dir=lite_data/val/lq
    --target_dir=lite_data/val/hq --batch_num=2 --batch_size=4

How: deploy/quantise.py. Needs requirements-onnx.txt.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import engine  # noqa: E402, F401, I001  thread environment before Paddle
from deploy.quantise import REFUSED, check_route, quantised  # noqa: E402
from engine.cli import at_least, guarded  # noqa: E402


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


def main(words=None):
    """Quantise and print the report."""
    args = parse_arguments(words)
    check_route(args.route)
    report = quantised(
        args.model_path, args.output_dir, args.data_dir, args.target_dir, args.batch_num, args.batch_size
    )
    for key, value in report.items():
        print(f"Metric {key}: {value:.4f}")
    return 0


if __name__ == "__main__":
    guarded(main)
