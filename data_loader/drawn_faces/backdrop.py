"""Background of a head in the photo style: a blurred wall, neck and clothes."""

import cv2
import numpy as np

from data_loader.drawn_faces.canvas import Layer, ellipse, grain, polygon, polygons, ribbon, shade, smooth_noise, stroke
from data_loader.drawn_faces.geometry import spline
from data_loader.drawn_faces.relief import skin_tone


def paint_background(scene):
    """A blurred room, street or studio wall, painted at half the resolution."""
    look, rng, size = scene.look, scene.rng, scene.size // 2
    a, b, c = look.background_colours.astype(np.float32)
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size
    angle = rng.uniform(0, 2 * np.pi)
    ramp = np.clip(0.5 + (x - 0.5) * np.float32(np.cos(angle)) + (y - 0.5) * np.float32(np.sin(angle)), 0, 1)
    wall = a + ramp[..., None] * (b - a)
    if look.background == "blobs":
        wall += smooth_noise(rng, size, 4)[..., None] * 0.12 * (c - a + 0.2)
    if look.background == "bokeh":
        wall *= 0.55
        for _ in range(18):
            disc = ellipse(rng.uniform(0, size, 2), np.full(2, rng.uniform(0.02, 0.07) * size))
            polygon(wall, disc, np.clip(c + rng.normal(0.15, 0.15, 3), 0, 1), rng.uniform(0.15, 0.6), 0.004 * size)
    if look.background == "panels":
        _paint_panels(wall, rng, (a, b, c))
    if look.background == "leaves":
        _paint_leaves(wall, rng, (a, b, c))
    if look.background == "bricks":
        _paint_bricks(wall, rng, b)
    full = cv2.resize(wall, (scene.size, scene.size), interpolation=cv2.INTER_LINEAR)
    np.clip(full, 0, 1, out=scene.image)


def _paint_panels(wall, rng, colours):
    """Blurred uprights: doors, shelves, windows."""
    size = len(wall)
    for _ in range(9):
        x, y = rng.uniform(-0.1, 1.0, 2) * size
        w, h = rng.uniform(0.05, 0.35, 2) * size
        box = np.array([(x, y), (x + w, y), (x + w, y + 2 * h), (x, y + 2 * h)])
        colour = np.clip(colours[rng.integers(3)] * rng.uniform(0.5, 1.4), 0, 1)
        polygon(wall, box, colour, 0.8, rng.uniform(0.003, 0.025) * size)


def _paint_leaves(wall, rng, colours):
    """Foliage out of focus."""
    size = len(wall)
    for _ in range(7):
        places, radii, turns = (
            rng.uniform(0, size, [9, 2]),
            rng.uniform(0.02, 0.09, [9, 2]) * size,
            rng.uniform(0, 3, 9),
        )
        leaves = [ellipse(*leaf, 14) for leaf in zip(places, radii, turns, strict=True)]
        polygons(wall, leaves, np.clip(colours[rng.integers(3)] * rng.uniform(0.5, 1.3), 0, 1), 0.6, 0.012 * size)


def _paint_bricks(wall, rng, colour):
    """A wall in rather sharp focus."""
    size = len(wall)
    h, w = 0.065 * size, 0.17 * size
    row, column = (m.ravel() for m in np.mgrid[0:17, -1:7])
    corner = np.stack([(column + 0.5 * (row % 2)) * w, row * h], 1)
    boxes = corner[:, None] + np.array([(0, 0), (0.95 * w, 0), (0.95 * w, 0.88 * h), (0, 0.88 * h)])
    tint = rng.integers(0, 4, len(boxes))
    for k in range(4):
        polygons(wall, boxes[tint == k], np.clip(colour * (0.6 + 0.15 * k), 0, 1), 0.9, 0.006 * size)


def torso_outlines(scene):
    """dict of [N, 2] pixel outlines: neck, shoulders, collar points."""
    points, turn = scene.points, scene.look.torso_turn
    wide = 0.60 + 0.10 * scene.person.masculine
    chin = points[8, 1]
    head = scene.view.pixels(np.array([0.0, 0.9, -0.75]))
    unit, slope = scene.scale, 0.12 * turn

    def place(x, y):
        return np.array([head[0] + (x + 0.35 * turn * (y - 0.9)) * unit, head[1] + (y - 0.9 + slope * x) * unit])

    return {
        "neck": np.array(
            [
                place(-wide, 0.5),
                place(-wide * 0.98, chin - 0.15),
                place(-wide * 1.12, chin + 0.25),
                place(-1.2, chin + 0.75),
                place(1.2, chin + 0.75),
                place(wide * 1.12, chin + 0.25),
                place(wide * 0.98, chin - 0.15),
                place(wide, 0.5),
            ]
        ),
        "cloth": np.array(
            [
                place(-wide * 1.02, chin + 0.02),
                place(-1.15, chin + 0.26),
                place(-1.75, chin + 0.48),
                place(-2.2, chin + 0.9),
                place(-2.4, chin + 2.2),
                place(2.4, chin + 2.2),
                place(2.2, chin + 0.9),
                place(1.75, chin + 0.48),
                place(1.15, chin + 0.26),
                place(wide * 1.02, chin + 0.02),
                place(wide * 0.62, chin + 0.30),
                place(0.0, chin + 0.42),
                place(-wide * 0.62, chin + 0.30),
            ]
        ),
        "throat": place(0.0, chin + 0.30),
        "place": place,
        "chin": chin,
        "wide": wide,
    }


