"""The caricature style: flat colours, two-tone shade, tapered ink lines, paper.

It is handed the same `Scene` as the photo painter; the exaggeration is in the scene's points already.
"""

import cv2
import numpy as np

from data_loader.drawn_faces import eyes, hair
from data_loader.drawn_faces.backdrop import torso_outlines
from data_loader.drawn_faces.canvas import (
    Layer,
    Strands,
    blend_strands,
    ellipse,
    grain,
    lines,
    polygon,
    ribbon,
    shade,
    smooth_noise,
    stroke,
    taper,
)
from data_loader.drawn_faces.features import paint_beard
from data_loader.drawn_faces.geometry import spline
from data_loader.drawn_faces.mouth import lip_shapes
from data_loader.drawn_faces.photo import head_outline
from data_loader.drawn_faces.relief import skin_tone

PAPERS = np.array([(0.96, 0.93, 0.86), (0.97, 0.96, 0.93), (0.90, 0.84, 0.72), (0.86, 0.88, 0.90)], np.float32)
INKS = np.array([(0.10, 0.08, 0.09), (0.20, 0.11, 0.08), (0.09, 0.11, 0.22)], np.float32)
STRANDS = 130  # per sheet of density 1


class Pen:
    """The ink of one picture: colour, and line widths in pixels."""

    def __init__(self, scene):
        """Colour and weight are drawn from the picture's own random stream."""
        self.scene, rng = scene, scene.rng
        self.ink = INKS[rng.integers(len(INKS))]
        self.weight = rng.uniform(0.8, 1.25) * 0.042 * scene.scale

    def line(self, points, weight=1.0, start=0.1, end=0.1, alpha=0.95):
        """A tapered stroke through [N, 2] pixels."""
        stroke(self.scene.image, points, weight * self.weight * taper(len(points), start, end, 0.5), self.ink, alpha)

    def closed(self, points, weight=1.0):
        """An even outline."""
        stroke(self.scene.image, np.vstack([points, points[:2]]), weight * self.weight, self.ink, 0.95)


def _paint_paper(scene):
    """Paper with a colour wash behind the head; returns the paper's texture, a factor [S, S, 1]."""
    rng, size = scene.rng, scene.size
    paper = PAPERS[rng.integers(len(PAPERS))]
    scene.image[:] = paper
    wash = np.clip(0.45 + 0.6 * scene.look.background_colours[0], 0, 1)
    angles = np.linspace(0, 2 * np.pi, 15)[:-1]
    reach = (0.44 + 0.09 * rng.standard_normal(14))[:, None] * size
    blob = np.array([0.5, 0.5]) * size + reach * np.stack([np.cos(angles), np.sin(angles)], 1)
    polygon(scene.image, spline(blob, closed=True), wash, rng.uniform(0.5, 0.95), 0.006 * size)
    fibre = cv2.GaussianBlur(grain(rng, size, size), (0, 0), 0.7 * size / 256)
    return (1 + 0.030 * fibre + 0.012 * smooth_noise(rng, size, 18))[..., None]


