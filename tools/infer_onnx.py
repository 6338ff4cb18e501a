"""Run an ONNX model with onnxruntime on pictures: the same results, names and lines as infer.py.

python tools/infer_onnx.py --onnx_file=inference/GPEN/model.onnx --image_dir=lite_data/val/lq
python tools/infer_onnx.py --model_dir=inference/GPEN_int8 --image_dir=lite_data/val/lq --benchmark=True

Needs requirements-onnx.txt.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import engine  # noqa: F401, I001  thread environment before Paddle
from engine.flags import Flag, at_least, boolean, choice, guarded, read
from engine.errors import InputError


FLAGS = {
    "onnx_file": Flag("NAME.onnx with NAME.yaml beside it", Path, metavar="FILE"),
    "model_dir": Flag("folder with inference.onnx, instead of --onnx_file", Path, metavar="DIR"),
    "image_dir": Flag("folder of pictures, or of the folders image, mask, style", metavar="DIR"),
    "mask": Flag("folder of masks, named like the pictures, for models that take one", metavar="DIR"),
    "output_dir": Flag("folder for the results", default="results/infer_onnx", metavar="DIR"),
    "batch_size": Flag("pictures per run", at_least(1), default=1, metavar="N"),
    "cpu_threads": Flag("number of threads; default: usable cores", at_least(1), metavar="N"),
    "benchmark": Flag("print the times of the stages", boolean, default=False),
    "use_gpu": Flag("accepted for TIPC; only False works", choice("False"), default="False", metavar="False"),
}


def main(argv=None):
    """Load, run every picture, write and sign the results."""
    args = read(__doc__, FLAGS, argv)
    from deploy import inference
    from deploy.onnx import OnnxPredictor
    from deploy.samples import find_samples, named_files
    from engine.images import closing, left_out

    if (args.onnx_file is None) == (args.model_dir is None):
        raise InputError("give the model with either --onnx_file or --model_dir")
    predictor = OnnxPredictor(args.onnx_file or args.model_dir / "inference.onnx", args.cpu_threads)
    samples = find_samples(predictor.contract, args.image_dir, named_files(predictor.contract, mask=args.mask))
    inference.warm_up(predictor, args.batch_size)
    watch, count = inference.Stopwatch(), 0
    for name, numbers in inference.run(predictor, samples, args.batch_size, args.output_dir, watch):
        print(f"{name}\t{json.dumps(numbers)}")
        count += 1
    print(f"{closing(count, len(samples) - count)}{left_out(args.image_dir)}; results in {args.output_dir}")
    if args.benchmark:
        times = ", ".join(f"{stage}_time(ms): {watch.mean_milliseconds(stage):.4f}" for stage in inference.STAGES)
        print(f"{times}, ips: {count / watch.total():.3f} images/s")
    return 0


if __name__ == "__main__":
    guarded(main)
