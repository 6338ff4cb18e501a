"""Fetch weights that others published; the only program of this project that downloads.

    python tools/fetch_weights.py                      what there is, and what is here already
    python tools/fetch_weights.py ir_se50 vgg19        download, check, convert, put where the project looks for them
    python tools/fetch_weights.py ir_se50 --offline    the same from the cache folder alone

Files come into the cache folder (--cache, else KINTSUGI_CACHE, else ~/.cache/kintsugi), in parts that a later call goes
on with; a file appears there only when it is whole and has the size and sha256 of weights/manifest.yaml. Entries with a
`place` are then converted, or copied, to it. KINTSUGI_OFFLINE=1 means --offline.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import engine  # noqa: F401  thread environment before Paddle
from engine.errors import InputError, did_you_mean
from engine.flags import Flag, boolean, guarded, read

FLAGS = {
    "cache": Flag("folder for the published files", metavar="DIR"),
    "offline": Flag("never open a connection", boolean, default=False),
}
PLACES = {"names": Flag("entries of weights/manifest.yaml; without names: list them", metavar="[NAME ...]", many=True)}


def main(argv=None):
    """Read the command line, then list or fetch."""
    args = read(__doc__, FLAGS, argv, PLACES)
    from engine.weights.fetch import cache_folder, fetch, listing
    from engine.weights.manifest import read_manifest

    manifest, cache = read_manifest(), cache_folder(args.cache)
    offline = args.offline or os.environ.get("KINTSUGI_OFFLINE", "") not in ("", "0")
    for name in args.names:
        if name not in manifest:
            hint = did_you_mean(name, manifest) or "; without a name all are listed"
            raise InputError(f"{name}: no such entry{hint}")
    for name in args.names:
        fetch(name, manifest, cache, offline)
    if not args.names:
        print("\n".join(listing(manifest, cache)))


if __name__ == "__main__":
    guarded(main)