def _flat_hair(scene, pen, sheets, shade_factor=1.0):
    """Solid shapes, a few broad tones and ink strands, and an ink contour round the whole."""
    if not sheets:
        return
    strands, ink = Strands(scene.size), []
    for sheet in sheets:
        if sheet.filled:
            strands.fill(scene.view.pixels(hair.sheet_outline(sheet)), 0.42)
        curves, tones = hair.sampled_strands(sheet, int(STRANDS * sheet.density), scene.rng)
        flat = scene.view.pixels(curves)
        broad = len(flat) // 2
        strands.draw(flat[:broad], 0.38 + 0.16 * (tones[:broad] > sheet.tone), round(3 * scene.fineness), levels=6)
        ink.append(flat[broad : broad + len(flat) // 9])
    colour = np.clip(scene.person.hair_colour * scene.look.hair_shift * shade_factor, 0, 1)
    table = np.clip(colour * (0.35 + 1.5 * np.linspace(0, 1, 256)[:, None]), 0, 1).astype(np.float32)
    blend_strands(scene.image, strands, table)
    for curves in ink:
        lines(scene.image, curves, 0.38 * pen.weight, pen.ink, 0.8)
    mask = (strands.pixels[..., 1] > 127).astype(np.uint8)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_TC89_L1)
    for contour in contours:
        if len(contour) > 8:
            pen.closed(contour[:, 0].astype(float), 0.55)


def _paint_torso(scene, pen, skin):
    """Neck and clothes in flat colours."""
    torso = torso_outlines(scene)
    polygon(scene.image, torso["neck"], skin * 0.93)
    jaw = scene.part("jaw")[3:14] + [0, 0.16 * scene.scale]
    layer = Layer(scene.image.shape, torso["neck"], 2)
    if not layer.is_empty:
        layer.fill(torso["neck"])
        inside = layer.softened(0)
        layer.mask[:] = 0
        layer.fill(np.concatenate([spline(jaw), [[jaw[-1, 0], 0], [jaw[0, 0], 0]]]))
        layer.multiply(scene.image, inside * layer.softened(0), (0.72, 0.62, 0.64))
    pen.line(torso["neck"][[1, 2]], 0.9)
    pen.line(torso["neck"][[6, 5]], 0.9)
    body = spline(torso["cloth"], closed=True, steps=4)
    polygon(scene.image, body, scene.look.cloth_colours[0])
    pen.closed(body)


def _paint_head(scene, pen, skin):
    """Ears, flat skin, one flat shadow, rosy cheeks, ink contour."""
    for name in ("left_ear", "right_ear") if scene.shows_ears else ():
        ear = spline(scene.part(name), closed=True)
        polygon(scene.image, ear, skin * 0.95)
        pen.closed(ear, 0.9)
        inner = scene.part(name)[[1, 2, 3, 4]] * 0.6 + ear.mean(0) * 0.4
        pen.line(spline(inner), 0.6)
    outline = head_outline(scene)
    layer = Layer(scene.image.shape, outline, 2)
    layer.fill(outline)
    layer.blend(scene.image, layer.softened(0), skin)
    light = scene.view.rotation.T @ scene.look.light
    lambert = scene.relief.normals() @ light.astype(np.float32)
    lambert = cv2.GaussianBlur(lambert, (0, 0), 0.05 / scene.relief.step)
    map_x, map_y = scene.relief.pixel_map(scene.view, scene.size)
    box = np.s_[layer.rows, layer.columns]
    lambert = cv2.remap(lambert, map_x[box], map_y[box], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    level = np.quantile(lambert[layer.mask > 128], 0.30)
    shadow = np.clip((level - lambert) * 0.35 * scene.scale + 0.5, 0, 1)
    layer.multiply(scene.image, layer.softened(0) * shadow, (0.78, 0.68, 0.70))
    glow = np.clip((lambert - np.quantile(lambert[layer.mask > 128], 0.93)) * 0.35 * scene.scale + 0.5, 0, 1)
    layer.multiply(scene.image, layer.softened(0) * glow, (1.10, 1.10, 1.10))
    rose = 0.20 + 0.30 * scene.person.ruddiness
    for spot in scene.on_surface([(-0.60, 0.62), (0.60, 0.62), scene.points[30, :2]]):
        shade(
            scene.image,
            ellipse(spot, (0.19 * scene.scale, 0.15 * scene.scale)),
            (1.02, 0.72, 0.70),
            0.04 * scene.scale,
            rose,
        )
    pen.line(spline(scene.part("jaw")), 1.5, 0.5, 0.5)
    if scene.person.hair_style in ("bald", "buzz", "receding"):
        pen.line(spline(scene.part("skull")), 1.2, 0.6, 0.6)


def _paint_eye(scene, pen, name):
    """White, iris, pupil, glint; heavy upper lid."""
    eye, unit = scene.part(name), scene.scale
    upper, lower = spline(eye[[0, 1, 2, 3]]), spline(eye[[3, 4, 5, 0]])
    outline = np.concatenate([upper, lower[1:-1]])
    layer = Layer(scene.image.shape, outline, 2)
    if layer.is_empty:
        return
    layer.fill(outline)
    ball = np.full([*layer.mask.shape, 3], 0.97, np.float32)
    radius = 0.125 * unit * (0.6 + 0.4 * np.ptp(eye[:, 0]) / (0.46 * unit))
    centre = eye.mean(0) - layer.origin + scene.look.gaze * np.array([0.09, 0.03]) * unit
    polygon(ball, ellipse(centre, (radius, radius)), pen.ink)
    polygon(ball, ellipse(centre, (radius * 0.82, radius * 0.82)), np.clip(scene.person.iris_colour * 1.25, 0, 1))
    polygon(ball, ellipse(centre, (radius * 0.42, radius * 0.42)), pen.ink)
    polygon(ball, ellipse(centre + np.array([-0.35, -0.4]) * radius, (radius * 0.26, radius * 0.26)), (1, 1, 1))
    shade(ball, ribbon(upper - layer.origin, 0.09 * unit), 0.80)
    layer.blend(scene.image, layer.softened(0), ball)
    pen.line(upper, 1.5 + 0.8 * scene.person.makeup, 0.4, 0.4)
    pen.line(lower, 0.6)
    pen.line(upper - [0, 0.085 * unit], 0.5)
    if scene.person.age > 0.35:
        pen.line(lower + [0, 0.10 * unit], 0.5, alpha=0.8)


def _paint_brow(scene, pen, name):
    """One bold shape."""
    points = scene.part(name)
    ridge = spline(points if name == "right_brow" else points[::-1])
    width = np.interp(np.linspace(0, 1, len(ridge)), [0, 0.2, 0.6, 1], [0.6, 1, 0.8, 0.1])
    width *= (0.07 + 0.07 * scene.person.brow_weight) * scene.scale
    shape = ribbon(ridge, width)
    polygon(scene.image, shape, np.clip(eyes.brow_colour(scene.person) * 0.9, 0, 1))
    pen.closed(shape, 0.4)


def _paint_nose(scene, pen):
    """Ink along the shaded flank, under the tip and round the wings."""
    points, view = scene.points, scene.view
    side = -1.0 if scene.look.light[0] > 0 else 1.0
    flank = points[27:31] + np.array([(0.05, 0.02, 0), (0.07, 0, 0), (0.10, 0, -0.05), (0.16, 0.04, -0.12)]) * [
        side,
        1,
        1,
    ]
    pen.line(spline(view.pixels(flank)), 0.8, 0.0, 0.6)
    base = spline(scene.part("nostrils"))
    pen.line(base + [0, 0.01 * scene.scale], 1.1, 0.3, 0.3)
    for sign, wing, inner in ((-1, 31, 32), (1, 35, 34)):
        x, y, z = points[wing]
        curve = np.array([(x, y, z), (x + sign * 0.05, y - 0.08, z), (x - sign * 0.01, y - 0.18, z)])
        pen.line(spline(view.pixels(curve)), 0.9, 0.6, 0.1)
        hole = view.pixels(0.4 * points[wing] + 0.6 * points[inner] - [0, 0.02, 0])
        span = abs(points[wing, 0] - points[inner, 0]) * scene.scale
        polygon(scene.image, ellipse(hole, (0.38 * span, 0.022 * scene.scale), 0.2 * sign), pen.ink, 0.9)


def _paint_mouth(scene, pen):
    """Flat lips, white teeth, ink."""
    lips, inner = scene.part("outer_lips"), scene.part("inner_lips")
    upper, lower, inner_top, inner_bottom = lip_shapes(lips, inner)
    opening = np.concatenate([inner_top, inner_bottom[1:-1]])
    gap = inner[5:8, 1].mean() - inner[1:4, 1].mean()
    polygon(scene.image, opening, (0.30, 0.07, 0.09))
    if gap > 0.03 * scene.scale:
        drop = min(0.15 * scene.scale, 0.75 * gap) * taper(len(inner_top), 0.2, 0.2, 0.4)
        teeth = np.concatenate([inner_top, (inner_top + np.stack([0 * drop, drop], 1))[::-1]])
        polygon(scene.image, teeth, (0.98, 0.97, 0.93))
    colour = scene.person.lip_colour
    polygon(scene.image, upper, colour * 0.84)
    polygon(scene.image, lower, colour)
    gloss = ellipse((lips[9] + inner[6]) / 2, (0.12 * np.ptp(lips[:, 0]), 0.02 * scene.scale))
    polygon(scene.image, gloss, np.clip(colour + 0.35, 0, 1), 0.7)
    pen.line(inner_top, 1.2, 0.7, 0.7)
    if gap > 0.03 * scene.scale:
        pen.line(inner_bottom, 0.8, 0.5, 0.5)
    pen.line(spline(lips[0:7]), 0.55)
    pen.line(spline(lips[[6, 7, 8, 9, 10, 11, 0]]), 0.8)


def _paint_folds(scene, pen):
    """Smile folds, frown lines, wrinkles of age."""
    points, smile, age = scene.points, scene.look.expression[0], scene.person.age
    for sign, wing, corner in ((-1, 31, 48), (1, 35, 54)):
        start, end = points[wing, :2], points[corner, :2]
        path = np.array([start + [sign * 0.07, -0.06], (start + end) / 2 + [sign * (0.15 + 0.05 * smile), -0.05],
                         end + [sign * 0.15, 0.02]])  # fmt: skip
        pen.line(
            spline(scene.on_surface(path)), 0.35 + 0.5 * max(smile, age), alpha=min(1.0, 0.35 + 0.6 * max(smile, age))
        )
    brow = points[17:27, 1].min()
    for level in range(int(3.9 * age)):
        x = np.linspace(-0.45, 0.45, 7)
        wavy = np.stack([x, brow - 0.17 - 0.14 * level + 0.03 * np.cos(5 * x + level)], 1)
        pen.line(spline(scene.on_surface(wavy)), 0.6)


def paint_caricature(scene):
    """The whole drawing: [S, S, 3] float32 RGB in [0, 1]."""
    person, points = scene.person, scene.points
    texture = _paint_paper(scene)
    pen = Pen(scene)
    skin = np.clip(skin_tone(person, scene.look) * 1.06 + 0.03, 0, 1)
    _flat_hair(scene, pen, hair.back_sheets(points, person), 0.7)
    _paint_torso(scene, pen, skin)
    _paint_head(scene, pen, skin)
    _paint_folds(scene, pen)
    _paint_nose(scene, pen)
    for eye, brow in (("left_eye", "left_brow"), ("right_eye", "right_brow")):
        _paint_eye(scene, pen, eye)
        _paint_brow(scene, pen, brow)
    _paint_mouth(scene, pen)
    paint_beard(scene)
    eyes.paint_glasses(scene)
    _flat_hair(scene, pen, hair.front_sheets(points, person))
    scene.image *= texture
    return np.clip(scene.image, 0, 1, out=scene.image)
