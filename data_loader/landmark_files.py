"""Landmarks in files of several sources: JSON by stem, ffhq-dataset-v2.json, the .pth of the official GFP-GAN."""

from pathlib import Path

import numpy as np

from data_loader.facial_parts import FARTHEST, PARTS
from engine.errors import InputError
from engine.files import read_json, said
from engine.images import list_images


def official_circles(tree, path, images=None):
    """{stem: circles [3, 3]} of the official GFP-GAN's .pth, whose keys are numbers of eight digits.

    Args:
        tree: what the file holds.
        path: its name, for errors.
        images: folder whose sorted files the numbers count; None: the stems are the numbers, of five digits.

    Raises:
        InputError: another form, or a number that the folder does not reach.
    """
    stems = [file.stem for file in list_images(images)] if images else None
    faces = {}
    try:
        for key, parts in tree.items():
            stem = f"{int(key):05d}" if stems is None else stems[int(key)]
            faces[stem] = np.array([[float(value) for value in parts[part]] for part in PARTS]).reshape(3, 3)
    except IndexError:
        raise InputError(f"{images}: holds {len(stems)} pictures, {path} has a picture {key}") from None
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise InputError(f"{path}: no landmarks of the official form ({said(error)})") from None
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
        raise InputError(f"{path}: no known form of landmarks ({said(error)})") from None
    return points


def _stem_and_points(key, face):
    if isinstance(face, dict) and "image" in face:  # ffhq-dataset-v2.json
        key, face = Path(face["image"]["file_path"]).stem, face["image"]["face_landmarks"]
    elif isinstance(face, dict):
        face = face["landmarks"]
    return key, np.array([[np.nan, np.nan] if point is None else point for point in face], np.float64)
