"""Prepare a data set of faces once, in several processes: find, align and write pictures at the training size.

Every picture that is done gives a line of OUT/manifest.jsonl. A run that was ended goes on where it stopped and ends
with the same files.
"""

import json
import multiprocessing
import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path

import numpy as np

from data_loader.facial_parts import circles_of_five
from engine.errors import InputError
from engine.face_alignment import alignment, moved
from engine.face_detection import Finder, warped
from engine.files import check_writable, write_text
from engine.images import fitted, listing, read_fitted, read_image, write_image
from engine.log import progress

MANIFEST = "manifest.jsonl"


def prepare(photos, folder, settings, workers) -> Iterator[dict]:
    """Write the faces of a folder's pictures, and yield the manifest's entry of each picture, done earlier or now.

    Args:
        photos: folder, searched to any depth.
        folder: gets <path without suffix>.png of aligned pictures, <path without suffix>_<number>.png of found faces.
        settings: {"size": px, "aligned": pictures are one face already and are only reduced, "template": of
            engine.face_alignment.TEMPLATES, "enlarge": the most that a face may be enlarged, "detector": file or None}.
        workers: number of processes.

    Yields:
        {"source": name, "files": [...], "points": [[5, 2] each, in the written picture], "rejected": [reasons]}.

    Raises:
        InputError: the folder was begun with other settings, or cannot be written.
    """
    folder = Path(folder)
    check_writable(folder)
    if not settings["aligned"]:
        Finder(settings["detector"])
    names = listing(photos).names
    count = Counter(os.path.splitext(name)[0] for name in names)
    head = json.dumps({"settings": settings | {"photos": os.path.abspath(photos)}})
    done = _done(folder, head)
    for path in folder.rglob(".*.tmp"):  # of a process that was killed
        path.unlink()
    left = [name for name in names if name not in done]
    stems = [stem if count[stem := os.path.splitext(name)[0]] == 1 else name for name in left]
    work = partial(one, photos=Path(photos), folder=folder, settings=settings)
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"))
    try:
        with open(folder / MANIFEST, "a") as lines:
            new = pool.map(work, left, stems, chunksize=4)
            for name in names:
                if name not in done:
                    done[name] = next(new)
                    lines.write(json.dumps(done[name]) + "\n")
                    lines.flush()
                yield done[name]
    finally:
        pool.shutdown(cancel_futures=True)
    write_text(folder / MANIFEST, "\n".join([head, *(json.dumps(done[name]) for name in names), ""]))


def _done(folder, head):
    """Source name -> entry of an earlier run; a last line that was cut off is dropped."""
    path = folder / MANIFEST
    if not path.exists():
        write_text(path, head + "\n")
        return {}
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    first, *lines = whole.splitlines() or [""]
    if first != head:
        raise InputError(f"{path}: was begun with {first[:300] or 'nothing'}; expected {head}, or another folder")
    if whole != text:
        write_text(path, whole)
    entries = {}
    for number, line in enumerate(lines, 2):
        try:
            entry = json.loads(line)
            if all((folder / name).is_file() for name in entry["files"]):
                entries[entry["source"]] = entry
        except (ValueError, KeyError, TypeError, RecursionError):
            raise InputError(f"{path}: line {number} is damaged; expected one that prepare_faces.py wrote") from None
    return entries


def one(name, stem, photos, folder, settings) -> dict:
    """Read the picture `name`, write its faces as `stem`; the manifest's entry."""
    entry: dict = {"source": name, "files": [], "points": [], "rejected": []}
    size = settings["size"]
    try:
        if settings["aligned"]:
            write_image(folder / f"{stem}.png", read_fitted(photos / name, (size, size), "area"))
            return entry | {"files": [f"{stem}.png"]}
        pixels = read_image(photos / name)
    except InputError as error:
        return entry | {"rejected": [str(error)]}
    found = sorted(_finder(settings["detector"]).find(pixels), key=lambda face: tuple(face.points.mean(axis=0)))
    if not found:
        return entry | {"rejected": ["no face"]}
    for number, face in enumerate(found):
        matrix = alignment(face.points, (size, size), settings["template"])
        enlarged = float(np.hypot(*matrix[:, 0]))
        if enlarged > settings["enlarge"]:
            entry["rejected"].append(f"face {number} would be enlarged {enlarged:.1f} times")
            continue
        file = f"{stem}_{number}.png"
        write_image(folder / file, warped(pixels, matrix, (size, size)))
        entry["files"].append(file)
        entry["points"].append(moved(matrix, face.points).round(2).tolist())
    return entry


@cache
def _finder(detector):
    """The process's own detector."""
    return Finder(detector)


def detected(folder, size, detector=None) -> tuple[dict[str, np.ndarray], list[str]]:
    """Circles of facial parts of square pictures, by the detector's five points.

    Args:
        folder: of the pictures.
        size: side of the pictures the circles are for.

    Returns:
        ({stem: circles [3, 3]}, names of pictures with no face or several).
    """
    finder, found, missed = Finder(detector), {}, []
    listed = listing(folder)
    pairs = zip(listed.names, listed.paths, strict=True)
    for name, path in progress(pairs, len(listed.names), "picture"):
        pixels = fitted(read_image(path), (size, size), "area")
        faces = finder.find(pixels)
        if len(faces) == 1:
            found[path.stem] = circles_of_five(faces[0].points, size)
        else:
            missed.append(name)
    return found, missed
