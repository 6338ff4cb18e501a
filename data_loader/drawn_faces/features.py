"""Nose, marks, folds and beard of the photo style, painted over the shaded skin.

Every function takes a `Scene` and paints on `scene.image`; sizes are face units times `scene.scale`.
"""

import cv2
import numpy as np

from data_loader.drawn_faces.canvas import (
    Strands,
    blend_strands,
    ellipse,
    hair_table,
    polygon,
    polygons,
    ribbon,
    shade,
    shades,
    stroke,
    taper,
)
from data_loader.drawn_faces.geometry import spline
from data_loader.drawn_faces.scene import within


def paint_nose(scene):
    """Nostrils and the creases of the wings; the rest is relief."""
    unit, points, skin = scene.scale, scene.points, scene.person.skin
    for sign, wing, inner in ((-1, 31, 32), (1, 35, 34)):
        centre = 0.42 * points[wing] + 0.58 * points[inner] + np.array([0.0, -0.012, 0.0])
        middle = scene.view.pixels(centre)
        span = abs(points[wing, 0] - points[inner, 0])
        hole = ellipse(middle, (0.56 * span * unit, 0.036 * unit), 0.28 * sign, 16)
        polygon(scene.image, hole, np.clip(skin * [0.22, 0.14, 0.12], 0, 1), 0.85, 0.014 * unit)
        x, y, z = points[wing]
        curve = np.array(
            [
                (x - sign * 0.02, y + 0.045, z),
                (x + sign * 0.02, y - 0.02, z),
                (x + sign * 0.012, y - 0.12, z),
                (x - sign * 0.05, y - 0.175, z),
            ]
        )
        line = spline(scene.view.pixels(curve), steps=5)
        stroke(scene.image, line, 0.034 * unit * taper(len(line)), skin * [0.42, 0.30, 0.27], 0.42, 0.014 * unit)


def paint_marks(scene):
    """Freckles, moles and, with age, wrinkles."""
    person, unit, rng = scene.person, scene.scale, scene.person_rng
    if person.freckles > 0.05:
        count = int(160 * min(1.0, person.freckles))
        xy = scene.inside_jaw(rng.normal([0, 0.42], [0.45, 0.2], [count, 2]))
        size = rng.uniform(0.007, 0.018, len(xy))[:, None, None] * unit
        spots = scene.on_surface(xy)[:, None] + ellipse((0.0, 0.0), (1.0, 1.0), count=8) * size
        polygons(scene.image, spots, scene.person.skin * [0.66, 0.46, 0.34], 0.30, 0.004 * unit)
    for spot in scene.on_surface(scene.inside_jaw(person.moles)):
        shade(
            scene.image, ellipse(spot, (0.022 * unit, 0.020 * unit), count=10), (0.45, 0.33, 0.30), 0.006 * unit, 0.85
        )
    smile = scene.look.expression[0]
    fold = 0.15 + 0.45 * person.age + 0.45 * smile
    folds = []
    for sign, wing, corner in ((-1, 31, 48), (1, 35, 54)):
        start, end = scene.points[wing], scene.points[corner]
        path = np.array(
            [
                start[:2] + [sign * 0.05, -0.07],
                (start[:2] + end[:2]) / 2 + [sign * (0.13 + 0.05 * smile), -0.05],
                end[:2] + [sign * 0.14, 0.03],
            ]
        )
        folds.append(spline(scene.on_surface(path)))
    _creases(scene, folds, 0.05, min(0.55, fold * 0.5))
    if person.age > 0.3:
        _paint_wrinkles(scene, rng, person.age)


def _creases(scene, curves, width, strength):
    """Soft folds along [K, 2] pixel curves: wide and faint, then narrow and dark."""
    unit = scene.scale
    for share, soft, factor in ((1.0, 0.018, (0.70, 0.58, 0.54)), (0.3, 0.006, (0.62, 0.50, 0.46))):
        ribbons = [ribbon(curve, share * width * unit * taper(len(curve))) for curve in curves]
        shades(scene.image, ribbons, factor, soft * unit, strength)


