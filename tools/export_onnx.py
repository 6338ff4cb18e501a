"""Convert an exported model to ONNX, repair it, and keep it only if it computes what Paddle Inference computes.

python tools/export_onnx.py --model_dir=inference/GPEN --save_file=inference/GPEN/model.onnx
python tools/export_onnx.py --model_dir=D --model_filename=inference.json --params_filename=inference.pdiparams
    --save_file=model.onnx --opset_version=13 --enable_onnx_checker=True

Takes paddle2onnx's flags, so it can stand where a TIPC file names that program. Needs requirements-onnx.txt.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import engine  # noqa: E402, F401, I001  thread environment before Paddle
from engine.cli import boolean, guarded  # noqa: E402
from engine.errors import InputError  # noqa: E402
from deploy.onnx import export_onnx  # noqa: E402


def parse_arguments():
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--model_dir", type=Path, required=True, help="folder of the exported model")
    parser.add_argument("--model_filename", default="inference.json")
    parser.add_argument("--params_filename", default="inference.pdiparams")
    parser.add_argument("--save_file", type=Path, required=True, help="NAME.onnx")
    parser.add_argument("--opset_version", type=int, default=13)
    parser.add_argument("--enable_onnx_checker", type=boolean, default=True, help="always on; accepted for TIPC")
    return parser.parse_args()


def main():
    """Convert and print how far the two are apart."""
    args = parse_arguments()
    program, params = args.model_dir / args.model_filename, args.model_dir / args.params_filename
    for path in (program, params):
        if not path.is_file():
            raise InputError(f"{path}: no such file; expected one that export_model.py wrote")
    for batch, difference in export_onnx(program, params, args.save_file, args.opset_version).items():
        print(f"{args.save_file}: {batch}: largest difference to Paddle Inference {difference:.1e}")
    return 0


if __name__ == "__main__":
    guarded(main)
