"""Control points of a face: the mean, linear modes of identity and expression, pose and framing.

The first 68 points are the iBUG / 300-W landmarks. Everything drawn passes through these points, so the landmarks are
exact by construction. Both mode tables are linear: a caricature is the same identity with its coefficients multiplied.

Source: the landmark order is that of Sagonas et al. 2013 (300-W); the framing rule is the FFHQ crop (Karras et al.
2019, dataset script): centre at eyes + 0.1 eye-to-mouth, half side max(2 eye-to-eye, 1.8 eye-to-mouth).
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

PARTS = {
    "jaw": slice(0, 17), "left_brow": slice(17, 22), "right_brow": slice(22, 27), "bridge": slice(27, 31),
    "nostrils": slice(31, 36), "left_eye": slice(36, 42), "right_eye": slice(42, 48), "outer_lips": slice(48, 60),
    "inner_lips": slice(60, 68), "skull": slice(68, 79), "hairline": slice(79, 88), "left_ear": slice(88, 95),
    "right_ear": slice(95, 102),
}  # fmt: skip
MIRROR = np.array(
    [*range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1), 45, 44, 43, 42, 47, 46, 39, 38, 37, 36,
     41, 40, *range(54, 47, -1), *range(59, 54, -1), 64, 63, 62, 61, 60, 67, 66, 65]
)  # fmt: skip

_LEFT = {  # image-left half, from the outside in; the last point of an odd part lies on the mid-line
    "jaw": [(-1.01, 0.04, -0.52), (-1.00, 0.34, -0.50), (-0.965, 0.64, -0.46), (-0.885, 0.93, -0.40),
            (-0.75, 1.19, -0.31), (-0.58, 1.42, -0.19), (-0.39, 1.60, -0.06), (-0.195, 1.71, 0.04), (0.0, 1.745, 0.08)],
    "left_brow": [(-0.85, -0.20, -0.05), (-0.71, -0.33, 0.09), (-0.53, -0.375, 0.17), (-0.35, -0.35, 0.22),
                  (-0.19, -0.30, 0.24)],
    "bridge": [(0.0, -0.06, 0.22), (0.0, 0.14, 0.36), (0.0, 0.34, 0.50), (0.0, 0.53, 0.62)],
    "nostrils": [(-0.23, 0.66, 0.28), (-0.115, 0.705, 0.40), (0.0, 0.73, 0.45)],
    "left_eye": [(-0.735, 0.02, -0.08), (-0.60, -0.10, 0.03), (-0.41, -0.105, 0.06), (-0.275, 0.045, 0.02),
                 (-0.41, 0.088, 0.04), (-0.59, 0.090, 0.01)],
    "upper_lip": [(-0.41, 1.12, 0.17), (-0.26, 1.048, 0.31), (-0.10, 0.998, 0.40), (0.0, 1.018, 0.42)],
    "lower_lip": [(-0.27, 1.215, 0.28), (-0.12, 1.27, 0.36), (0.0, 1.28, 0.37)],
    "inner_upper": [(-0.37, 1.12, 0.19), (-0.13, 1.103, 0.36), (0.0, 1.11, 0.38)],
    "inner_lower": [(-0.13, 1.117, 0.36), (0.0, 1.122, 0.37)],
    "skull": [(-1.035, -0.22, -0.55), (-1.035, -0.55, -0.53), (-0.965, -0.88, -0.50), (-0.78, -1.18, -0.46),
              (-0.46, -1.40, -0.42), (0.0, -1.49, -0.40)],
    "hairline": [(-0.975, 0.12, -0.46), (-0.93, -0.30, -0.38), (-0.84, -0.68, -0.22), (-0.50, -0.97, -0.02),
                 (0.0, -1.05, 0.05)],
    "left_ear": [(-0.98, -0.10, -0.66), (-1.08, -0.16, -0.74), (-1.155, -0.04, -0.80), (-1.155, 0.18, -0.80),
                 (-1.10, 0.38, -0.76), (-1.04, 0.55, -0.72), (-0.96, 0.52, -0.66)],
}  # fmt: skip


def _mean_points():
    """[102, 3]: the mean face from its image-left half."""
    flip = np.array([-1.0, 1.0, 1.0])
    half = {name: np.array(points) for name, points in _LEFT.items()}

    def whole(name):
        return np.concatenate([half[name], half[name][-2::-1] * flip])

    lower = np.concatenate([half["lower_lip"], half["lower_lip"][-2::-1] * flip])[::-1]
    inner = np.concatenate([half["inner_lower"], half["inner_lower"][-2::-1] * flip])[::-1]
    right_eye = (half["left_eye"] * flip)[[3, 2, 1, 0, 5, 4]]
    return np.concatenate(
        [whole("jaw"), half["left_brow"], half["left_brow"][::-1] * flip, half["bridge"], whole("nostrils"),
         half["left_eye"], right_eye, whole("upper_lip"), lower, whole("inner_upper"), inner, whole("skull"),
         whole("hairline"), half["left_ear"], half["left_ear"] * flip]
    )  # fmt: skip


MEAN = _mean_points()


def _smooth(value, low, high):
    """Smoothstep of `value` from 0 at `low` to 1 at `high`."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def _select(*names):
    """[102, 1]: 1 on the named parts."""
    chosen = np.zeros([len(MEAN), 1])
    for name in names:
        chosen[PARTS[name]] = 1
    return chosen


