"""Turn a checkpoint of a known network into .pdparams, or back into the form its authors' code loads; or look into one.

    python tools/convert_weights.py GPEN-BFR-512.pth --inspect
    python tools/convert_weights.py GPEN-BFR-512.pth weights/gpen_512.pdparams --as gpen_generator
    python tools/convert_weights.py weights/gpen_512.pdparams my_gpen.pth
    python tools/convert_weights.py alexnet-owt-7be5be79.pth alex.pth weights/lpips_alex.pdparams --as lpips_alex

SRC is a .pth of any age, .pdparams or .safetensors file; neither torch nor anything that it names is run. DST's ending
decides: .pdparams takes this project's keys and layout, .pth and .safetensors the official ones. What the network is,
and of what size, is read off keys and shapes; --as says which one is meant where a file holds several, and is checked.
"""

import argparse
import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import engine  # noqa: E402, F401
from engine.cli import guarded  # noqa: E402
from engine.errors import InputError  # noqa: E402
from engine.weights.files import read_weights, shown, write_arrays, write_torch, write_weights  # noqa: E402
from engine.weights.known import BY_NAME, NETWORKS  # noqa: E402
from engine.weights.manifest import published_as, sha256  # noqa: E402
from engine.weights.recognise import Match, networks_in  # noqa: E402

PREFERRED = ("params_ema", "g_ema", "ema")  # of the places that hold one network, the averaged one


def convert(sources, target, name=None, entry=None):
    """Convert one network.

    Args:
        sources: files to read; several where a network was published in pieces (LPIPS), their keys put together.
        target: file to write, whole or not at all; .pdparams, .pth or .safetensors.
        name: network it has to be, a name of `known_networks`; None: the only one in the file.
        entry: place of it in the file, as `--inspect` prints it; None: the averaged copy, else the first.

    Returns:
        (place, Match) of what was written. InputError where that cannot be.
    """
    suffix = Path(target).suffix
    if suffix not in (".pdparams", ".pth", ".safetensors"):
        raise InputError(f"{target}: expected a name ending in .pdparams, .pth or .safetensors")
    if any(Path(target).exists() and Path(source).exists() and os.path.samefile(source, target) for source in sources):
        raise InputError(f"{target}: is a file to read; expected another name")
    source = " + ".join(map(str, sources))
    place, found = choose(merged(sources), source, name, entry)
    if found.problem:
        raise InputError(f"{source}: {found.network.title}: {found.problem}")
    if suffix == ".pdparams":
        types = {key: str(tensor.dtype).removeprefix("paddle.") for key, tensor in found.layer.state_dict().items()}
        write_weights(target, {key: array.astype(types[key]) for key, array in found.ours.items()})
    else:
        (write_torch if suffix == ".pth" else write_arrays)(target, found.official())
    return place, found


def merged(sources):
    """{key: array} of files whose keys do not meet. InputError where they do."""
    arrays = {}
    for source in sources:
        more = read_weights(source)
        if meeting := arrays.keys() & more.keys():
            raise InputError(f"{source}: {shown(min(meeting))} is in another of the files, too")
        arrays |= more
    return arrays


def choose(arrays, source, name=None, entry=None):
    """The place and Match that is meant among a file's arrays. InputError where there is none, or no telling."""
    found = {place: what for place, what in networks_in(arrays, name).items() if isinstance(what, Match)}
    if not found:
        first = ", ".join(f"{shown(key)} {list(array.shape)}" for key, array in list(arrays.items())[:3])
        raise InputError(f"{source}: no known network among its {len(arrays)} arrays; the first: {first}")
    held = ", ".join(f"{what.network.name}{f' at {shown(place)}' if place else ''}" for place, what in found.items())
    named = {
        place: what for place, what in found.items() if name in (None, what.network.name) and entry in (None, place)
    }
    if not named:
        raise InputError(f"{source}: no {name or 'network'}{f' at {entry}' if entry else ''}; it holds {held}")
    if len({what.network.name for what in named.values()}) > 1:
        raise InputError(f"{source}: holds {held}; say which with --as")
    places = sorted(named, key=lambda place: PREFERRED.index(place) if place in PREFERRED else len(PREFERRED))
    if len(named) > 1 and places[0] not in PREFERRED:
        raise InputError(f"{source}: holds {held}; say which with --entry")
    return places[0], named[places[0]]


def inspect(sources):
    """Lines that say what files, put together, are: one a network, one a file, then every key with type and shape."""
    arrays, source = merged(sources), " + ".join(map(str, sources))
    for place, what in networks_in(arrays).items():
        where = f"{source}{f' [{shown(place)}]' if place else ''}"
        if not isinstance(what, Match):
            yield f"{where}: no known network, {what} arrays"
            continue
        use = f"; --as {what.network.name}" if not what.problem else f"; but {what.problem}"
        yield f"{where}: {what.describe()}{use}"
    for path in sources:
        digest = sha256(path)
        name = published_as(digest)
        yield f"{path}: sha256 {digest}{f', {name} of weights/manifest.yaml' if name else ''}"
    longest = max(len(shown(key)) for key in arrays)
    for key, array in arrays.items():
        yield f"  {shown(key):{longest}}  {array.dtype!s:8} {list(array.shape)}"


def main(argv=None):
    """Read the command line, convert or inspect."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        epilog="networks: " + ", ".join(network.name for network in NETWORKS if network.builder),
    )
    parser.add_argument(
        "files",
        metavar="FILE",
        nargs="+",
        help="SRC [SRC ...] DST: files to read and the one to write; with --inspect only files to read",
    )
    parser.add_argument("--as", dest="name", metavar="NAME", help="the network it has to be; see the end")
    parser.add_argument("--entry", metavar="PLACE", help="which of several, as --inspect prints it in brackets")
    parser.add_argument("--inspect", action="store_true", help="say what SRC is and list its keys and shapes")
    options = parser.parse_args(argv)
    if options.name is not None and options.name not in BY_NAME:
        raise InputError(f"--as: no network '{options.name}'; known: {', '.join(BY_NAME)}")
    if options.inspect:
        print("\n".join(inspect(options.files)))
    elif len(options.files) < 2:
        raise InputError("DST: no file to write to was named; expected one, or --inspect")
    else:
        *sources, target = options.files
        place, found = convert(sources, target, options.name, options.entry)
        print(f"{target}: {found.describe()}{f'; from [{shown(place)}]' if place else ''}")


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `--inspect | head` ends quietly
    guarded(main)
