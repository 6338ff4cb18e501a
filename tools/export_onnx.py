"""Convert an exported model to ONNX, repair it, and keep it only if it computes what Paddle Inference computes.

python tools/export_onnx.py --model_dir=inference/GPEN --save_file=inference/GPEN/model.onnx
python tools/export_onnx.py --model_dir=D --model_filename=inference.json --params_filename=inference.pdiparams
    --save_file=model.onnx --opset_version=13 --enable_onnx_checker=True

Takes paddle2onnx's flags, so it can stand where a TIPC file names that program. Needs requirements-onnx.txt.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import engine  # noqa: F401, I001  thread environment before Paddle
from engine.flags import Flag, boolean, guarded, read
from engine.errors import InputError


FLAGS = {
    "model_dir": Flag("folder of the exported model", Path, metavar="DIR", required=True),
    "model_filename": Flag("file name of its program", default="inference.json", metavar="NAME"),
    "params_filename": Flag("file name of its parameters", default="inference.pdiparams", metavar="NAME"),
    "save_file": Flag("ONNX file to write, NAME.onnx", Path, metavar="FILE", required=True),
    "opset_version": Flag("version of the ONNX operators", int, default=13, metavar="N"),
    "enable_onnx_checker": Flag("always on; accepted for TIPC", boolean, default=True),
}


def main(argv=None):
    """Convert and print how far the two are apart."""
    args = read(__doc__, FLAGS, argv)
    from deploy.onnx import export_onnx

    program, params = args.model_dir / args.model_filename, args.model_dir / args.params_filename
    for path in (program, params):
        if not path.is_file():
            raise InputError(f"{path}: no such file; expected one that export_model.py wrote")
    for batch, difference in export_onnx(program, params, args.save_file, args.opset_version).items():
        print(f"{args.save_file}: {batch}: largest difference to Paddle Inference {difference:.1e}")
    return 0


if __name__ == "__main__":
    guarded(main)
