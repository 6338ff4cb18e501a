"""Convert GFP-GAN weights between the bilinear form (trained) and the clean form (released versions 1.2 to 1.4).

python tools/convert_gfpgan.py --input runs/gfpgan_256/0001/latest.pdparams --output clean.pdparams --to clean
python tools/convert_gfpgan.py --input GFPGANv1.3.pth --output bilinear.pdparams --to bilinear

Official .pth files are read as they are. The result is a file of the generator alone; predict.py, export_model.py and
train.py --pretrained take it with recipe.form set to the form it is in.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from engine.cli import Flag, choice, guarded, parse  # noqa: E402
from engine.errors import InputError  # noqa: E402
from engine.weights.files import read_weights, select_network, write_weights  # noqa: E402
from model.gfpgan.conversion import to_bilinear, to_clean  # noqa: E402

OWN = {
    "input": Flag("weights to read", default=None, metavar="FILE"),
    "output": Flag("weights to write", default=None, metavar="FILE"),
    "to": Flag("form to convert to", choice("clean", "bilinear"), default="clean", metavar="clean|bilinear"),
}


def main(argv=None):
    """Read, convert, write."""
    arguments = parse(__doc__, {}, argv, standing=(), own=OWN)
    if arguments.input is None or arguments.output is None:
        raise InputError("--input FILE and --output FILE are needed")
    arrays = select_network(read_weights(arguments.input), "generator", arguments.input)
    try:
        converted = (to_clean if arguments.to == "clean" else to_bilinear)(arrays)
    except KeyError as error:
        raise InputError(f"{arguments.input}: {error.args[0]}") from None
    write_weights(arguments.output, converted)
    print(f"{arguments.output}: {len(converted)} arrays, {arguments.to} form")


if __name__ == "__main__":
    guarded(main)
