"""Run an exported model with Paddle Inference on pictures.

python infer.py --model_dir inference/GPEN --image_dir lite_data/val/lq --benchmark=True
python infer.py --model_file inference/GPEN/model.json --params_file inference/GPEN/model.pdiparams --img F.jpg
"""

import json

import engine  # noqa: F401  thread environment before Paddle
from deploy import inference
from deploy.predictor import PRECISIONS, Predictor, keep_memory
from engine.cli import Parser, boolean, choice, guarded, optional
from engine.errors import InputError
from engine.files import write_text
from engine.system import BLENDS


def parse():
    """The command line. Booleans are the words True and False; None and null mean "not given"."""
    parser = Parser(description=__doc__)
    flags = {
        "model_dir": (str, None, "folder of the exported model"),
        "model_file": (str, None, "its program, NAME.json or NAME.pdmodel, instead of the folder"),
        "params_file": (str, None, "its parameters; default: beside the program"),
        "image_dir": (str, None, "folder of pictures, or of the folders image, mask, style"),
        "img": (str, None, "one picture"),
        "mask": (str, None, "mask picture, white where it is to be filled, for models that take one; or their folder"),
        "white_means": (choice("hole", "valid"), "hole", "what white is in a mask: hole, valid"),
        "blend": (choice(*BLENDS), None, f"how a filled hole gets into its picture: {', '.join(BLENDS)}"),
        "style": (str, None, "picture to take the style from, for models that have one; without, it is drawn"),
        "num_style": (int, 1, "drawn styles a picture"),
        "seed": (int, 0, "of the first drawn style"),
        "output_dir": (str, "results/infer", "where results go"),
        "batch_size": (int, 1, "pictures a run"),
        "use_gpu": (boolean, False, "True or False; True without a GPU is an error"),
        "use_mkldnn": (boolean, True, "oneDNN on the CPU"),
        "cpu_threads": (int, None, "default: usable cores"),
        "use_trt": (boolean, False, "TensorRT on the GPU"),
        "precision": (choice(*PRECISIONS), "fp32", ", ".join(PRECISIONS)),
        "benchmark": (boolean, False, "print times in TIPC's form"),
        "save_log_path": (str, None, "file for what --benchmark prints"),
    }
    for name, (kind, default, text) in flags.items():
        parser.add_argument(f"--{name}", type=optional(kind), default=default, help=f"{text} (default: {default})")
    return parser.parse_args()


def main():
    """Load the model, run every picture that can be read, write and sign the results."""
    args = parse()
    if (args.model_dir is None) == (args.model_file is None):
        raise InputError("give the exported model with either --model_dir or --model_file")
    for name in ("batch_size", "num_style"):
        if getattr(args, name) < 1:
            raise InputError(f"--{name} {getattr(args, name)}: expected at least 1")
    keep_memory()
    options = {
        "use_gpu": args.use_gpu,
        "use_mkldnn": args.use_mkldnn,
        "cpu_threads": args.cpu_threads,
        "precision": args.precision,
        "use_trt": args.use_trt,
    }
    predictor = Predictor(args.model_file or args.model_dir, args.params_file, **options)
    folder = predictor.program_file.parent
    samples, styles = inference.gathered(
        predictor.contract, args, lambda path: Predictor(folder / path, **options), args.seed
    )
    if args.benchmark:
        inference.warm_up(predictor, args.batch_size)
    watch, count = inference.Stopwatch(), 0
    for name, numbers in inference.run(predictor, samples, args.batch_size, args.output_dir, watch, args.blend):
        print(f"{name}\t{json.dumps(numbers)}")
        count += 1
    if styles:
        print(styles)
    print(f"{count} pictures, {len(samples) - count} skipped; results in {args.output_dir}")
    if args.benchmark:
        from deploy.timing import report

        lines = report(watch, predictor, args.batch_size, count)
        print("\n".join(lines))
        if args.save_log_path:
            write_text(args.save_log_path, "\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    guarded(main)
