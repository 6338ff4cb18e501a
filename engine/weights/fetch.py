"""Bring the files of `weights/manifest.yaml` into the cache, check them, and convert them to their places.

Nothing is converted or put in place before all files it is made of have the size and sha256 of the manifest; what
nobody published is said.
"""

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from engine.errors import InputError
from engine.files import replacing
from engine.weights.convert import convert
from engine.weights.download import discard, download, finish
from engine.weights.files import read_weights
from engine.weights.manifest import Entry, sha256

ROOT = Path(__file__).resolve().parents[2]


def cache_folder(named: str | Path | None = None) -> Path:
    """The cache folder: the one named, else KINTSUGI_CACHE, else `kintsugi` in the user's cache folder."""
    user = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(named or os.environ.get("KINTSUGI_CACHE") or Path(user) / "kintsugi")


def fetch(name: str, manifest: Mapping[str, Entry], cache: Path, offline: bool = False) -> Path:
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


def obtain(name: str, entry: Entry, cache: Path, offline: bool = False) -> Path:
    """The path of an entry's file in the cache, downloaded if it is not there, and checked."""
    path = cache / entry.file
    if not path.exists():
        if offline:
            raise InputError(
                f"{name}: {path} is not in the cache, and --offline forbids to fetch it from {entry.url or entry.page}"
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


def verify(path: Path, entry: Entry) -> None:
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


def listing(manifest: Mapping[str, Entry], cache: Path) -> Iterator[str]:
    """A line an entry: name, where it is, purpose, licence."""
    for name, entry in manifest.items():
        placed = entry.place and (ROOT / entry.place).exists()
        where = entry.place if placed else "in the cache" if entry.file and (cache / entry.file).exists() else "-"
        by_hand = "; by hand" if entry.page else ""
        unchecked = "; no sha256 known" if not entry.sha256 and not entry.parts else ""
        yield f"{name:24} {where:34} {entry.purpose} [{entry.licence}{unchecked}{by_hand}]"
