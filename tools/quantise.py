"""Quantise an exported model to int8 by the route that gives right results, and report speed and accuracy.

python tools/quantise.py --model_path=inference/GPEN --output_dir=inference/GPEN_int8 --data_dir=lite_data/val/lq
    --target_dir=lite_data/val/hq --batch_num=2 --batch_size=4

How: deploy/quantise.py. Needs requirements-onnx.txt.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import engine  # noqa: F401  thread environment before Paddle
from deploy import flags
from engine.flags import Flag, at_least, choice, guarded, read

FLAGS = {
    "model_path": Flag("folder of the exported model", Path, metavar="DIR", required=True),
    "output_dir": Flag("folder of the int8 model", Path, metavar="DIR", required=True),
    "data_dir": Flag("pictures to calibrate and measure on", Path, metavar="DIR", required=True),
    "target_dir": Flag("clean pictures of the same names; adds PSNR to them", Path, metavar="DIR"),
    "batch_num": Flag("number of batches for the calibration", at_least(1), default=2, metavar="N"),
    "batch_size": Flag("pictures per batch", at_least(1), default=4, metavar="N"),
    "route": Flag(f"refused: {', '.join(flags.REFUSED)}", default="onnxruntime", metavar="NAME"),
    "use_gpu": Flag("accepted for TIPC; only False works", choice("False"), default="False", metavar="False"),
}


def main(words=None):
    """Quantise and print the report."""
    args = read(__doc__, FLAGS, words)
    from deploy.quantise import check_route, quantised

    check_route(args.route)
    report = quantised(
        args.model_path, args.output_dir, args.data_dir, args.target_dir, args.batch_num, args.batch_size
    )
    for key, value in report.items():
        print(f"Metric {key}: {value:.4f}")
    return 0


if __name__ == "__main__":
    guarded(main)
