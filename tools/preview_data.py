"""Save the first samples of a run's training (or validation) data as one picture.

python tools/preview_data.py -c configs/gpen_256.yaml -o data.train.root=lite_data
python tools/preview_data.py -c configs/gpen_lite.yaml --split validation --count 4 --output preview.png
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


from engine.cli import Flag, choice, guarded, parse

OWN = {
    "split": Flag("data to show", choice("train", "validation"), default="train", metavar="train|validation"),
    "count": Flag("number of samples", int, default=8, metavar="N"),
    "output": Flag("picture to write", default="preview.png", metavar="FILE"),
}


def pictures(sample):
    """Column name -> [H, W, 3] of every [1 or 3, H, W] entry of a sample."""
    import numpy as np

    from engine.images import to_hwc

    return {
        key: np.broadcast_to(to_hwc(value), (*value.shape[1:], 3))
        for key, value in sample.items()
        if getattr(value, "ndim", 0) == 3 and value.shape[0] in (1, 3)
    }


def preview(dataset, count):
    """Picture of the first samples of epoch 0: one row per sample, one column per image."""
    from engine.images import picture_grid

    rows = [pictures(dataset[(0, index)]) for index in range(min(count, len(dataset)))]
    return picture_grid([list(row.values()) for row in rows], labels=list(rows[0]))


def main(argv=None):
    """Read the command line, write the picture, print its name."""
    arguments = parse(__doc__, {}, argv, standing=("seed",), own=OWN)
    from engine.images import write_image
    from engine.system import build_dataset

    section = getattr(arguments.config.data, arguments.split)
    dataset = build_dataset(section, arguments.config.seed, training=arguments.split == "train")
    write_image(arguments.output, preview(dataset, arguments.count))
    print(f"{arguments.output}: {min(arguments.count, len(dataset))} of {len(dataset)} samples")


if __name__ == "__main__":
    guarded(main)
