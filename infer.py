"""Run an exported model with Paddle Inference on pictures.

python infer.py --model_dir inference/GPEN --image_dir lite_data/val/lq --benchmark=True
python infer.py --model_file inference/GPEN/model.json --params_file inference/GPEN/model.pdiparams --img F.jpg
"""

import engine  # noqa: F401  thread environment before Paddle
from deploy import flags
from engine.errors import InputError
from engine.flags import Flag, at_least, boolean, choice, guarded, read

FLAGS = {
    "model_dir": Flag("folder of the exported model", metavar="DIR"),
    "model_file": Flag("its program, NAME.json or NAME.pdmodel, instead of the folder", metavar="FILE"),
    "params_file": Flag("its parameters; default: beside the program", metavar="FILE"),
    "seed": Flag("seed of the first drawn style", int, default=0, metavar="N"),
    "output_dir": Flag("folder for the results", aliases=("-o", "--output"), default="results/infer", metavar="DIR"),
    "use_gpu": Flag("run on a GPU; an error if there is none", boolean, default=False),
    "use_mkldnn": Flag("use oneDNN on the CPU", boolean, default=True),
    "cpu_threads": Flag("number of threads; default: usable cores", at_least(1), metavar="N"),
    "use_trt": Flag("use TensorRT on the GPU", boolean, default=False),
    "precision": Flag("number format", choice(*flags.PRECISIONS), default="fp32", metavar="|".join(flags.PRECISIONS)),
    "benchmark": Flag("print times in TIPC's form", boolean, default=False),
    "save_log_path": Flag("file for the output of --benchmark", metavar="FILE"),
    "compare": Flag(
        "tell whether two pictures, or a picture and those of a folder, show one person", metavar="FILE", many=True
    ),
    **flags.PHOTOS,
    **flags.PICTURES,
}


def main():
    """Load the model, run every picture that can be read, write and sign the results."""
    args = read(__doc__, FLAGS)
    from deploy import inference
    from deploy.predictor import Predictor, keep_memory

    if (args.model_dir is None) == (args.model_file is None):
        raise InputError("give the exported model with either --model_dir or --model_file")
    keep_memory()
    options = {
        "use_gpu": args.use_gpu,
        "use_mkldnn": args.use_mkldnn,
        "cpu_threads": args.cpu_threads,
        "precision": args.precision,
        "use_trt": args.use_trt,
    }
    predictor = Predictor(args.model_file or args.model_dir, args.params_file, **options)
    encoder = lambda path: Predictor(predictor.program_file.parent / path, **options)  # noqa: E731
    return inference.carry_out(predictor, args, encoder, args.seed, print, signs=True)


if __name__ == "__main__":
    guarded(main)