def paint_torso(scene):
    """Neck with the chin's shadow, then clothes."""
    torso, unit, person, size = torso_outlines(scene), scene.scale, scene.person, scene.size
    light = scene.light_on(np.array([0, 0.25, 1.0]))
    skin = np.clip(skin_tone(person, scene.look) * (0.12 + 0.80 * light), 0, 1)
    neck = torso["neck"]
    layer = Layer(scene.image.shape, neck, 2)
    if not layer.is_empty:
        layer.fill(neck)
        x = (np.arange(layer.columns.start, layer.columns.stop) - neck[:, 0].mean()) / (torso["wide"] * unit)
        side = 1 - 0.22 * np.clip(np.abs(x), 0, 1.3) ** 2 + 0.16 * scene.look.light[0] * np.clip(x, -1, 1)
        patch = skin * side[None, :, None] * np.ones([layer.mask.shape[0], 1, 1])
        layer.blend(scene.image, layer.softened(0), patch.astype(np.float32))
        inside = layer.softened(0)
        jaw = spline(scene.part("jaw"), steps=4) + np.array([-0.10 * scene.look.light[0], 0.16]) * unit
        layer.mask[:] = 0
        layer.fill(np.concatenate([jaw, [[jaw[-1, 0], -size], [jaw[0, 0], -size]]]))
        layer.multiply(scene.image, inside * layer.softened(0.06 * unit), np.array([0.55, 0.46, 0.44]))
    for sign in (-1, 1):
        tendon = np.array(
            [torso["place"](sign * 0.50, torso["chin"] - 0.1), torso["place"](sign * 0.16, torso["chin"] + 0.42)]
        )
        shade(scene.image, ribbon(np.linspace(*tendon, 5), 0.09 * unit), 0.86, 0.05 * unit, 0.7)
    _paint_cloth(scene, torso)


def _paint_cloth(scene, torso):
    """Plain, knitted, striped, plaid, shirt or suit."""
    unit, look, rng = scene.scale, scene.look, scene.rng
    main, other = look.cloth_colours * (0.35 + 0.6 * scene.light_on(np.array([0, -0.3, 1.0])))
    body = torso["cloth"]
    outline = np.concatenate([spline(body[:10], steps=4), spline(body[[9, 10, 11, 12, 0]], steps=5)[1:-1]])
    layer = Layer(scene.image.shape, outline, 3)
    if layer.is_empty:
        return
    shade(scene.image, ribbon(spline(body[[9, 10, 11, 12, 0]]) - [0, 0.02 * unit], 0.1 * unit), 0.7, 0.03 * unit, 0.7)
    layer.fill(outline)
    height, width = layer.mask.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    x, y = (x + layer.columns.start - torso["throat"][0]) / unit, (y + layer.rows.start - torso["throat"][1]) / unit
    y = y - 0.10 * x * x
    pattern = {
        "knit": lambda: 0.5 + 0.5 * np.sin(x * 75 + 2.2 * np.abs(np.sin(y * 38))),
        "stripes": lambda: (np.sin(y * 26) > 0.2).astype(np.float32),
        "plaid": lambda: 0.5 * (np.sin(x * 16) > 0.3) + 0.35 * (np.sin(y * 16) > 0.3) + 0.08 * np.sin((x + y) * 110),
    }.get(look.cloth, lambda: 0.12 * np.sin((x + y) * 120) + 0.06 * np.sin((x - y) * 120))()
    patch = main + pattern[..., None] * (0.45 if look.cloth in ("knit", "plain") else 0.85) * (other - main)
    folds = cv2.resize(rng.standard_normal([6, 9], np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    patch = patch * (1 + 0.08 * folds[..., None] + 0.10 * look.light[0] * np.clip(x, -1.5, 1.5)[..., None])
    weave = 1 + 0.05 * grain(rng, height, width)[..., None]
    layer.blend(scene.image, layer.softened(0.3), (patch * weave).astype(np.float32))
    if look.cloth in ("shirt", "suit"):
        _paint_collar(scene, torso, main, other)


def _paint_collar(scene, torso, main, other):
    """Two collar wings, and for a suit a shirt front, tie and lapels."""
    place, chin, wide, unit = torso["place"], torso["chin"], torso["wide"], scene.scale
    white = np.clip(0.55 + 0.45 * other, 0, 1) * (0.3 + 0.65 * scene.light_on(np.array([0, 0, 1.0])))
    if scene.look.cloth == "suit":
        front = np.array(
            [place(-wide, chin + 0.05), place(-0.5, chin + 1.6), place(0.5, chin + 1.6), place(wide, chin + 0.05)]
        )
        polygon(scene.image, front, white * 0.93)
        tie = np.array(
            [place(-0.10, chin + 0.38), place(0.10, chin + 0.38), place(0.16, chin + 1.5), place(-0.16, chin + 1.5)]
        )
        polygon(scene.image, tie, np.clip(other * 0.7, 0, 1))
        for sign in (-1, 1):
            lapel = np.array(
                [place(sign * wide * 1.1, chin + 0.08), place(sign * 0.3, chin + 1.5), place(sign * 1.25, chin + 1.2)]
            )
            shade(scene.image, lapel + [0.0, 0.03 * unit], 0.6, 0.03 * unit)
            polygon(scene.image, lapel, main * 0.85)
    for sign in (-1, 1):
        wing = np.array(
            [
                place(sign * wide * 1.06, chin - 0.08),
                place(sign * wide * 1.16, chin + 0.22),
                place(sign * 0.36, chin + 0.62),
                place(sign * 0.05, chin + 0.40),
                place(sign * wide * 0.8, chin + 0.16),
            ]
        )
        shade(scene.image, wing + [0, 0.05 * unit], 0.7, 0.03 * unit)
        polygon(scene.image, wing, white if scene.look.cloth == "suit" else np.clip(main * 1.12, 0, 1))
        stroke(scene.image, wing[[1, 2, 3]], 0.012 * unit, main * 0.5, 0.6)
