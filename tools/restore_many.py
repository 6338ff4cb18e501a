"""Run a folder of any size through an exported model, on all processors of this machine or of a Ray cluster.

python tools/restore_many.py --model_dir inference/gpen_256 -i photos -o results/many
python tools/restore_many.py --address 10.0.0.1:6379 --workers 16 --model_dir /data/gpen -i /data/photos -o /data/out

The results are those of infer.py with the same flags, byte for byte (and --cpu_threads as --cpus). manifest.json in
the output folder says what is done: a job that was ended, by whatever, goes on when it is started again. Broken
pictures are named. On several machines the folders lie at the same path on each. Needs requirements-serve.txt.
"""

import sys
from argparse import Namespace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import engine  # noqa: F401  thread environment before Paddle
from deploy import flags, ray_serve
from engine.flags import Flag, at_least, guarded, read
from engine.log import progress
from engine.runtime import usable_cores

LEFT_OUT = ("video", "batch_size", "save_faces", "draw_boxes", "max_pixels")
FLAGS = {
    "model_dir": Flag("folder of the exported model", metavar="DIR", required=True),
    "output_dir": Flag("folder for the results", aliases=("-o", "--output"), default="results/many", metavar="DIR"),
    "seed": Flag("seed of the first drawn style", int, default=0, metavar="N"),
    "address": Flag("head of a Ray cluster; default: a new cluster on this machine", metavar="HOST:PORT"),
    "workers": Flag("number of processes; default: usable cores", at_least(1), metavar="N"),
    "cpus": Flag("processors per process", at_least(1), default=1, metavar="N"),
    **{name: flag for name, flag in {**flags.PHOTOS, **flags.PICTURES}.items() if name not in LEFT_OUT},
}
PLACES = ("input", "image_dir", "img", "mask", "style", "output_dir", "points", "boxes", "detector")


def main():
    """Connect, run, show how far it is, name what is broken, count."""
    args = read(__doc__, FLAGS)
    from deploy.many import Job, run
    from engine.images import closing

    fixed = {"video": None, "batch_size": 1, "save_faces": False, "draw_boxes": False}
    for name in PLACES:
        value = getattr(args, name, None)
        if value is not None and (name != "mask" or value != "auto"):
            setattr(args, name, str(Path(value).resolve()))
    job = Job(str(Path(args.model_dir).resolve()), Namespace(**vars(args) | fixed))
    total = len(job.samples(job.contract()))
    workers = args.workers or usable_cores()
    ray = ray_serve.connect(args.address, **({} if args.address else {"num_cpus": workers * args.cpus}))
    broken = []
    for _, entry in progress(run(job, ray, workers), total, "picture"):
        if "error" in entry:
            print(f"skipped: {entry['error']}", file=sys.stderr, flush=True)
            broken.append(entry)
    ray.shutdown()
    print(f"{closing(total - len(broken), len(broken))}; results in {args.output_dir}")
    return 0


if __name__ == "__main__":
    guarded(main)
