"""A photo of several drawn people, for tests and pages that need a whole photo without a real person."""

import cv2
import numpy as np

from data_loader.drawn_faces.rendering import render
from engine import config as configuration
from engine import images
from engine.face_alignment import five_of_68
from engine.files import write_json

PLACES = ((0.54, 0.19, 0.52), (0.66, 0.51, 0.47), (0.50, 0.83, 0.56))  # side and centre (x, y) of each face's picture


def group_photo(height, width, seed=0, people=(11, 25, 42)):
    """Three drawn faces before a soft background.

    Returns:
        ([height, width, 3] RGB float32 in [0, 1]; [3, 5, 2], the faces' five points (x, y)).
    """
    rng = np.random.default_rng(seed)
    coarse = (0.4 + 0.2 * rng.random((4, 5, 1)) + 0.06 * rng.random((4, 5, 3))).astype(np.float32)
    photo, points = np.clip(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), 0, 1), []
    for identity, (share, x, y) in zip(people, PLACES, strict=True):
        side = 2 * round(0.5 * share * height)
        face = render(identity, seed, max(256, side))
        picture = images.resize(face.image, (side, side), "area")
        rows, columns = np.mgrid[:side, :side] * (2 / (side - 1)) - 1
        soft = np.clip((1 - (columns**2 + rows**2)) / 0.3, 0, 1)[..., None].astype(np.float32)
        top, left = round(y * height - side / 2), round(x * width - side / 2)
        inside = (slice(max(0, -top), min(side, height - top)), slice(max(0, -left), min(side, width - left)))
        place = photo[max(0, top) : top + side, max(0, left) : left + side]
        place += soft[inside] * (picture[inside] - place)
        points.append((five_of_68(face.landmarks) + 0.5) * side / len(face.image) - 0.5 + (left, top))
    return photo, np.array(points)


def written_photo(folder, size, path):
    """Write a group photo of (height, width), degraded as the validation data of a YAML file, and its points.

    Returns:
        (the photo [height, width, 3]; words for predict.py and infer.py that name photo.png and points.json).
    """
    photo, points = group_photo(*size)
    degraded = configuration.load(path).data.validation.degradation.degraded(photo, np.random.default_rng(5))
    images.write_image(folder / "photo.png", degraded)
    write_json(folder / "points.json", {"photo.png": points.tolist()}, None)
    return degraded, ["--img", folder / "photo.png", "--points", folder / "points.json"]
