"""Write a small set of procedural faces: train/, val/hq/, its degraded copies val/lq/ and holes val/mask/, landmarks.

python tools/make_lite_data.py
python tools/make_lite_data.py --output lite_data --train 200 --val 16 --size 256 --seed 0

The people of val/ are not in train/. Each folder's landmarks.json holds identity and 68 points of every picture. The
degradation is that of the configuration's validation data; a mask is white in the hole, 20 to 40 % of the picture. A
second call with the same numbers writes nothing.
"""

import json
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cv2  # noqa: E402
import numpy as np  # noqa: E402

from data_loader.degrade import degrade  # noqa: E402
from data_loader.drawn_faces.rendering import SMALLEST_SIZE, render  # noqa: E402
from data_loader.masks import drawn_hole  # noqa: E402
from engine.cli import Flag, guarded, parse  # noqa: E402
from engine.errors import InputError  # noqa: E402
from engine.files import write_text  # noqa: E402
from engine.images import write_image  # noqa: E402
from engine.runtime import usable_cores  # noqa: E402

HELD_OUT = 100000  # first identity of val/
HOLES = (0.2, 0.4)  # part of a picture that its mask hides
OWN = {
    "output": Flag("folder to write", default="lite_data", metavar="DIR"),
    "train": Flag("number of training pictures", int, default=200, metavar="N"),
    "val": Flag("number of validation pairs", int, default=16, metavar="N"),
    "size": Flag("side of the pictures in pixels", int, default=256, metavar="N"),
}


def write_face(identity, folders, size, seed, ranges):
    """Render one person into folders[0]; with three folders also its degraded copy and a mask into the others.

    Returns:
        (name, {"identity", "landmarks"}) for landmarks.json.
    """
    cv2.setNumThreads(1)
    face, name = render(identity, 0, size, seed), f"face_{identity:06d}"
    write_image(folders[0] / f"{name}.png", face.image)
    if len(folders) > 1:
        degraded = degrade(face.image, ranges, np.random.default_rng([seed, identity]))
        hole = drawn_hole("strokes", (size, size), HOLES, 0.0, np.random.default_rng([seed, identity]))
        write_image(folders[1] / f"{name}.png", degraded)
        write_image(folders[2] / f"{name}.png", hole[..., None].repeat(3, axis=2).astype(np.float32))
    return name, {"identity": identity, "landmarks": np.round(face.landmarks, 3).astype(float).tolist()}


def write_split(root, folders, identities, size, seed, ranges):
    """Bring one split up to date and print a line for each of its folders.

    Args:
        root: where landmarks.json lies.
        folders: [clean] or [clean, degraded, masks].
        identities: range of labels.
        size, seed: of `render`.
        ranges: DegradationRanges.
    """
    table = root / "landmarks.json"
    settings = {"identities": [identities.start, identities.stop], "size": size, "seed": seed,
                "degradation": ranges.model_dump(mode="json") if len(folders) > 1 else None,
                "holes": list(HOLES) if len(folders) > 1 else None}  # fmt: skip
    names = [f"face_{identity:06d}.png" for identity in identities]
    complete = table.is_file() and _settings_of(table) == settings
    complete = complete and all((folder / name).is_file() for folder in folders for name in names)
    if not complete:
        _make_writable(folders)
        table.unlink(missing_ok=True)
        with ProcessPoolExecutor(usable_cores()) as pool:
            work = partial(write_face, folders=folders, size=size, seed=seed, ranges=ranges)
            faces = dict(pool.map(work, identities, chunksize=4))
        write_text(table, json.dumps({"settings": settings, "faces": faces}))
    for folder in folders:
        for stale in set(folder.glob("face_*.png")) - {folder / name for name in names}:
            stale.unlink()
        state = "already there" if complete else "written"
        print(f"{folder}: {len(names)} pictures of {size} x {size}, identities "
              f"{identities.start} to {identities.stop - 1}, {state}")  # fmt: skip


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


def main(argv=None):
    """Read the command line and write both splits."""
    arguments = parse(__doc__, {}, argv, standing=("seed",), own=OWN)
    for name, least, most in (("train", 1, HELD_OUT), ("val", 1, HELD_OUT), ("size", SMALLEST_SIZE, 4096)):
        value = getattr(arguments, name)
        if value is None or not least <= value <= most:
            raise InputError(f"--{name}: found {value}, expected {least} to {most}")
    output, ranges = Path(arguments.output), arguments.config.data.validation.degradation
    seed, size = arguments.config.seed, arguments.size
    write_split(output / "train", [output / "train"], range(arguments.train), size, seed, ranges)
    val = output / "val"
    people = range(HELD_OUT, HELD_OUT + arguments.val)
    write_split(val, [val / "hq", val / "lq", val / "mask"], people, size, seed, ranges)


if __name__ == "__main__":
    guarded(main)
