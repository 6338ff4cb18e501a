"""Eyes, brows, nose, mouth, beard, marks and glasses of the photo style, painted over the shaded skin.

Every function takes a `Scene` and paints on `scene.image`; sizes are face units times `scene.scale`.
"""

import cv2
import numpy as np

from data_loader.faces.canvas import Layer, Strands, blend_strands, ellipse, lines, polygon, polygons, ribbon, shade, stroke, taper
from data_loader.faces.geometry import PARTS, spline


LONG_HAIR_OVER_EARS = ("parted", "waves", "bangs", "bob")


class Scene:
    """Everything a painter needs: picture, people, points in face units and pixels, view, relief, random stream."""

    def __init__(self, person, look, points, view, size, relief):
        """An empty [size, size, 3] picture; `pixels` [102, 2] are the projected control points."""
        self.person, self.look, self.points, self.view, self.relief = person, look, points, view, relief
        self.size, self.scale = size, view.scale
        self.pixels = view.pixels(points)
        self.image = np.zeros([size, size, 3], np.float32)
        self.rng = np.random.default_rng(look.texture_seed)
        self.person_rng = np.random.default_rng(person.grain_seed)

    @property
    def fineness(self):
        """How many times more hairs than at 256 pixels."""
        return max(1.0, self.size / 256)

    @property
    def shows_ears(self):
        """False where long hair hangs over them."""
        return self.person.masculine > 0 or self.person.hair_style not in LONG_HAIR_OVER_EARS

    def inside_jaw(self, xy):
        """The rows of [N, 2] face xy that lie well inside the face."""
        return xy[within(self.points[PARTS["jaw"], :2] * [0.93, 0.95], xy)]

    def part(self, name):
        """[N, 2] pixels of a named part."""
        return self.pixels[PARTS[name]]

    def light_on(self, normal):
        """Scalar brightness of a surface facing `normal` (view coordinates)."""
        facing = float(np.dot(normal, self.look.light) / np.linalg.norm(normal))
        return self.look.exposure * float(np.sqrt(np.clip(self.look.ambient * 0.8 + max(facing, 0.0) * (1.15 - 0.6 * self.look.ambient), 0.03, 1.2)))

    def on_surface(self, xy):
        """[N, 2] face xy -> [N, 2] pixels on the skin."""
        return self.view.pixels(self.relief.at(np.asarray(xy, float).reshape(-1, 2)))


def hair_table(colour, light_colour):
    """[256, 3] float32: hair colour of each tone, darkest roots to highlights."""
    tone = np.linspace(0, 1, 256)[:, None]
    body = colour * (0.22 + 1.55 * tone)
    gleam = np.clip(tone - 0.62, 0, 1) ** 1.3 * (0.65 + 0.8 * colour.mean()) * light_colour
    return np.clip(body + gleam, 0, 1).astype(np.float32)


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
    _paint_iris(scene, ball, middle - layer.origin, np.ptp(eye[:, 0]), light)
    inner = (eye[3] if name == "left_eye" else eye[0]) - layer.origin
    polygon(ball, ellipse(inner, (0.045 * unit, 0.035 * unit)), (0.80, 0.52, 0.48), 0.8, 0.018 * unit)
    shade(ball, ribbon(local[: len(upper)], 0.10 * unit), (0.45, 0.42, 0.42), 0.03 * unit, 0.75)
    layer.blend(scene.image, layer.softened(0), ball)
    _paint_lids(scene, name, brow_name, upper, lower)


def _paint_iris(scene, ball, middle, width, light):
    """Iris with limbal ring, fibres, pupil and catchlights, painted on the eyeball patch."""
    unit, look, person = scene.scale, scene.look, scene.person
    radius = 0.122 * unit
    centre = middle + look.gaze * np.array([0.085, 0.035]) * unit + np.array([0, -0.010 * unit])
    colour = person.iris_colour * (0.35 + 0.75 * light)
    squeeze = max(0.75, 1 - 0.5 * abs(look.angles[0]) ** 1.5)
    ring = ellipse(centre, (radius * squeeze, radius))
    polygon(ball, ring, colour * 0.38, 1.0, 0.012 * unit)
    polygon(ball, ellipse(centre, (radius * 0.86 * squeeze, radius * 0.86)), colour * 0.95, 1.0, 0.018 * unit)
    polygon(ball, ellipse(centre + [0, 0.35 * radius], (radius * 0.62 * squeeze, radius * 0.5)), np.clip(colour * 1.55, 0, 1), 0.55,
            0.03 * unit)  # fmt: skip
    angles = scene.person_rng.uniform(0, 2 * np.pi, 24)
    rays = np.stack([np.cos(angles) * squeeze, np.sin(angles)], 1)[:, None] * np.array([0.42, 0.65, 0.88])[:, None]
    fibres = centre + radius * rays
    lines(ball, fibres[:12], 0.014 * unit, colour * 0.55, 0.5)
    lines(ball, fibres[12:], 0.014 * unit, np.clip(colour * 1.6, 0, 1), 0.45)
    polygon(ball, ellipse(centre, (radius * 0.43 * squeeze, radius * 0.43)), (0.015, 0.012, 0.012), 1.0, 0.01 * unit)
    glint = centre + np.clip(look.light[:2], -0.7, 0.7) * radius * 0.62
    polygon(ball, ellipse(glint, (radius * 0.20, radius * 0.24), count=12), (1.0, 1.0, 1.0), 0.95, 0.006 * unit)
    polygon(ball, ellipse(2 * centre - glint, (radius * 0.30, radius * 0.10), count=12), (0.9, 0.93, 1.0), 0.16, 0.02 * unit)


