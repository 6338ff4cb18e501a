"""Turn a checkpoint of a known network into .pdparams, or back into the form its authors' code loads; or look into one.

    python tools/convert_weights.py GPEN-BFR-512.pth --inspect
    python tools/convert_weights.py GPEN-BFR-512.pth weights/gpen_512.pdparams --as gpen_generator
    python tools/convert_weights.py weights/gpen_512.pdparams my_gpen.pth
    python tools/convert_weights.py alexnet-owt-7be5be79.pth alex.pth weights/lpips_alex.pdparams --as lpips_alex
    python tools/convert_weights.py runs/gfpgan_256/0001/latest.pdparams clean.pdparams --as gfpgan_clean
    python tools/convert_weights.py N_en.pdparams N_de.pdparams weights/maruru.pdparams --as maruru_unet

SRC is a .pth of any age, .pdparams or .safetensors file; neither torch nor anything that it names is run. DST's ending
decides: .pdparams takes this project's keys and layout, .pth and .safetensors the official ones. What the network is,
and of what size, is read off keys and shapes; --as says which one is meant where a file holds several, and is checked.
GFP-GAN's bilinear form (which is trained) and its clean form (which is released) become each other where --as asks so.
"""

import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import engine  # noqa: F401  thread environment before Paddle
from engine.errors import InputError, did_you_mean
from engine.flags import Flag, boolean, guarded, read

FLAGS = {
    "as": Flag("expected network; see the end", metavar="NAME"),
    "entry": Flag("place of the network in the file, as --inspect prints it in brackets", metavar="PLACE"),
    "inspect": Flag("print which networks SRC holds, with keys and shapes", boolean, default=False),
}
PLACES = {
    "files": Flag(
        "files to read, then the file to write; with --inspect only files to read",
        metavar="FILE",
        required=True,
        many=True,
    )
}


def main(argv=None):
    """Read the command line, convert or inspect."""
    from engine.weights.known import known_networks

    names = [name for name, row in known_networks().items() if row.builder]
    args = read(__doc__, FLAGS, argv, PLACES, epilog=f"networks: {', '.join(names)}")
    from engine.weights.convert import convert, inspect
    from engine.weights.files import shown

    name = vars(args)["as"]
    if name is not None and name not in known_networks():
        known = f"known: {', '.join(known_networks())}{did_you_mean(name, known_networks())}"
        raise InputError(f"--as: no network '{name}'; {known}")
    if args.inspect:
        print("\n".join(inspect(args.files)))
    elif len(args.files) < 2:
        raise InputError("DST: no file to write was named; expected one, or --inspect")
    else:
        *sources, target = args.files
        place, found = convert(sources, target, name, args.entry)
        print(f"{target}: {found.describe()}{f'; from [{shown(place)}]' if place else ''}")


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `--inspect | head` ends quietly
    guarded(main)