def _stack(dx=0.0, dy=0.0, dz=0.0):
    """[102, 3] from three components."""
    return np.stack([np.broadcast_to(np.asarray(d, float), [len(MEAN)]) for d in (dx, dy, dz)], 1)


def _about_eyes():
    """[102, 3]: offset of every eye point from its own eye's centre, 0 elsewhere."""
    offset = np.zeros_like(MEAN)
    for part in ("left_eye", "right_eye"):
        offset[PARTS[part]] = MEAN[PARTS[part]] - MEAN[PARTS[part]].mean(0)
    return offset


def _identity_modes():
    """name -> [102, 3]: displacement of one standard deviation."""
    x, y, _ = MEAN.T
    side, away = np.sign(x) * (np.abs(x) > 1e-6), np.abs(x)
    outline = _select("jaw", "skull", "hairline", "left_ear", "right_ear")
    jaw, brows = _select("jaw"), _select("left_brow", "right_brow")
    eyes, nose = _select("left_eye", "right_eye"), _select("bridge", "nostrils")
    lips, ears = _select("outer_lips", "inner_lips"), _select("left_ear", "right_ear")
    upper, lower = np.zeros([len(MEAN), 1]), np.zeros([len(MEAN), 1])
    upper[49:54], lower[55:60] = 1, 1
    lip_profile = np.clip(1 - (x / 0.42) ** 2, 0, 1)
    eye_offset, top = _about_eyes(), _smooth(-y, 0.2, 1.3)
    side_of_face = _smooth(away, 0.3, 0.9)
    ear_centre = np.where(x < 0, -1.0, 1.0)
    return {
        "face_width": outline * _stack(dx=0.045 * x),
        "face_length": _stack(dy=0.045 * np.clip(y, 0, None)),
        "jaw_width": jaw * _stack(dx=0.060 * side * _smooth(y, 0.3, 1.1) * side_of_face),
        "cheek_width": (jaw + ears) * _stack(dx=0.04 * side * np.exp(-(((y - 0.35) / 0.45) ** 2))),
        "chin_length": jaw * _stack(dy=0.075 * _smooth(y, 0.7, 1.75)),
        "chin_width": jaw * _stack(dx=0.042 * side * np.exp(-(((y - 1.68) / 0.22) ** 2))),
        "forehead": _select("skull", "hairline") * _stack(dy=-0.065 * top),
        "skull_width": _select("skull", "hairline") * _stack(dx=0.035 * x * _smooth(-y, 0.0, 0.8)),
        "hairline": _select("hairline") * _stack(dy=-0.05 * top),
        "temples": _select("hairline") * _stack(dy=-0.06 * np.exp(-(((away - 0.55) / 0.25) ** 2)) * top),
        "eye_distance": (eyes + brows * 0.8) * _stack(dx=0.026 * side),
        "eye_size": 0.075 * eye_offset,
        "eye_openness": 0.13 * eye_offset * np.array([0, 1, 0]),
        "eye_tilt": eyes * _stack(dy=-0.10 * (away - 0.5)),
        "eye_height": (eyes + brows) * _stack(dy=0.022),
        "brow_height": brows * _stack(dy=-0.03),
        "brow_tilt": brows * _stack(dy=-0.13 * (away - 0.5)),
        "brow_arch": brows * _stack(dy=-0.04 * (1 - ((away - 0.52) / 0.33) ** 2)),
        "brow_gap": brows * _stack(dx=0.03 * side * (1 - _smooth(away, 0.2, 0.8))),
        "nose_length": (nose + 0.45 * lips) * _stack(dy=0.055 * _smooth(y, -0.1, 0.7)),
        "nose_width": _select("nostrils") * _stack(dx=0.13 * x),
        "nose_depth": nose * _stack(dz=0.05 * _smooth(y, -0.1, 0.5)),
        "nose_tip": nose * _stack(dy=0.04 * np.exp(-((x / 0.13) ** 2)) * _smooth(y, 0.3, 0.55)),
        "nose_bend": nose * _stack(dx=0.022 * np.exp(-(((y - 0.35) / 0.25) ** 2))),
        "mouth_width": lips * _stack(dx=0.085 * x),
        "mouth_height": lips * _stack(dy=0.026),
        "mouth_tilt": lips * _stack(dy=-0.03 * away / 0.4),
        "upper_lip": upper * _stack(dy=-0.020 * lip_profile),
        "lower_lip": lower * _stack(dy=0.026 * lip_profile),
        "ear_size": ears * _stack(dx=0.13 * (x - ear_centre), dy=0.13 * (y - 0.2)),
        "ear_spread": ears * _stack(dx=0.4 * (x - ear_centre)),
        "skew": (jaw + lips + nose) * _stack(dx=0.014 * _smooth(y, 0, 1.8)),
    }