def _paint_wrinkles(scene, rng, age):
    """Forehead lines, crow's feet, lines under the eyes."""
    deep, fine = [], []
    brow = scene.points[17:27, 1].min()
    for level in range(int(1 + 3.5 * age)):
        y = brow - 0.16 - 0.13 * level
        x = np.linspace(-0.5, 0.5, 7) * rng.uniform(0.7, 1.1) + rng.normal(0, 0.05)
        deep.append(np.stack([x, y + rng.normal(0, 0.012, 7) + 0.03 * np.cos(x * 5)], 1))
    for sign, corner, under in ((-1, 36, 41), (1, 45, 46)):
        x, y = scene.points[corner, :2]
        fine += [
            np.linspace((x + sign * 0.05, y + 0.03 * k), (x + sign * 0.19, y + 0.10 * k + 0.01), 4) for k in (-1, 0, 1)
        ]
        deep.append(scene.points[under, :2] + np.array([(sign * 0.14, 0.06), (0, 0.125), (-sign * 0.16, 0.11)]))
    for paths, width in ((deep, 0.031), (fine, 0.022)):
        curves = [spline(scene.on_surface(path), steps=4) for path in paths]
        _creases(scene, curves, width, (age - 0.2) * rng.uniform(0.45, 0.75))


def _beard_roots(scene, kind, count):
    """[N, 2] face xy of hair roots for a kind of beard."""
    points, rng = scene.points, scene.person_rng
    xy = np.stack([rng.uniform(-1.1, 1.1, count), rng.uniform(0.3, points[8, 1] + 0.05, count)], 1)
    jaw = points[0:17]
    low = np.interp(xy[:, 0], jaw[:, 0], jaw[:, 1])
    inside = (xy[:, 1] < low - 0.01) & (
        np.abs(xy[:, 0]) < np.interp(xy[:, 1], points[0:9, 1], np.abs(points[0:9, 0])) - 0.01
    )
    mouth, nose = points[48:60, :2], points[33, 1]
    away = np.abs(xy[:, 0])
    cheek = np.interp(away, [0, 0.30, 0.55, 0.75, 0.95, 1.05], [nose + 0.06, nose + 0.09, 1.12, 0.98, 0.55, 0.2])
    above = xy[:, 1] > cheek + rng.normal(0, 0.035, count)
    lips = within(mouth * [1.03, 1.0] + [0, 0.0], xy)
    soul = (away < 0.30) & (away > 0.09) & (np.abs(xy[:, 1] - mouth[9, 1] - 0.05) < 0.05)
    if kind == "moustache":
        above &= xy[:, 1] < mouth[0, 1] + 0.02
    if kind in ("moustache", "goatee"):
        inside &= away < abs(mouth[0, 0]) + 0.12
    return xy[inside & above & ~lips & ~soul]


def paint_beard(scene):
    """Stubble to full beard: hairs rooted on the skin, pointing down and outward."""
    kind, rng, unit = scene.person.beard, scene.rng, scene.scale
    if kind == "none":
        return
    roots = _beard_roots(scene, kind, int((2400 if kind == "stubble" else 2800) * scene.fineness))
    length = {"stubble": 0.028, "moustache": 0.11, "goatee": 0.12, "full": 0.14}[kind]
    away = np.stack([roots[:, 0] * 0.55, np.full(len(roots), 1.0)], 1) + rng.normal(0, 0.3, [len(roots), 2])
    above_lip = roots[:, 1] < scene.points[48, 1]
    away[above_lip, 0] *= 2.5
    reach = length * rng.uniform(0.6, 1.2, len(roots))[:, None]
    start = scene.on_surface(roots)
    tip = start + away / np.linalg.norm(away, axis=1, keepdims=True) * reach * unit
    bend = (start + tip) / 2 + rng.normal(0, 0.10, [len(roots), 2]) * reach * unit
    strands = Strands(scene.size)
    colour = scene.person.hair_colour * 0.8
    strands.draw(np.stack([start, bend, tip], 1), np.clip(rng.normal(0.40, 0.16, len(roots)), 0, 1), strands.unit)
    soft = cv2.GaussianBlur(strands.coverage(), (0, 0), 0.05 * unit)
    scene.image *= 1 - (0.55 if kind != "stubble" else 0.38) * soft[..., None] * (1 - 0.6 * colour.astype(np.float32))
    light = scene.light_on(np.array([0, 0.2, 1.0]))
    blend_strands(
        scene.image, strands, hair_table(colour, scene.look.light_colour), light, 0.85 if kind != "stubble" else 0.22
    )
