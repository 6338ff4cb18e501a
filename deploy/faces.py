"""Choose the faces of a photo to restore: found by the detector or read from a file; all of them or some."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from engine.errors import InputError
from engine.face_alignment import alignment, moved
from engine.face_detection import Face, Finder, detector_file
from engine.files import read_json

__all__ = ["Face", "Finder", "covered", "detector_file", "given", "read_boxes", "read_points", "selected", "which"]


def selected(faces: Sequence[Face], size: Sequence[int], which: str) -> list[Face]:
    """The faces that `which` names, in order from left to right.

    Args:
        faces: of one photo.
        size: (height, width) of the photo.
        which: all, the largest, the one nearest to the centre ("center"), or numbers such as "0,2", counted from the
            left. Numbers that a photo does not have name nothing.
    """
    ordered = sorted(faces, key=lambda face: tuple(face.points.mean(axis=0)))
    if which == "all" or not ordered:
        return ordered
    if which == "largest":
        return [max(ordered, key=lambda face: float(np.ptp(face.points, axis=0).prod()))]
    if which == "center":
        middle = (np.array(size[::-1]) - 1) / 2
        return [min(ordered, key=lambda face: float(np.hypot(*(face.points.mean(axis=0) - middle))))]
    wanted = {int(number) for number in which.split(",")}
    return [face for number, face in enumerate(ordered) if number in wanted]


def which(args: Any) -> str:
    """The choice of --faces or --only_center_face, for `selected`. InputError if both are given and differ."""
    if args.only_center_face and args.faces not in ("all", "center"):
        raise InputError(f"--only_center_face and --faces {args.faces}: give one of them")
    return "center" if args.only_center_face else args.faces


def given(points: np.ndarray) -> Face:
    """The face of five points [5, 2]; its box is what they span, twice as large."""
    points = np.asarray(points, np.float64)
    low, high = points.min(axis=0), points.max(axis=0)
    return Face(points, np.concatenate([low - (high - low) / 2, high + (high - low) / 2]))


def covered(found: Sequence[Face], size: Sequence[int], template: str) -> np.ndarray:
    """[H, W, 1], 1 in the lower part of each face of a photo of (height, width): `images.face_box`, brought there."""
    mask = np.zeros((*size, 1), np.float32)
    for face in found:
        back = cv2.invertAffineTransform(alignment(face.points, (512, 512), template))
        corners = np.array([(127.5, 255.5), (383.5, 255.5), (383.5, 511.5), (127.5, 511.5)])
        cv2.fillConvexPoly(mask[..., 0], moved(back, corners).round().astype(np.int32), 1.0)
    return mask


def read_points(path: str | Path) -> dict[str, list[Face]]:
    """Photo name -> its faces, of a JSON file {name: [five [x, y] a face, ...]}. InputError: it is something else."""
    found = {name: _array(path, "--points", name, faces, (5, 2)) for name, faces in _entries(path, "--points").items()}
    for name, faces in found.items():
        if any(np.ptp(face, axis=0).max() < 1 for face in faces):
            raise InputError(f"--points {path}: {name}: expected five points that lie apart")
    return {name: [given(face) for face in faces] for name, faces in found.items()}


def read_boxes(path: str | Path) -> dict[str, np.ndarray]:
    """Photo name -> [N, 4], of a JSON file {name: [[x0, y0, x1, y1] a face, ...]}. InputError: it is something else."""
    found = {name: _array(path, "--boxes", name, boxes, (4,)) for name, boxes in _entries(path, "--boxes").items()}
    for name, boxes in found.items():
        if (boxes[:, 2:] - boxes[:, :2] < 1).any():
            raise InputError(f"--boxes {path}: {name}: expected x0 < x1 and y0 < y1, at least one pixel apart")
    return found


def _entries(path, flag):
    entries = read_json(path, "JSON {photo: [faces]}")
    if not isinstance(entries, dict):
        raise InputError(f"{flag} {path}: expected JSON {{photo: [faces]}}, found a {type(entries).__name__}")
    return entries


def _array(path, flag, name, faces, shape):
    """[N, *shape] of finite numbers."""
    try:
        array = np.array(faces, np.float64).reshape(len(faces), *shape)
    except (ValueError, TypeError) as error:
        what = "five [x, y]" if shape == (5, 2) else "[x0, y0, x1, y1]"
        raise InputError(f"{flag} {path}: {name}: expected a list with {what} per face ({error})") from error
    if not np.isfinite(array).all():
        raise InputError(f"{flag} {path}: {name}: expected finite numbers")
    return array
