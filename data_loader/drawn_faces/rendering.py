"""Rendered faces: a photo or a caricature of a numbered person, with landmarks and identity exact by construction."""

from dataclasses import dataclass

import cv2
import numpy as np

from data_loader.drawn_faces.caricature import paint_caricature
from data_loader.drawn_faces.geometry import IDENTITY_MODES, MIRROR, face_points, framed_view, rotation_matrix
from data_loader.drawn_faces.people import relit, restyled, sampled_appearance, sampled_identity, turned
from data_loader.drawn_faces.photo import paint_photo
from data_loader.drawn_faces.relief import Relief
from data_loader.drawn_faces.scene import Scene

CARICATURE_FACTOR = 2.0  # a caricature's shape coefficients are the identity's times this
SMALLEST_SIZE, SMALLEST_CANVAS = 16, 192
_NOSE_DEPTH = list(IDENTITY_MODES).index("nose_depth")


@dataclass(frozen=True)
class Face:
    """A rendered picture and its truth."""

    image: np.ndarray  # [size, size, 3] float32 RGB in [0, 1]
    landmarks: np.ndarray  # [68, 2] float32 (x, y) pixels, iBUG / 300-W order; pixel (0, 0) has its centre at (0, 0)
    identity: int


def render(identity, variant, size, seed=0, style="photo", varied=False, yaw=None):
    """Render picture `variant` of person `identity`.

    The result depends on the arguments alone. Pictures under 192 pixels are drawn at a whole multiple of their size
    and reduced by area.

    Args:
        identity: label, 0 or more.
        variant: number of the picture of this person, 0 or more.
        size: side in pixels, at least 16.
        seed: seed of the whole population.
        style: "photo" or "caricature": shape coefficients times CARICATURE_FACTOR, flat colours, ink, paper.
        varied: hair, skin tone, lips, eyes and light change from picture to picture, so colour does not tell who it is.
        yaw: how far the head is turned, in radians, in place of the picture's own; beyond 1 parts of a face come apart.

    Returns:
        Face.

    Raises:
        ValueError: on an unknown style or a size below 16.
    """
    if style not in ("photo", "caricature") or size < SMALLEST_SIZE:
        raise ValueError(f"render: style {style!r} size {size}; expected photo or caricature, size >= {SMALLEST_SIZE}")
    person, look = sampled_identity(seed, identity), turned(sampled_appearance(seed, identity, variant), yaw)
    if varied:
        rng = np.random.default_rng([seed, identity, 3, variant])
        person, look = restyled(person, rng), relit(look, rng)
    points, view, canvas = posed_face(person, look, size, style)
    relief = Relief(points, look.expression[0], 1 + 0.15 * person.shape[_NOSE_DEPTH], view.scale)
    scene = Scene(person, look, points, view, canvas, relief)
    image = (paint_photo if style == "photo" else paint_caricature)(scene)
    if canvas != size:
        image = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
    return Face(image, _reduced(scene.pixels[:68], canvas, size), int(identity))


def face_landmarks(identity, variant, size, seed=0, style="photo"):
    """The landmarks of the Face that `render` draws for the same arguments, without drawing it."""
    person, look = sampled_identity(seed, identity), sampled_appearance(seed, identity, variant)
    points, view, canvas = posed_face(person, look, size, style)
    return _reduced(view.pixels(points)[:68], canvas, size)


def _reduced(pixels, canvas, size):
    """Pixel coordinates of a square of side `canvas` in the same picture of side `size`."""
    return ((pixels + 0.5) * (size / canvas) - 0.5).astype(np.float32) if canvas != size else pixels.astype(np.float32)


def posed_face(person, look, size, style):
    """(points [102, 3] in face units, View, side of the canvas in pixels) of a picture."""
    canvas = size * max(1, -(-SMALLEST_CANVAS // size))
    factor = CARICATURE_FACTOR if style == "caricature" else 1.0
    points = face_points(person.shape * factor, look.expression)
    view = framed_view(
        points, rotation_matrix(*look.angles), canvas, look.zoom, look.shift, fits_outline=style == "caricature"
    )
    return points, view, canvas


def flip_landmarks(landmarks, width):
    """Landmarks [..., 68, 2] of the picture mirrored left to right, `width` pixels wide; its own inverse."""
    flipped = np.asarray(landmarks)[..., MIRROR, :].copy()
    flipped[..., 0] = width - 1 - flipped[..., 0]
    return flipped
