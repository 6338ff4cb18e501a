"""Write a configuration's masks as PNG files, white = hole, with a table of their hole ratios.

python tools/write_masks.py -c configs/partialconv_256.yaml --count 100 --output masks
python tools/write_masks.py -c configs/partialconv_lite.yaml --size 512 -o data.validation.masks.kinds="{walk: 1}"

Names are numbers from 00000.png; masks.csv holds name, hole ratio and border ("inside": kept off the edge). The masks
are those of the data set's first samples, so validation pictures of that size get these very holes. A lower face has
the form it has without landmarks. `tools/preview_data.py` shows them on their pictures.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


from engine.cli import Flag, at_least, choice, guarded, parse
from engine.errors import InputError
from engine.files import write_text

OWN = {
    "split": Flag(
        "data whose masks are written", choice("train", "validation"), default="validation", metavar="train|validation"
    ),
    "count": Flag("number of masks", at_least(1), default=100, metavar="N"),
    "size": Flag("side in pixels; default: the data's image_size", at_least(8), metavar="N"),
    "output": Flag("folder to write", default="masks", metavar="DIR"),
}


def write_masks(masks, count, seed, training, folder):
    """Write `count` masks of a data_loader.masks.Masks; returns the lines of masks.csv."""
    import numpy as np

    from engine.images import write_image
    from engine.log import progress

    lines = ["name,hole,border"]
    for index in progress(range(count), count, "mask"):
        mask, border = masks.draw(index, np.random.default_rng([seed, 0, index] if training else [seed, index]))
        write_image(folder / f"{index:05d}.png", np.repeat(mask, 3, axis=2))
        lines.append(f"{index:05d}.png,{mask.mean():.6f},{border}")
    write_text(folder / "masks.csv", "\n".join(lines) + "\n")
    return lines


def main(argv=None):
    """Read the command line, write the masks, say how large they are."""
    arguments = parse(__doc__, {}, argv, standing=("seed",), own=OWN)
    import numpy as np

    from data_loader.masks import Masks

    section, training = getattr(arguments.config.data, arguments.split), arguments.split == "train"
    if not hasattr(section, "masks"):
        raise InputError(f"{arguments.config_path}.data.{arguments.split}: has no masks")
    size = arguments.size or section.image_size
    masks = Masks(section.masks, (size, size), training)
    lines = write_masks(masks, arguments.count, arguments.config.seed, training, Path(arguments.output))
    ratios = [float(line.split(",")[1]) for line in lines[1:]]
    print(
        f"{arguments.output}: {len(ratios)} masks of {size} x {size}, {min(ratios):.1%} to {max(ratios):.1%} hole, "
        f"mean {np.mean(ratios):.1%}"
    )


if __name__ == "__main__":
    guarded(main)
