"""Print the largest hole that a network's encoder closes: in larger holes some cells never see a known pixel.

python tools/hole_closure.py -c configs/partialconv_256.yaml
python tools/hole_closure.py -c configs/partialconv_256.yaml --size 512
python tools/hole_closure.py -c configs/partialconv_lite.yaml --mask mask.png

Only masks are followed; no weights are needed. A cell of a layer is empty where its window has no valid cell, and cells
outside the picture are not valid, so holes at an edge close later. A hole that the last encoder layer leaves empty is
filled from nothing, unless the recipe's `bottleneck_fill` gives it the mean of the rest.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from engine.cli import Flag, at_least, choice, guarded, parse
from engine.errors import InputError

OWN = {
    "size": Flag("side of the picture; default: that of the validation data", at_least(2), metavar="N"),
    "mask": Flag("mask picture whose hole is followed as well", metavar="FILE"),
    "white_means": Flag("meaning of white in the mask", choice("hole", "valid"), default="hole", metavar="hole|valid"),
}


def main(argv=None):
    """Read the command line, build the network, print."""
    arguments = parse(__doc__, {}, argv, standing=("seed",), own=OWN)
    from deploy.hole_closure import closure_table, followed
    from engine.masks import read_hole
    from engine.system import build_system
    from model.partialconv.network import encoder_kernels

    kernels = encoder_kernels(next(iter(build_system(arguments.config).networks.values())))
    if not kernels:
        raise InputError(f"{arguments.config_path}: its network has no convolution of stride 2")
    size = arguments.size or arguments.config.data.validation.image_size
    print("\n".join(closure_table(size, kernels)))
    if arguments.mask:
        print("\n".join(followed(read_hole(arguments.mask, arguments.white_means)[..., 0] > 0, kernels)))


if __name__ == "__main__":
    guarded(main)
