"""Places of eyes and mouth: circles from 68 landmarks, a table of them by file stem, boxes for a training batch.

A circle is (x, y, half) of a part, in pixels of a square picture of `size`; NaN where the part is not visible. Left
and right are those of the picture. Tables are JSON or NPZ files, whose form `write_table` states;
`tools/make_part_boxes.py` makes them.

Source: TencentARC/GFPGAN scripts/parse_landmark.py (circles) and data/ffhq_degradation_dataset.py,
get_component_coordinates (boxes, flip).
"""

from pathlib import Path

import numpy as np

from engine.errors import InputError
from engine.files import read_arrays, read_json, replacing, said, write_json

PARTS = {"left_eye": slice(36, 42), "right_eye": slice(42, 48), "mouth": slice(48, 68)}  # iBUG's 68 points
ENLARGED = np.array([1.4, 1.4, 1.0])  # half sides of the boxes, in circles' halves
SMALLEST_HALF_AT_512 = 16.0
FARTHEST = 1e6  # pixels; no picture is larger
EYE_HALF, EYE_RISE, MOUTH_DROP = 0.228, -0.031, 0.051  # of the distance of the eyes; means of drawn faces
TABLE = "a table of facial parts, see tools/make_part_boxes.py"


def circles_of(landmarks, size):
    """Circles [3, 3] of 68 landmarks [68, 2] in a picture of `size` pixels.

    The centre is the mean of a part's points, the half its longer extent / 2, at least 16 pixels in 512. A part with a
    point that is not finite is not visible.
    """
    landmarks, smallest = np.asarray(landmarks, np.float64), SMALLEST_HALF_AT_512 * size / 512
    circles = []
    for points in (landmarks[part] for part in PARTS.values()):
        half = max(np.ptp(points, axis=0).max() / 2, smallest) if np.isfinite(points).all() else np.nan
        circles.append([*points.mean(axis=0), half] if np.isfinite(half) else [np.nan] * 3)
    return np.array(circles)


def circles_of_five(points, size):
    """Circles [3, 3] of five points [5, 2] (eyes, nose, mouth corners), where 68 are not known.

    An eye's circle is as large as the eyes' distance makes it on average, a mouth's reaches from corner to corner.
    """
    points, smallest = np.asarray(points, np.float64), SMALLEST_HALF_AT_512 * size / 512
    across = points[1] - points[0]
    down = np.array([-across[1], across[0]])
    eyes = [[*(eye + EYE_RISE * down), max(EYE_HALF * np.hypot(*across), smallest)] for eye in points[:2]]
    half = max(np.hypot(*(points[4] - points[3])) / 2, smallest)
    return np.array([*eyes, [*(points[3:].mean(axis=0) + MOUTH_DROP * down), half]])


def flipped(circles, size):
    """The circles of the picture mirrored left to right: eyes change places. A copy; the argument stays as it is."""
    mirrored = circles[[1, 0, 2]]
    mirrored[:, 0] = size - mirrored[:, 0]
    return mirrored


def boxes_of(circles):
    """(boxes [3, 4] float32: x0, y0, x1, y1; visible [3] float32: 1 or 0). Boxes of invisible parts are zero."""
    half = circles[:, 2:] * ENLARGED[:, None]
    boxes = np.concatenate([circles[:, :2] - half + 1, circles[:, :2] + half], axis=1)
    visible = np.isfinite(boxes).all(axis=1)
    return np.where(visible[:, None], boxes, 0).astype(np.float32), visible.astype(np.float32)


class PartTable:
    """Circles by file stem, for pictures of one size."""

    def __init__(self, faces, size):
        """`faces`: {stem: circles [3, 3]}; `size`: side in pixels of the pictures they are for."""
        self.faces, self.size = faces, size

    def circles(self, name, size):
        """Circles [3, 3] of a picture of `size` pixels; a picture that is not in the table has no visible part.

        Args:
            name: as `ImageFolder.name` gives it; its last component is the stem.
        """
        found = self.faces.get(Path(name).name)
        return np.full((3, 3), np.nan) if found is None else found * (size / self.size)


def write_table(path, table):
    """Write a PartTable, whole or not at all.

    JSON: {"size": 512, "faces": {stem: {"left_eye": [x, y, half], "right_eye": null, "mouth": [...]}}}.
    NPZ: `size` [], `stems` [n] text, `circles` [n, 3, 3] with NaN for what is not visible.
    """
    if Path(path).suffix == ".npz":
        with replacing(path) as temporary, open(temporary, "wb") as file:
            circles = np.array(list(table.faces.values())).reshape(-1, 3, 3)
            np.savez(file, size=table.size, stems=np.array(list(table.faces), dtype=str), circles=circles)
        return
    faces = {}
    for stem, circles in table.faces.items():
        rows = [np.round(row, 3).tolist() if np.isfinite(row).all() else None for row in circles]
        faces[stem] = dict(zip(PARTS, rows, strict=True))
    write_json(path, {"size": table.size, "faces": faces}, None)


def read_table(path):
    """PartTable of a file that `write_table` describes.

    Raises:
        InputError: missing, or of another form.
    """
    try:
        if Path(path).suffix == ".npz":
            file = read_arrays(path, TABLE)
            faces = dict(zip(map(str, file["stems"]), file["circles"].astype(np.float64), strict=True))
            size = float(file["size"])
        else:
            content = read_json(path, TABLE)
            size = float(content["size"])
            faces = {
                stem: np.array([parts[part] or [np.nan] * 3 for part in PARTS], np.float64)
                for stem, parts in content["faces"].items()
            }
        if not all(circles.shape == (3, 3) for circles in faces.values()) or not 0 < size < FARTHEST:
            raise ValueError("a face has other than three circles of three numbers, or the size is not positive")
        if any((np.abs(circles) > FARTHEST).any() for circles in faces.values()):
            raise ValueError(f"a circle lies beyond {FARTHEST:g} pixels")
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise InputError(f"{path}: no table of facial parts ({said(error)}); see tools/make_part_boxes.py") from None
    return PartTable(faces, size)
