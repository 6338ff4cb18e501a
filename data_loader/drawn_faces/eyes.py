"""Eyes, lids, lashes, brows and glasses of the photo style; sizes are face units times `scene.scale`."""

import numpy as np

from data_loader.drawn_faces.canvas import (
    Layer,
    Strands,
    blend_strands,
    ellipse,
    hair_table,
    lines,
    polygon,
    ribbon,
    shade,
    stroke,
    taper,
)
from data_loader.drawn_faces.geometry import spline


def paint_eye(scene, name, brow_name):
    """Eyeball, iris, lids, lashes of one eye; inner corner towards the nose."""
    eye, unit = scene.part(name), scene.scale
    upper, lower = spline(eye[[0, 1, 2, 3]], steps=8), spline(eye[[3, 4, 5, 0]], steps=8)
    outline = np.concatenate([upper, lower[1:-1]])
    middle = eye.mean(0)
    layer = Layer(scene.image.shape, outline, 2)
    if layer.is_empty:
        return
    layer.fill(outline)
    light = scene.light_on(np.array([0, -0.05, 1.0]))
    height, width = layer.mask.shape
    ball = np.empty([height, width, 3], np.float32)
    ball[:] = np.array([0.93, 0.90, 0.885]) * min(1.05, 0.2 + 0.82 * light)
    local = outline - layer.origin
    _paint_iris(scene, ball, middle - layer.origin, light)
    inner = (eye[3] if name == "left_eye" else eye[0]) - layer.origin
    polygon(ball, ellipse(inner, (0.045 * unit, 0.035 * unit)), (0.80, 0.52, 0.48), 0.8, 0.018 * unit)
    shade(ball, ribbon(local[: len(upper)], 0.10 * unit), (0.45, 0.42, 0.42), 0.03 * unit, 0.75)
    layer.blend(scene.image, layer.softened(0), ball)
    _paint_lids(scene, name, brow_name, upper, lower)


def _paint_iris(scene, ball, middle, light):
    """Iris with limbal ring, fibres, pupil and catchlights, painted on the eyeball patch."""
    unit, look, person = scene.scale, scene.look, scene.person
    radius = 0.122 * unit
    centre = middle + look.gaze * np.array([0.085, 0.035]) * unit + np.array([0, -0.010 * unit])
    colour = person.iris_colour * (0.35 + 0.75 * light)
    squeeze = max(0.75, 1 - 0.5 * abs(look.angles[0]) ** 1.5)
    ring = ellipse(centre, (radius * squeeze, radius))
    polygon(ball, ring, colour * 0.38, 1.0, 0.012 * unit)
    polygon(ball, ellipse(centre, (radius * 0.86 * squeeze, radius * 0.86)), colour * 0.95, 1.0, 0.018 * unit)
    polygon(
        ball,
        ellipse(centre + [0, 0.35 * radius], (radius * 0.62 * squeeze, radius * 0.5)),
        np.clip(colour * 1.55, 0, 1),
        0.55,
        0.03 * unit,
    )
    angles = scene.person_rng.uniform(0, 2 * np.pi, 24)
    rays = np.stack([np.cos(angles) * squeeze, np.sin(angles)], 1)[:, None] * np.array([0.42, 0.65, 0.88])[:, None]
    fibres = centre + radius * rays
    lines(ball, fibres[:12], 0.014 * unit, colour * 0.55, 0.5)
    lines(ball, fibres[12:], 0.014 * unit, np.clip(colour * 1.6, 0, 1), 0.45)
    polygon(ball, ellipse(centre, (radius * 0.43 * squeeze, radius * 0.43)), (0.015, 0.012, 0.012), 1.0, 0.01 * unit)
    glint = centre + np.clip(look.light[:2], -0.7, 0.7) * radius * 0.62
    polygon(ball, ellipse(glint, (radius * 0.20, radius * 0.24), count=12), (1.0, 1.0, 1.0), 0.95, 0.006 * unit)
    polygon(
        ball, ellipse(2 * centre - glint, (radius * 0.30, radius * 0.10), count=12), (0.9, 0.93, 1.0), 0.16, 0.02 * unit
    )