def _expression_modes():
    """name -> [102, 3]: displacement of the fully made expression."""
    x, y, _ = MEAN.T
    side, away = np.sign(x) * (np.abs(x) > 1e-6), np.abs(x)
    brows, eyes = _select("left_brow", "right_brow"), _about_eyes()
    lips, jaw = _select("outer_lips", "inner_lips"), _select("jaw")
    corner, centre = _smooth(away, 0.05, 0.4), np.clip(1 - (x / 0.42) ** 2, 0, 1)
    lower, inner_upper, inner_lower = (np.zeros([len(MEAN), 1]) for _ in range(3))
    lower[55:60], lower[65:68], inner_upper[61:64], inner_lower[65:68] = 1, 1, 1, 1
    upper = np.zeros([len(MEAN), 1])
    upper[49:54], upper[61:64] = 1, 1
    lids = eyes * np.array([0, 1, 0]) * (eyes[:, 1:2] < 0)
    under = eyes * np.array([0, 1, 0]) * (eyes[:, 1:2] > 0.05)
    drop = lower * _stack(dy=centre) + jaw * _stack(dy=0.9 * _smooth(y, 0.8, 1.75))
    return {
        "smile": lips * _stack(dx=0.12 * side * corner, dy=-0.10 * corner**1.5, dz=-0.08 * corner)
        + _select("nostrils") * _stack(dx=0.08 * x) + jaw * _stack(dx=0.03 * side * np.exp(-(((y - 0.8) / 0.3) ** 2)))
        - 0.5 * under,
        "grin": inner_upper * _stack(dy=-0.045 * centre) + upper * _stack(dy=-0.012 * centre)
        + inner_lower * _stack(dy=0.075 * centre) + lower * _stack(dy=0.03 * centre),
        "open": 0.20 * drop,
        "pucker": lips * _stack(dx=-0.28 * x, dz=0.06) + upper * _stack(dy=-0.02 * centre)
        + lower * _stack(dy=0.02 * centre),
        "sad": lips * _stack(dy=0.07 * corner) + brows * _stack(dy=-0.07 * (1 - _smooth(away, 0.2, 0.7))),
        "raise": brows * _stack(dy=-0.10) + 0.25 * lids,
        "frown": brows * _stack(dx=-0.04 * side, dy=0.075 * (1 - 0.8 * _smooth(away, 0.2, 0.8))),
        "squint": -0.45 * lids - 0.35 * under,
    }  # fmt: skip