def _paint_lids(scene, name, brow_name, upper, lower):
    """Crease, lash line, lashes and the wet lower rim."""
    unit, person, rng = scene.scale, scene.person, scene.rng
    dark = np.clip(person.skin * 0.16, 0.02, 0.2)
    outer_first = name == "left_eye"
    brow = scene.part(brow_name)
    crease = upper + (brow.mean(0) - upper.mean(0)) * np.interp(np.linspace(0, 1, len(upper)), [0, 0.5, 1], [0.14, 0.30, 0.14])[:, None]
    shade(scene.image, np.concatenate([upper, crease[::-1]]), 0.90 - 0.30 * person.makeup * (person.makeup > 0.5), 0.02 * unit, 0.9)
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
    size = (0.040 + 0.045 * person.makeup) * unit * rng.uniform(0.7, 1.2, lashes)
    sign = -1 if outer_first else 1
    tip = root + np.stack([sign * outward * size, -size], 1)
    bend = (root + tip) / 2 + np.stack([sign * outward * 0.25 * size, 0.15 * size], 1)
    lines(scene.image, np.stack([root, bend, tip], 1), 0.010 * unit, dark, 0.9)


def paint_brow(scene, name):
    """A soft shadow and about a hundred hairs, inner ones upright, outer ones lying."""
    points, unit, person = scene.part(name), scene.scale, scene.person
    rng, weight = scene.rng, person.brow_weight
    ridge = spline(points if name == "right_brow" else points[::-1], steps=8)  # inner to outer
    sign = 1 if name == "right_brow" else -1
    profile = np.interp(np.linspace(0, 1, len(ridge)), [0, 0.15, 0.55, 1], [0.6, 1.0, 0.85, 0.12]) * 0.115 * weight * unit
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
    blend_strands(scene.image, strands, hair_table(colour, scene.look.light_colour), scene.light_on(np.array([0, 0, 1])), 0.72)


def brow_colour(person):
    """RGB of the brows: the hair's, darker when the hair is fair."""
    return np.clip(person.hair_colour * (0.75 if person.hair_colour.mean() < 0.45 else 0.62), 0.03, 0.7)


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
        curve = np.array([(x - sign * 0.02, y + 0.045, z), (x + sign * 0.02, y - 0.02, z), (x + sign * 0.012, y - 0.12, z),
                          (x - sign * 0.05, y - 0.175, z)])  # fmt: skip
        line = spline(scene.view.pixels(curve), steps=5)
        stroke(scene.image, line, 0.034 * unit * taper(len(line)), skin * [0.42, 0.30, 0.27], 0.42, 0.014 * unit)


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
    polygon(patch, ellipse(middle + [0, 0.9 * gap], (0.33 * width, 0.55 * gap)), np.array([0.62, 0.27, 0.27]) * light, 0.8, 0.05 * unit)
    for top, drop, dim in ((True, max(min(0.125 * unit, gap * 0.95), 0.04 * unit), 1.0), (False, 0.05 * unit, 0.8)):
        edge = (inner_top if top else inner_bottom[::-1]) - origin
        if not top and gap < 0.16 * unit:
            continue
        sag = drop * taper(len(edge), 0.45, 0.45, 0.4) * (1 if top else -1)
        row = np.concatenate([edge + [0, -0.04 * unit if top else 0.04 * unit], (edge + np.stack([0 * sag, sag], 1))[::-1]])
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
        shade(scene.image, ellipse(spot, (0.022 * unit, 0.020 * unit), count=10), (0.45, 0.33, 0.30), 0.006 * unit, 0.85)
    smile = scene.look.expression[0]
    fold = 0.15 + 0.45 * person.age + 0.45 * smile
    for sign, wing, corner in ((-1, 31, 48), (1, 35, 54)):
        start, end = scene.points[wing], scene.points[corner]
        path = np.array([start[:2] + [sign * 0.05, -0.07], (start[:2] + end[:2]) / 2 + [sign * (0.13 + 0.05 * smile), -0.05],
                         end[:2] + [sign * 0.14, 0.03]])  # fmt: skip
        line = spline(scene.on_surface(path), steps=8)
        _crease(scene, line, 0.05, min(0.55, fold * 0.5))
    if person.age > 0.3:
        _paint_wrinkles(scene, rng, person.age)


