"""Fetch weights that others published: the only thing in this project that downloads.

    python tools/fetch_weights.py                      what there is, and what is here already
    python tools/fetch_weights.py ir_se50 vgg19        download, check, convert, put where the project looks for them
    python tools/fetch_weights.py ir_se50 --offline    the same from the cache folder alone

Files come into the cache folder (--cache, else KINTSUGI_CACHE, else ~/.cache/kintsugi), in parts that a later call goes
on with; a file appears there only when it is whole and has the size and sha256 of weights/manifest.yaml. Entries with a
`place` are then converted, or copied, to it. KINTSUGI_OFFLINE=1 means --offline.
"""

import argparse
import os
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import engine  # noqa: E402, F401
from engine.cli import guarded  # noqa: E402
from engine.config import did_you_mean
from engine.errors import InputError  # noqa: E402
from engine.files import replacing  # noqa: E402
from engine.weights.download import discard, download, finish  # noqa: E402
from engine.weights.files import read_weights  # noqa: E402
from engine.weights.manifest import read_manifest, sha256  # noqa: E402
from tools.convert_weights import convert  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]


def cache_folder(named=None):
    """The cache folder: the one named, else KINTSUGI_CACHE, else `kintsugi` in the user's cache folder."""
    user = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(named or os.environ.get("KINTSUGI_CACHE") or Path(user) / "kintsugi")


def fetch(name, manifest, cache, offline=False):
    """Bring one entry, and what it is made of, into the cache and to its place.

    Args:
        name: entry of the manifest.
        manifest: {name: Entry}.
        cache: folder for files as they were published.
        offline: take what is in the cache only.

    Returns:
        path of the file: the place, or the file in the cache. InputError where that cannot be.
    """
    entry = manifest[name]
    files = [obtain(part, manifest[part], cache, offline) for part in entry.parts or (name,)]
    if not entry.place:
        return files[-1]
    place = ROOT / entry.place
    if place.suffix == ".pdparams":
        _, found = convert(files, place, entry.network)
        print(f"{place}: {found.describe()}")
    else:
        with replacing(place) as temporary:
            shutil.copyfile(files[0], temporary)
    return place


def obtain(name, entry, cache, offline=False):
    """The path of an entry's file in the cache, downloaded if it is not there, and checked."""
    path = cache / entry.file
    if not path.exists():
        if offline:
            raise InputError(
                f"{name}: {path} is not there, and offline nothing is downloaded; it is from {entry.url or entry.page}"
            )
        if entry.page:
            raise InputError(
                f"{name}: no program can fetch it; get it from {entry.page}, save it as {path} and repeat the command"
            )
        try:
            cache.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{cache}: cannot be made ({error.strerror})") from None
        part = cache / f"{entry.file}.part"
        print(f"{name}: {entry.url}")
        download(entry.url, part)
        try:
            verify(part, entry)
        except InputError:
            discard(part)
            raise
        finish(part, path)
        return path
    verify(path, entry)
    return path


def verify(path, entry):
    """Print size and sha256 of a file. InputError where they are not the manifest's, or no weights file came."""
    size, digest = path.stat().st_size, sha256(path)
    if entry.size is not None and size != entry.size:
        raise InputError(f"{path}: has {size:,} bytes, expected {entry.size:,}")
    if not digest.startswith(entry.sha256):
        raise InputError(f"{path}: its sha256 is {digest}, expected {entry.sha256}")
    if len(entry.sha256) < 64 and entry.network:
        read_weights(path)
    known = {0: "the manifest has none to compare with", 64: "as expected"}
    print(f"{path}: {size:,} bytes, sha256 {digest} ({known.get(len(entry.sha256), 'begins as expected')})")


def listing(manifest, cache):
    """A line an entry: name, where it is, purpose, licence."""
    for name, entry in manifest.items():
        placed = entry.place and (ROOT / entry.place).exists()
        where = entry.place if placed else "in the cache" if entry.file and (cache / entry.file).exists() else "-"
        by_hand = "; by hand" if entry.page else ""
        unchecked = "; no sha256 known" if not entry.sha256 and not entry.parts else ""
        yield f"{name:24} {where:34} {entry.purpose} [{entry.licence}{unchecked}{by_hand}]"


def main(argv=None):
    """Read the command line, then list or fetch."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("names", metavar="NAME", nargs="*", help="entries of weights/manifest.yaml; none: list them")
    parser.add_argument("--cache", metavar="DIR", help="folder for the files as they were published")
    parser.add_argument("--offline", action="store_true", help="never open a connection")
    options = parser.parse_args(argv)
    manifest, cache = read_manifest(), cache_folder(options.cache)
    offline = options.offline or os.environ.get("KINTSUGI_OFFLINE", "") not in ("", "0")
    for name in options.names:
        if name not in manifest:
            hint = did_you_mean(name, manifest) or "; without a name all are listed"
            raise InputError(f"{name}: no such entry{hint}")
    for name in options.names:
        fetch(name, manifest, cache, offline)
    if not options.names:
        print("\n".join(listing(manifest, cache)))


if __name__ == "__main__":
    guarded(main)
