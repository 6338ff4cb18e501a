"""Lips, teeth and tongue of the photo style; sizes are face units times `scene.scale`."""

import numpy as np

from data_loader.drawn_faces.canvas import Layer, ellipse, lines, polygon, ribbon, shade, stroke, taper
from data_loader.drawn_faces.geometry import spline


def lip_shapes(lips, inner):
    """(upper lip, lower lip, opening) polygons in pixels, smooth through the landmarks."""
    top, bottom = spline(lips[0:7], steps=6), spline(lips[[6, 7, 8, 9, 10, 11, 0]], steps=6)
    inner_top, inner_bottom = spline(inner[0:5], steps=6), spline(inner[[4, 5, 6, 7, 0]], steps=6)
    return np.concatenate([top, inner_top[::-1]]), np.concatenate([bottom, inner_bottom[::-1]]), inner_top, inner_bottom


def paint_mouth(scene):
    """Opening with teeth and tongue, two lips with shading, lines and a highlight."""
    lips, inner, unit, person = scene.part("outer_lips"), scene.part("inner_lips"), scene.scale, scene.person
    upper, lower, inner_top, inner_bottom = lip_shapes(lips, inner)
    light = scene.light_on(np.array([0, 0.1, 1.0]))
    _paint_opening(scene, inner, inner_top, inner_bottom, light)
    colour = np.clip(person.lip_colour * (0.30 + 0.74 * light), 0, 1)
    crisp = 0.016 - 0.008 * person.makeup
    polygon(scene.image, upper, colour * 0.86, 0.86, crisp * unit)
    polygon(scene.image, lower, np.clip(colour * 1.06, 0, 1), 0.86, crisp * unit)
    _paint_lip_lines(scene, lips, inner)
    centre = (lips[9] + inner[6]) / 2 + np.array([-0.0, -0.012 * unit])
    width = np.ptp(lips[:, 0])
    gloss = ellipse(centre + [scene.look.light[0] * 0.1 * width, 0], (0.17 * width, 0.022 * unit), 0.0, 16)
    polygon(scene.image, gloss, np.clip(colour + 0.35, 0, 1), 0.34 + 0.25 * person.makeup, 0.022 * unit)
    shade(scene.image, ribbon(spline(lips[[7, 8, 9, 10, 11]] + [0, 0.02 * unit]), 0.05 * unit), 0.72, 0.03 * unit, 0.6)
    dark = np.clip(person.lip_colour * [0.32, 0.20, 0.20], 0, 1)
    for line in (inner_top, inner_bottom):
        stroke(scene.image, line, 0.022 * unit * taper(len(line), 0.3, 0.3), dark, 0.62, 0.006 * unit)
    for corner in (lips[0], lips[6]):
        polygon(scene.image, ellipse(corner, (0.030 * unit, 0.022 * unit)), dark, 0.45, 0.018 * unit)


def _paint_opening(scene, inner, inner_top, inner_bottom, light):
    """Dark mouth, tongue, upper and a hint of lower teeth."""
    unit = scene.scale
    opening = np.concatenate([inner_top, inner_bottom[1:-1]])
    gap = inner[5:8, 1].mean() - inner[1:4, 1].mean()
    if gap < 0.025 * unit:
        return
    layer = Layer(scene.image.shape, opening, 2)
    if layer.is_empty:
        return
    layer.fill(opening)
    patch = np.empty([*layer.mask.shape, 3], np.float32)
    patch[:] = np.array([0.16, 0.05, 0.05]) * (0.4 + 0.6 * light)
    origin, width = layer.origin, np.ptp(inner[:, 0])
    middle = inner.mean(0) - origin
    polygon(
        patch,
        ellipse(middle + [0, 0.9 * gap], (0.33 * width, 0.55 * gap)),
        np.array([0.62, 0.27, 0.27]) * light,
        0.8,
        0.05 * unit,
    )
    for top, drop, dim in ((True, max(min(0.125 * unit, gap * 0.95), 0.04 * unit), 1.0), (False, 0.05 * unit, 0.8)):
        edge = (inner_top if top else inner_bottom[::-1]) - origin
        if not top and gap < 0.16 * unit:
            continue
        sag = drop * taper(len(edge), 0.45, 0.45, 0.4) * (1 if top else -1)
        row = np.concatenate(
            [edge + [0, -0.04 * unit if top else 0.04 * unit], (edge + np.stack([0 * sag, sag], 1))[::-1]]
        )
        teeth = np.array([0.94, 0.91, 0.85]) * min(1.0, 0.22 + 0.8 * light) * dim
        polygon(patch, row, teeth, 0.97, 0.008 * unit)
        x = middle[0] + np.array([-0.39, -0.30, -0.21, -0.11, 0.0, 0.11, 0.21, 0.30, 0.39]) * width
        y = np.interp(x, edge[:, 0], edge[:, 1])
        seams = np.stack([np.stack([x, y], 1), np.stack([x, y + (drop if top else -drop)], 1)], 1)
        lines(patch, seams, 0.010 * unit, teeth * 0.55, 0.6)
    dim = np.abs(np.linspace(-1, 1, patch.shape[1], dtype=np.float32)) ** 3
    patch *= (1 - 0.6 * dim)[None, :, None]
    shade(patch, ribbon(inner_top - origin, 0.06 * unit), 0.5, 0.02 * unit, 0.8)
    layer.blend(scene.image, layer.softened(0), patch)


def _paint_lip_lines(scene, lips, inner):
    """Fine vertical creases."""
    unit, rng = scene.scale, scene.rng
    for outer, rim in ((lips[0:7], inner[0:5]), (lips[[0, 11, 10, 9, 8, 7, 6]], inner[[0, 7, 6, 5, 4]])):
        a, b = spline(outer, steps=6), spline(rim, steps=9)
        place = rng.uniform(0.12, 0.88, 16)
        first, last = a[(place * (len(a) - 1)).astype(int)], b[(place * (len(b) - 1)).astype(int)]
        curves = first[:, None] + (last - first)[:, None] * np.array([0.15, 0.5, 0.95])[:, None]
        lines(scene.image, curves[:11], 0.012 * unit, scene.person.lip_colour * 0.5, 0.22)
        lines(scene.image, curves[11:], 0.012 * unit, np.clip(scene.person.lip_colour * 1.25, 0, 1), 0.22)
