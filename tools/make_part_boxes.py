"""Make the table of facial parts that GFP-GAN's training reads, from landmarks of any source.

python tools/make_part_boxes.py --landmarks lite_data/train/landmarks.json --size 256 --output parts.json
python tools/make_part_boxes.py --landmarks ffhq-dataset-v2.json --size 1024 --output parts.json
python tools/make_part_boxes.py --landmarks FFHQ_eye_mouth_landmarks_512.pth --size 512 --output parts.npz

A source is one of
* 68 points by file stem, JSON: {"00000": [[x, y], ...], ...}, or as tools/make_lite_data.py writes it
  {"faces": {"face_000000": {"landmarks": [[x, y], ...]}}}; null stands for a point that is not visible;
* ffhq-dataset-v2.json of NVlabs/ffhq-dataset, whose stems are those of its image files;
* the .pth of the official GFP-GAN, which counts pictures: picture 7 has the stem 00007, or, with --images, the eighth
  file of that folder in sorted order.
`--size` is the side of the square pictures the coordinates are for; the table serves training at every size.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np  # noqa: E402

from data_loader.facial_parts import FARTHEST, PARTS, PartTable, circles_of, write_table  # noqa: E402
from engine.cli import Flag, guarded, parse  # noqa: E402
from engine.data_files import read_json, said  # noqa: E402
from engine.errors import InputError  # noqa: E402
from engine.images import list_images  # noqa: E402
from engine.weights.files import read_tree  # noqa: E402

OWN = {
    "landmarks": Flag("file of landmarks", default=None, metavar="FILE"),
    "size": Flag("side of the pictures the landmarks are for", int, default=512, metavar="PIXELS"),
    "images": Flag("folder whose sorted files the official .pth counts", default=None, metavar="DIR"),
    "output": Flag("table to write, .json or .npz", default="parts.json", metavar="FILE"),
}


def official_circles(path, images=None):
    """{stem: circles [3, 3]} of the official .pth, whose keys are numbers of eight digits.

    Raises:
        InputError: another form, or a number that the folder does not reach.
    """
    stems = [file.stem for file in list_images(images)] if images else None
    tree, faces = read_tree(path), {}
    try:
        for key, parts in tree.items():
            stem = f"{int(key):05d}" if stems is None else stems[int(key)]
            faces[stem] = np.array([[float(value) for value in parts[part]] for part in PARTS]).reshape(3, 3)
    except IndexError:
        raise InputError(f"{images}: holds {len(stems)} pictures, {path} has a picture {key}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: no landmarks of the official form ({type(error).__name__}: {error})") from None
    return faces


def landmarks_of(path):
    """{stem: [68, 2]} of one of the JSON forms, NaN where a point is null.

    Raises:
        InputError: missing, or of another form.
    """
    try:
        content = read_json(path, "a file of landmarks")
        faces = content.get("faces", content)
        points = dict(_stem_and_points(key, face) for key, face in faces.items())
        if not points or any(array.shape != (68, 2) for array in points.values()):
            raise ValueError("expected 68 points (x, y) a face")
        if any((np.abs(array) > FARTHEST).any() for array in points.values()):
            raise ValueError(f"a point lies beyond {FARTHEST:g} pixels")
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise InputError(f"{path}: no landmarks that are known ({said(error)})") from None
    return points


def _stem_and_points(key, face):
    if isinstance(face, dict) and "image" in face:  # ffhq-dataset-v2.json
        key, face = Path(face["image"]["file_path"]).stem, face["image"]["face_landmarks"]
    elif isinstance(face, dict):
        face = face["landmarks"]
    return key, np.array([[np.nan, np.nan] if point is None else point for point in face], np.float64)


def main(argv=None):
    """Read the landmarks, write the table, say what is in it."""
    arguments = parse(__doc__, {}, argv, standing=(), own=OWN)
    if arguments.landmarks is None or not arguments.size or arguments.size < 1:
        raise InputError("--landmarks FILE and a positive --size are needed")
    if Path(arguments.output).suffix not in (".json", ".npz"):
        raise InputError(f"--output {arguments.output}: expected .json or .npz")
    if Path(arguments.landmarks).suffix == ".pth":
        faces = official_circles(arguments.landmarks, arguments.images)
    else:
        faces = {stem: circles_of(points, arguments.size) for stem, points in landmarks_of(arguments.landmarks).items()}
    write_table(arguments.output, PartTable(faces, arguments.size))
    hidden = sum(int((~np.isfinite(circles)).any(axis=1).sum()) for circles in faces.values())
    print(f"{arguments.output}: {len(faces)} faces of {arguments.size} x {arguments.size}, {hidden} parts not visible")


if __name__ == "__main__":
    guarded(main)
