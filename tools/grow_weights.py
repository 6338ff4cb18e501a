"""Turn a trained GFP-GAN into the start of one of twice the size, which restores from its first step.

python tools/grow_weights.py -c configs/gfpgan_128_lite.yaml --pretrained weights/lite/gfpgan_lite.pdparams --output W

W is what train.py takes as --pretrained. Both networks have form "original", equal widths and styles; the
layers that only the large one has, and its discriminator, start as the configuration's seed draws them.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from engine.cli import Flag, guarded, parse
from engine.config import replaced
from engine.errors import InputError

OWN = {"output": Flag("weights file to write", metavar="FILE", required=True)}


def arrays(network):
    """{key: array} of a network."""
    return {key: value.numpy() for key, value in network.state_dict().items()}


def main(argv=None):
    """Read the command line and both networks, grow, write."""
    args = parse(__doc__, {}, argv, standing=("pretrained",), own=OWN)
    from engine.system import build_system
    from engine.training.checkpoint import write_networks
    from engine.weights.networks import load_networks
    from model.gfpgan.growing import grown
    from model.gfpgan.network import GFPGANOriginal

    if args.pretrained is None:
        raise InputError("--pretrained: missing; expected the weights of a GFP-GAN of half the size")
    large = build_system(args.config)
    if type(large.networks.get("generator")) is not GFPGANOriginal:
        raise InputError(f"{args.config_path}: expected system.gfpgan.GFPGAN with recipe.form original")
    small = build_system(replaced(args.config, {"recipe.size": args.config.recipe.size // 2}))
    load_networks(small, args.pretrained, ["generator"])
    start = grown(arrays(small.networks["generator"]), arrays(large.networks["generator"]))
    write_networks(args.output, {"generator": start})
    print(f"{args.output}: generator of {args.config.recipe.size} px, grown from {args.pretrained}")


if __name__ == "__main__":
    guarded(main)
