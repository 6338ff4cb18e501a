"""Write a small set of procedural faces: train/, val/hq/, its degraded copies val/lq/ and holes val/mask/, landmarks.

python tools/make_lite_data.py
python tools/make_lite_data.py --output lite_data --train 200 --val 16 --size 256 --seed 0

The people of val/ are not in train/. Each folder's landmarks.json holds identity and 68 points of every picture. The
degradation is that of a configuration's validation data; a mask is white in the hole, 20 to 40 % of the picture. A
second call with the same numbers writes nothing.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from engine import config as configuration
from engine.cli import Flag, at_least, default_config, guarded, read
from engine.errors import InputError

FLAGS = {
    "output": Flag("folder to write", default="lite_data", metavar="DIR"),
    "train": Flag("number of training pictures", int, default=200, metavar="N"),
    "val": Flag("number of validation pairs", int, default=16, metavar="N"),
    "size": Flag("side of the pictures in pixels", int, default=256, metavar="N"),
    "seed": Flag("seed of faces, degradations and holes; default: the configuration's", at_least(0), metavar="N"),
    "config": Flag(
        "configuration whose validation data define the degradation of val/lq/", aliases=("-c",), metavar="YAML"
    ),
}


def main(argv=None):
    """Read the command line and write both splits."""
    args = read(__doc__, FLAGS, argv)
    from data_loader.drawn_faces.rendering import SMALLEST_SIZE
    from data_loader.lite_data import HELD_OUT, write_split

    for name, least, most in (("train", 1, HELD_OUT), ("val", 1, HELD_OUT), ("size", SMALLEST_SIZE, 4096)):
        if not least <= getattr(args, name) <= most:
            raise InputError(f"--{name}: found {getattr(args, name)}, expected {least} to {most}")
    config = configuration.load(args.config or default_config())
    ranges = getattr(config.data.validation, "degradation", None)
    if ranges is None:
        raise InputError(f"--config {args.config}: has no degradation in data.validation")
    seed, train, val = (
        config.seed if args.seed is None else args.seed,
        Path(args.output) / "train",
        Path(args.output) / "val",
    )
    people = {train: range(args.train), val: range(HELD_OUT, HELD_OUT + args.val)}
    for root, folders in ((train, [train]), (val, [val / "hq", val / "lq", val / "mask"])):
        for line in write_split(root, folders, people[root], args.size, seed, ranges):
            print(line)


if __name__ == "__main__":
    guarded(main)
