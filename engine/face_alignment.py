"""Seventeen landmarks, the template they are brought to, and the similarity that does it.

Landmarks: 0 hairline, 1 left ear, 2 chin, 3 right ear, 4-5 left brow, 6-7 right brow, 8-9 left eye, 10-11 right eye,
12 nose tip, 13 upper lip, 14 left mouth corner, 15 lower lip, 16 right mouth corner; left and right of the picture.
Points are (x, y) pixels; the centre of the first pixel is (0, 0).

Source: Huo et al. 2018 (WebCaricature: the landmarks); Liu et al. 2017 and clcarwin/sphereface_pytorch (template);
MATLAB's cp2tform (nonreflective similarity); Umeyama 1991.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from engine.images import resize

NUM_LANDMARKS = 17
TEMPLATE_SIZE = (112, 96)  # height, width
TEMPLATE = np.array(  # left eye, right eye, nose tip, mouth corners
    [(30.2946, 51.6963), (65.5318, 51.5014), (48.0252, 71.7366), (33.5493, 92.3655), (62.7299, 92.2041)]
)
TEMPLATES = {  # of whole faces: five points in a crop of 512 px
    "ffhq": np.array(
        [
            (192.98138, 239.94708),
            (318.90277, 240.1936),
            (256.63416, 314.01935),
            (201.26117, 371.41043),
            (313.08905, 371.15118),
        ]
    ),
    "gpen": (TEMPLATE + (36, 28)) * 512 / 168,
}  # sources: facexlib's face template; GPEN's align_faces.py with an inner padding of 0.25
FINEST = 2.0  # pixels a template pixel at which a picture is sampled at least, then averaged


def five_points(landmarks: np.ndarray) -> np.ndarray:
    """[17, 2] -> [5, 2]: eye centres, nose tip, mouth corners."""
    points = np.asarray(landmarks, float)
    return np.stack([points[8:10].mean(0), points[10:12].mean(0), points[12], points[14], points[16]])


def five_of_68(landmarks: np.ndarray) -> np.ndarray:
    """[68, 2] in iBUG order -> [5, 2]: eye centres, nose tip, mouth corners."""
    points = np.asarray(landmarks, float)
    return np.stack([points[[36, 39]].mean(0), points[[42, 45]].mean(0), points[30], points[48], points[54]])


def cp2tform(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """[2, 3] similarity without reflection that takes `source` [N, 2] to `target` [N, 2].

    The error is minimised among the source points: the map from target to source is fitted, then inverted.

    Source: MATLAB cp2tform, "nonreflective similarity".
    Differs: cp2tform's "similarity" also tries a reflection and keeps the better fit, which mirrors strong caricatures;
    a face is never mirrored to fit.
    """
    x, y = np.asarray(target, float).T
    ones, zeros = np.ones_like(x), np.zeros_like(x)
    equations = np.concatenate([np.stack([x, y, ones, zeros], 1), np.stack([y, -x, zeros, ones], 1)])
    c, s, dx, dy = np.linalg.lstsq(equations, np.asarray(source, float).T.ravel(), rcond=None)[0]
    inverse = np.linalg.inv([[c, s, dx], [-s, c, dy], [0, 0, 1]])
    return inverse[:2]


def umeyama(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """[2, 3] similarity without reflection with the least squared error among the target points.

    Source: Umeyama 1991, equations (40) to (43).
    """
    source, target = np.asarray(source, float), np.asarray(target, float)
    a, b = source - source.mean(0), target - target.mean(0)
    u, singular, vt = np.linalg.svd(b.T @ a / len(a))
    signs = np.array([1.0, np.sign(np.linalg.det(u @ vt))])
    rotation = u @ np.diag(signs) @ vt
    linear = rotation * (singular @ signs) / a.var(0).sum()
    return np.column_stack([linear, target.mean(0) - linear @ source.mean(0)])


def template_points(name: str, size: Sequence[int]) -> np.ndarray:
    """[5, 2] where a template wants the points of a face in a crop of size = (height, width).

    Args:
        name: of TEMPLATES, for square crops, or "sphereface", for crops of 7 : 6.
    """
    if name == "sphereface":
        return (TEMPLATE + 0.5) * size[1] / TEMPLATE_SIZE[1] - 0.5
    return (TEMPLATES[name] + 0.5) * size[1] / 512 - 0.5


def alignment(points: np.ndarray, size: Sequence[int], template: str = "ffhq") -> np.ndarray:
    """[2, 3] from a photo to a crop of size = (height, width): the similarity that brings five points to a template."""
    return umeyama(points, template_points(template, size))


def moved(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """[2, 3] applied to [N, 2]."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def placed_template(scale: float, margin: float) -> np.ndarray:
    """The template's five points in a picture of `scale` pixels a template pixel with a border of `margin` pixels."""
    return scale * TEMPLATE + margin


def aligned(
    image: np.ndarray, landmarks: np.ndarray, size: Sequence[int], margin: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """The face of a picture brought to the template.

    Args:
        image: [H, W, 3].
        landmarks: [17, 2].
        size: (height, width), 7 : 6.
        margin: pixels more on every side.

    Returns:
        (image [height + 2 margin, width + 2 margin, 3], landmarks [17, 2] in it). What lies outside the picture is 0.

    Source: the released SphereFace alignment; bilinear, zero border.
    Differs: the picture is sampled at FINEST pixels a template pixel or more and averaged, so that small faces do not
    alias; at 224 x 192 and 112 x 96 this is what the reference does.
    """
    height, width = size
    scale = width / TEMPLATE_SIZE[1]
    wanted = (height + 2 * margin, width + 2 * margin)
    crop, matrix = face_crop(image, five_points(landmarks), placed_template(scale, margin), wanted, scale)
    return crop, moved(matrix, np.asarray(landmarks, float))


def face_crop(
    image: np.ndarray, five: np.ndarray, template: np.ndarray, size: Sequence[int], scale: float
) -> tuple[np.ndarray, np.ndarray]:
    """A picture with the five points of its face brought to those of a template.

    Args:
        image: [H, W, 3].
        five: [5, 2] in the picture; template: [5, 2] in the crop.
        size: (height, width) of the crop.
        scale: pixels of the crop a pixel of TEMPLATE.

    Returns:
        (crop [height, width, 3], 0 outside the picture; [2, 3] similarity from picture to crop).
    """
    fineness = int(np.ceil(FINEST / scale))
    matrix = cp2tform(five, template)
    fine = matrix * fineness
    fine[:, 2] += (fineness - 1) / 2  # pixel centres, not corners, are whole numbers
    warped = cv2.warpAffine(image, fine, (size[1] * fineness, size[0] * fineness), flags=cv2.INTER_LINEAR)
    return resize(warped, size, "area"), matrix
