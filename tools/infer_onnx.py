"""Run an ONNX model with onnxruntime on pictures: the same results, names and lines as infer.py.

python tools/infer_onnx.py --onnx_file=inference/GPEN/model.onnx --image_dir=lite_data/val/lq
python tools/infer_onnx.py --model_dir=inference/GPEN_int8 --image_dir=lite_data/val/lq --benchmark=True

Needs requirements-onnx.txt.
"""

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import engine  # noqa: E402, F401, I001  thread environment before Paddle
from deploy import inference
from engine.cli import at_least, boolean, guarded  # noqa: E402
from engine.errors import InputError  # noqa: E402
from engine.images import listing  # noqa: E402
from deploy.onnx import OnnxPredictor  # noqa: E402


def parse_arguments():
    """Command line. --use_gpu is accepted for TIPC; only False can be had."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--onnx_file", type=Path, help="NAME.onnx with NAME.yaml beside it")
    parser.add_argument("--model_dir", type=Path, help="folder with inference.onnx, instead of a file")
    parser.add_argument("--image_dir", help="folder of pictures, or of the folders image, mask, style")
    parser.add_argument("--mask", help="folder of masks, named like the pictures, for models that take one")
    parser.add_argument("--output_dir", default="results/infer_onnx")
    parser.add_argument("--batch_size", type=at_least(1), default=1)
    parser.add_argument("--cpu_threads", type=at_least(1))
    parser.add_argument("--benchmark", type=boolean, default=False, help="print the times of the stages")
    parser.add_argument("--use_gpu", default="False", choices=("False",))
    return parser.parse_args()


def main():
    """Load, run every picture, write and sign the results."""
    args = parse_arguments()
    if (args.onnx_file is None) == (args.model_dir is None):
        raise InputError("give the model with either --onnx_file or --model_dir")
    predictor = OnnxPredictor(args.onnx_file or args.model_dir / "inference.onnx", args.cpu_threads)
    samples = inference.find_samples(
        predictor.contract, args.image_dir, inference.named_files(predictor.contract, mask=args.mask)
    )
    inference.warm_up(predictor, args.batch_size)
    watch, count = inference.Stopwatch(), 0
    for name, numbers in inference.run(predictor, samples, args.batch_size, args.output_dir, watch):
        print(f"{name}\t{json.dumps(numbers)}")
        count += 1
    left_out = listing(args.image_dir).said()
    print(f"{count} pictures, {len(samples) - count} skipped{left_out}; results in {args.output_dir}")
    if args.benchmark:
        times = ", ".join(f"{stage}_time(ms): {watch.mean_milliseconds(stage):.4f}" for stage in inference.STAGES)
        print(f"{times}, ips: {count / watch.total():.3f} images/s")
    return 0


if __name__ == "__main__":
    guarded(main)