IDENTITY_MODES = _identity_modes()
EXPRESSION_MODES = _expression_modes()
_IDENTITY_BASIS = np.stack(list(IDENTITY_MODES.values()))
_EXPRESSION_BASIS = np.stack(list(EXPRESSION_MODES.values()))


def face_points(shape, expression):
    """[102, 3]: mean + shape @ identity modes + expression @ expression modes.

    Args:
        shape: [len(IDENTITY_MODES)], standard deviations.
        expression: [len(EXPRESSION_MODES)], 0 (none) to 1.
    """
    return MEAN + np.tensordot(shape, _IDENTITY_BASIS, 1) + np.tensordot(expression, _EXPRESSION_BASIS, 1)


@lru_cache(maxsize=256)
def _spline_weights(count, closed, steps):
    """[samples, count]: Catmull-Rom weights of `steps` samples a span; the last point is included when open."""
    spans = count if closed else count - 1
    weights = np.zeros([spans * steps + (not closed), count])
    for row in range(len(weights)):
        span, t = (row // steps, row % steps / steps) if row < spans * steps else (spans - 1, 1.0)
        cubic = (-0.5 * t + t * t - 0.5 * t**3, 1 - 2.5 * t * t + 1.5 * t**3, 0.5 * t + 2 * t * t - 1.5 * t**3,
                 -0.5 * t * t + 0.5 * t**3)  # fmt: skip
        for offset, weight in zip((-1, 0, 1, 2), cubic, strict=True):
            index = (span + offset) % count if closed else min(max(span + offset, 0), count - 1)
            weights[row, index] += weight
    return weights


def spline(points, closed=False, steps=6):
    """Smooth curve through every point of [N, D]: [N * steps, D] closed, [(N - 1) * steps + 1, D] open."""
    return _spline_weights(len(points), closed, steps) @ points


@dataclass(frozen=True)
class View:
    """Orthographic camera: rotation about the head's middle, then pixels = scale * xy + offset."""

    rotation: np.ndarray
    scale: float
    offset: np.ndarray
    pivot = np.array([0.0, 0.3, -0.8])

    def turned(self, points):
        """[..., 3] -> [..., 3]: rotated, in face units."""
        return (points - self.pivot) @ self.rotation.T + self.pivot

    def pixels(self, points):
        """[..., 3] face units -> [..., 2] pixels."""
        return self.turned(points)[..., :2] * self.scale + self.offset


def rotation_matrix(yaw, pitch, roll):
    """[3, 3] from angles in radians; yaw > 0 turns the nose to image right, pitch > 0 down, roll > 0 clockwise."""
    cy, sy, cp, sp, cr, sr = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch), np.cos(roll), np.sin(roll)
    turn = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    nod = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
    lean = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return lean @ turn @ nod


def framed_view(points, rotation, size, zoom=1.0, shift=(0.0, 0.0), fits_outline=False):
    """The view of an FFHQ-like crop.

    Args:
        points: [102, 3].
        rotation: [3, 3].
        size: side of the picture in pixels.
        zoom: more than 1 shows a larger head.
        shift: (x, y), part of the side.
        fits_outline: also step back until the whole head is inside.
    """
    flat = View(rotation, 1.0, np.zeros(2)).pixels(points)
    eyes = (flat[36:42].mean(0), flat[42:48].mean(0))
    middle, mouth = (eyes[0] + eyes[1]) / 2, (flat[48] + flat[54]) / 2
    half = max(2.0 * np.hypot(*(eyes[1] - eyes[0])), 1.8 * np.hypot(*(mouth - middle)))
    centre = middle + 0.1 * (mouth - middle)
    if fits_outline:
        head = flat[[*range(17), *range(68, 79)]]
        half = max(half, 0.60 * np.ptp(head, axis=0).max())
        centre = 0.4 * centre + 0.6 * (head.min(0) + head.max(0)) / 2
    scale = size * zoom / (2 * half)
    return View(rotation, scale, (0.5 + np.array(shift)) * size - 0.5 - scale * centre)