def _crease(scene, line, width, strength):
    """A soft fold: dark on the line, lighter beside it."""
    unit = scene.scale
    shade(scene.image, ribbon(line, width * unit * taper(len(line))), (0.70, 0.58, 0.54), 0.018 * unit, strength)
    shade(scene.image, ribbon(line, 0.3 * width * unit * taper(len(line))), (0.62, 0.50, 0.46), 0.006 * unit, strength)


def _paint_wrinkles(scene, rng, age):
    """Forehead lines, crow's feet, lines under the eyes."""
    lines = []
    brow = scene.points[17:27, 1].min()
    for level in range(int(1 + 3.5 * age)):
        y = brow - 0.16 - 0.13 * level
        x = np.linspace(-0.5, 0.5, 7) * rng.uniform(0.7, 1.1) + rng.normal(0, 0.05)
        lines.append((np.stack([x, y + rng.normal(0, 0.012, 7) + 0.03 * np.cos(x * 5)], 1), 0.030))
    for sign, corner, under in ((-1, 36, 41), (1, 45, 46)):
        x, y = scene.points[corner, :2]
        for k in range(3):
            ends = np.array([(x + sign * 0.05, y + 0.03 * (k - 1)), (x + sign * 0.19, y + 0.10 * (k - 1) + 0.01)])
            lines.append((np.linspace(ends[0], ends[1], 4), 0.022))
        below = scene.points[under, :2] + np.array([(-0.14 * -sign, 0.06), (0, 0.125), (0.16 * -sign, 0.11)])
        lines.append((below, 0.035))
    for path, width in lines:
        _crease(scene, spline(scene.on_surface(path), steps=5), width, (age - 0.2) * rng.uniform(0.4, 0.75))


def _beard_roots(scene, kind, count):
    """[N, 2] face xy of hair roots for a kind of beard."""
    points, rng = scene.points, scene.person_rng
    xy = np.stack([rng.uniform(-1.1, 1.1, count), rng.uniform(0.3, points[8, 1] + 0.05, count)], 1)
    jaw = points[0:17]
    low = np.interp(xy[:, 0], jaw[:, 0], jaw[:, 1])
    inside = (xy[:, 1] < low - 0.01) & (np.abs(xy[:, 0]) < np.interp(xy[:, 1], points[0:9, 1], np.abs(points[0:9, 0])) - 0.01)
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


def within(contour, xy):
    """[N] bool: which points lie in the polygon."""
    inside = np.zeros(len(xy), bool)
    x, y = xy.T
    for (x0, y0), (x1, y1) in zip(contour, np.roll(contour, -1, 0), strict=True):
        crosses = (y0 > y) != (y1 > y)
        inside ^= crosses & (x < (x1 - x0) * (y - y0) / (y1 - y0 + 1e-12) + x0)
    return inside


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
    blend_strands(scene.image, strands, hair_table(colour, scene.look.light_colour), light, 0.85 if kind != "stubble" else 0.22)


def _lens_outlines(scene):
    """Two [N, 3] rims in face units, a little in front of the eyes."""
    kind, points = scene.look.glasses, scene.points
    rims = []
    for sign, eye in ((-1, points[36:42]), (1, points[42:48])):
        x, y = eye[:, :2].mean(0)
        t = np.linspace(0, 2 * np.pi, 36, endpoint=False)
        power = {"round": 1.0, "square": 0.5, "browline": 0.62, "dark": 0.66}[kind]
        rx, ry = {"round": (0.37, 0.35), "square": (0.43, 0.28), "browline": (0.41, 0.30), "dark": (0.45, 0.33)}[kind]
        ring = np.stack([np.sign(np.cos(t)) * np.abs(np.cos(t)) ** power * rx, np.sign(np.sin(t)) * np.abs(np.sin(t)) ** power * ry], 1)
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
        glare = np.array([(-0.22, -0.26), (-0.05, -0.28), (-0.17, 0.1), (-0.30, 0.05)]) * unit * [scene.look.light[0] * 0 + 1, 1] + [x, y]
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
