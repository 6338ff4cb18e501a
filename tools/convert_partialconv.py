"""Write published weights of inpainting networks in this project's form.

python tools/convert_partialconv.py --input 1000000.pth --output weights/naoto.pdparams
python tools/convert_partialconv.py --encoder en.pdparams --decoder de.pdparams --output weights/maruru.pdparams

--input takes naoto0804's and MMEditing's checkpoints; predict.py, test.py and train.py read those themselves, so it is
for keeping. The two files are maruru-hub/PartialConv-paddle's, for configs/partialconv_maruru.yaml. Which YAML keys a
file needs is in docs/partialconv.md.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from engine.cli import guarded  # noqa: E402
from engine.errors import InputError  # noqa: E402
from engine.log import logger, to_console  # noqa: E402
from engine.weights.files import read_weights, write_weights  # noqa: E402
from model.partialconv.keys import from_maruru, from_published  # noqa: E402


def converted(arguments):
    """{key: array} of the files named on the command line.

    Raises:
        InputError: neither one file nor two, or a file of another form.
    """
    pair = [arguments.encoder, arguments.decoder]
    if (arguments.input is None) == (None in pair) or (arguments.input and any(pair)):
        raise InputError("give either --input FILE, or --encoder FILE and --decoder FILE")
    if arguments.input is None:
        encoder, decoder = map(read_weights, pair)
        if "ec_1.conv.input_conv.weight" not in encoder or "dc_1.model.1.weight" not in decoder:
            raise InputError(f"{pair[0]}, {pair[1]}: not the files en.pdparams and de.pdparams, in this order")
        return from_maruru(encoder, decoder)
    arrays = read_weights(arguments.input)
    found = from_published(arrays)
    if found is arrays:
        raise InputError(f"{arguments.input}: neither naoto0804's nor MMEditing's keys; found {sorted(arrays)[:3]}")
    return found


def main(words=None):
    """Read, rename, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    for name in ("input", "encoder", "decoder", "output"):
        parser.add_argument(f"--{name}", metavar="FILE", required=name == "output")
    arguments = parser.parse_args(words)
    to_console()
    arrays = converted(arguments)
    write_weights(arguments.output, {f"generator/{key}": array for key, array in arrays.items()})
    logger.info(f"{arguments.output}: {len(arrays)} arrays")
    return 0


if __name__ == "__main__":
    guarded(main)
