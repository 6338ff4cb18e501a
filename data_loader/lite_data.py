"""A small set of procedural faces in files: clean, degraded and masked pictures with their landmarks."""

import json
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import cv2
import numpy as np

from data_loader.degrade import degrade
from data_loader.drawn_faces.rendering import render
from data_loader.masks import drawn_hole
from engine.errors import InputError
from engine.files import write_json
from engine.images import counted, write_image
from engine.log import progress
from engine.runtime import usable_cores

HELD_OUT = 100000  # first identity of val/
HOLES = (0.2, 0.4)  # part of a picture that its mask hides


def write_face(identity, folders, size, seed, ranges):
    """Render one person into folders[0]; with three folders also its degraded copy and a mask into the others.

    Returns:
        (name, {"identity", "landmarks"}) for landmarks.json.
    """
    face, name = render(identity, 0, size, seed), f"face_{identity:06d}"
    write_image(folders[0] / f"{name}.png", face.image)
    if len(folders) > 1:
        degraded = degrade(face.image, ranges, np.random.default_rng([seed, identity]))
        hole = drawn_hole("strokes", (size, size), HOLES, 0.0, np.random.default_rng([seed, identity]))
        write_image(folders[1] / f"{name}.png", degraded)
        write_image(folders[2] / f"{name}.png", hole[..., None].repeat(3, axis=2).astype(np.float32))
    return name, {"identity": identity, "landmarks": np.round(face.landmarks, 3).astype(float).tolist()}


def write_split(root, folders, identities, size, seed, ranges):
    """Bring one split up to date.

    Args:
        root: where landmarks.json lies.
        folders: [clean] or [clean, degraded, masks].
        identities: range of labels.
        size, seed: of `render`.
        ranges: DegradationRanges.

    Yields:
        a line for each of its folders.
    """
    table = root / "landmarks.json"
    is_pair = len(folders) > 1
    settings = {
        "identities": [identities.start, identities.stop],
        "size": size,
        "seed": seed,
        "degradation": ranges.model_dump(mode="json") if is_pair else None,
        "holes": list(HOLES) if is_pair else None,
    }
    names = [f"face_{identity:06d}.png" for identity in identities]
    complete = table.is_file() and _settings_of(table) == settings
    complete = complete and all((folder / name).is_file() for folder in folders for name in names)
    if not complete:
        _make_writable(folders)
        table.unlink(missing_ok=True)
        cv2.setNumThreads(1)  # in the processes to come; in one that was forked it waits for threads it does not have
        with ProcessPoolExecutor(usable_cores()) as pool:
            work = partial(write_face, folders=folders, size=size, seed=seed, ranges=ranges)
            faces = dict(progress(pool.map(work, identities, chunksize=4), len(identities), "picture"))
        write_json(table, {"settings": settings, "faces": faces}, None)
    for folder in folders:
        for stale in set(folder.glob("face_*.png")) - {folder / name for name in names}:
            stale.unlink()
        state = "already there" if complete else "written"
        people = f"identities {identities.start} to {identities.stop - 1}"
        yield f"{folder}: {counted(len(names), 'picture')} of {size} x {size}, {people}, {state}"


def _make_writable(folders):
    """Create the folders; InputError where that is not possible."""
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{folder}: cannot be made ({error.strerror}); expected a folder to write to") from error


def _settings_of(table):
    """The settings a landmarks.json was written with; None if it is not one of ours."""
    try:
        return json.loads(table.read_text(encoding="utf-8"))["settings"]
    except (ValueError, KeyError, TypeError):
        return None