def _paint_lids(scene, name, brow_name, upper, lower):
    """Crease, lash line, lashes and the wet lower rim."""
    unit, person, rng = scene.scale, scene.person, scene.rng
    dark = np.clip(person.skin * 0.16, 0.02, 0.2)
    outer_first = name == "left_eye"
    brow = scene.part(brow_name)
    crease = (
        upper
        + (brow.mean(0) - upper.mean(0))
        * np.interp(np.linspace(0, 1, len(upper)), [0, 0.5, 1], [0.14, 0.30, 0.14])[:, None]
    )
    shade(
        scene.image,
        np.concatenate([upper, crease[::-1]]),
        0.90 - 0.30 * person.makeup * (person.makeup > 0.5),
        0.02 * unit,
        0.9,
    )
    stroke(scene.image, crease, 0.022 * unit * taper(len(crease), 0.2, 0.2), person.skin * 0.40, 0.60, 0.010 * unit)
    rim = 0.020 * unit * taper(len(lower), 0.3, 0.3)
    stroke(scene.image, lower, rim, np.clip(person.skin * [1.0, 0.80, 0.78] + 0.06, 0, 1), 0.55, 0.006 * unit)
    stroke(scene.image, lower + [0, 0.018 * unit], 0.014 * unit * taper(len(lower), 0.2, 0.2), dark, 0.38, 0.007 * unit)
    weight = 0.024 + 0.020 * person.makeup
    stroke(scene.image, upper, weight * unit * taper(len(upper), 0.5, 0.5), dark, 0.92, 0.005 * unit)
    lashes = 14 + int(16 * person.makeup)
    place = np.sort(rng.uniform(0.03, 0.97, lashes))
    root = np.stack([np.interp(place * (len(upper) - 1), np.arange(len(upper)), upper[:, k]) for k in (0, 1)], 1)
    outward = (place if not outer_first else 1 - place) * 1.5 - 0.35
    size = (0.026 + 0.048 * person.makeup) * unit * rng.uniform(0.7, 1.2, lashes)
    sign = -1 if outer_first else 1
    tip = root + np.stack([sign * outward * size, -size], 1)
    bend = (root + tip) / 2 + np.stack([sign * outward * 0.25 * size, 0.15 * size], 1)
    lines(scene.image, np.stack([root, bend, tip], 1), 0.010 * unit, dark, 0.75)


def paint_brow(scene, name):
    """A soft shadow and about a hundred hairs, inner ones upright, outer ones lying."""
    points, unit, person = scene.part(name), scene.scale, scene.person
    rng, weight = scene.rng, person.brow_weight
    ridge = spline(points if name == "right_brow" else points[::-1], steps=8)  # inner to outer
    sign = 1 if name == "right_brow" else -1
    profile = (
        np.interp(np.linspace(0, 1, len(ridge)), [0, 0.15, 0.55, 1], [0.6, 1.0, 0.85, 0.12]) * 0.115 * weight * unit
    )
    colour = brow_colour(person)
    polygon(scene.image, ribbon(ridge, profile * 0.8), colour, 0.38 + 0.12 * weight, 0.030 * unit)
    count = int(110 * weight * scene.fineness)
    place = rng.uniform(0, 1, count) * (len(ridge) - 1)
    at = np.stack([np.interp(place, np.arange(len(ridge)), ridge[:, k]) for k in (0, 1)], 1)
    thick = np.interp(place, np.arange(len(ridge)), profile)
    at[:, 1] += rng.uniform(-0.5, 0.5, count) * thick
    t = place / (len(ridge) - 1)
    angle = np.interp(t, [0, 0.3, 1], [1.25, 0.55, -0.25]) + rng.normal(0, 0.2, count)
    step = np.stack([sign * np.cos(angle), -np.sin(angle)], 1) * (0.095 * unit * rng.uniform(0.6, 1.1, count))[:, None]
    hairs = at[:, None] + step[:, None] * np.linspace(-0.5, 0.5, 4)[None, :, None]
    hairs[:, -1, 1] += 0.012 * unit
    strands = Strands(scene.size)
    strands.draw(hairs, np.clip(rng.normal(0.4, 0.2, count), 0, 1), strands.unit)
    blend_strands(
        scene.image, strands, hair_table(colour, scene.look.light_colour), scene.light_on(np.array([0, 0, 1])), 0.72
    )


def brow_colour(person):
    """RGB of the brows: the hair's, darker when the hair is fair."""
    return np.clip(person.hair_colour * (0.75 if person.hair_colour.mean() < 0.45 else 0.62), 0.03, 0.7)


def _lens_outlines(scene):
    """Two [N, 3] rims in face units, a little in front of the eyes."""
    kind, points = scene.look.glasses, scene.points
    rims = []
    for sign, eye in ((-1, points[36:42]), (1, points[42:48])):
        x, y = eye[:, :2].mean(0)
        t = np.linspace(0, 2 * np.pi, 36, endpoint=False)
        power = {"round": 1.0, "square": 0.5, "browline": 0.62, "dark": 0.66}[kind]
        rx, ry = {"round": (0.37, 0.35), "square": (0.43, 0.28), "browline": (0.41, 0.30), "dark": (0.45, 0.33)}[kind]
        ring = np.stack(
            [
                np.sign(np.cos(t)) * np.abs(np.cos(t)) ** power * rx,
                np.sign(np.sin(t)) * np.abs(np.sin(t)) ** power * ry,
            ],
            1,
        )
        centre_z = 0.24 - 0.22 * sign * ring[:, 0]
        rims.append(np.stack([x + sign * 0.02 + ring[:, 0], y + 0.03 + ring[:, 1], centre_z], 1))
    return rims


def paint_glasses(scene):
    """Shadow on the skin, lenses with a reflection, rims, bridge, temples."""
    kind, unit, colour = scene.look.glasses, scene.scale, scene.look.glasses_colour
    if kind == "none":
        return
    thick = {"round": 0.035, "square": 0.060, "browline": 0.034, "dark": 0.05}[kind] * unit
    rims = [scene.view.pixels(rim) for rim in _lens_outlines(scene)]
    shift = np.array([-0.05 * scene.look.light[0], 0.05]) * unit
    for sign, rim, ear in ((-1, rims[0], 0), (1, rims[1], 16)):
        shade(scene.image, ribbon(np.vstack([rim, rim[:2]]) + shift, thick * 1.3), 0.72, 0.03 * unit, 0.7)
        if kind == "dark":
            polygon(scene.image, rim, (0.05, 0.045, 0.05), 0.88, 0.004 * unit)
        else:
            shade(scene.image, rim, (0.95, 0.97, 0.98), 0.004 * unit)
        x, y = rim.mean(0)
        glare = np.array([(-0.22, -0.26), (-0.05, -0.28), (-0.17, 0.1), (-0.30, 0.05)]) * unit * [
            scene.look.light[0] * 0 + 1,
            1,
        ] + [x, y]
        polygon(scene.image, glare, (1, 1, 1), 0.16 if kind == "dark" else 0.10, 0.03 * unit)
        hinge = rim[18 if sign < 0 else 0]
        temple = np.stack([hinge, scene.view.pixels(scene.points[ear] + np.array([sign * 0.04, -0.12, 0]))])
        stroke(scene.image, temple, thick * 0.9, colour * 0.8, 0.95)
    bridge = np.stack([rims[0][2], (rims[0][2] + rims[1][16]) / 2 - [0, 0.03 * unit], rims[1][16]])
    for rim in rims:
        closed = np.vstack([rim, rim[:2]])
        stroke(scene.image, closed, thick, colour, 0.97)
        stroke(scene.image, closed - [0, 0.2 * thick], 0.25 * thick, np.clip(colour + 0.4, 0, 1), 0.35)
        if kind == "browline":
            stroke(scene.image, rim[16:][:20], thick * 2.4, colour * 0.6, 0.97)
    stroke(scene.image, spline(bridge), thick * 0.9, colour, 0.97)
