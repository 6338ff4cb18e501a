"""The photo style: background, torso, head, hair and finish, painted from back to front."""

import cv2
import numpy as np

from data_loader.faces import features, hair
from data_loader.faces.canvas import (
    Layer,
    Strands,
    blend_strands,
    ellipse,
    grain,
    polygon,
    polygons,
    ribbon,
    shade,
    smooth_noise,
    stroke,
)
from data_loader.faces.geometry import PARTS, spline
from data_loader.faces.relief import skin_picture, skin_tone

STRANDS = 520  # per sheet of density 1


def paint_background(scene):
    """A blurred room, street or studio wall."""
    look, size, rng = scene.look, scene.size, scene.rng
    a, b, c = look.background_colours.astype(np.float32)
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size
    angle = rng.uniform(0, 2 * np.pi)
    ramp = np.clip(0.5 + (x - 0.5) * np.float32(np.cos(angle)) + (y - 0.5) * np.float32(np.sin(angle)), 0, 1)
    scene.image[:] = a + ramp[..., None] * (b - a)
    if look.background == "blobs":
        scene.image += smooth_noise(rng, size, 4)[..., None] * 0.12 * (c - a + 0.2)
    if look.background == "bokeh":
        scene.image *= 0.55
        for _ in range(26):
            disc = ellipse(rng.uniform(0, size, 2), np.full(2, rng.uniform(0.02, 0.07) * size))
            polygon(scene.image, disc, np.clip(c + rng.normal(0.15, 0.15, 3), 0, 1), rng.uniform(0.15, 0.6), 0.004 * size)
    if look.background == "panels":
        _paint_panels(scene, rng, (a, b, c))
    if look.background == "leaves":
        for _ in range(9):
            leaves = [ellipse(rng.uniform(0, size, 2), rng.uniform(0.02, 0.09, 2) * size, rng.uniform(0, 3), 14) for _ in range(8)]
            polygons(scene.image, leaves, np.clip((a, b, c)[rng.integers(3)] * rng.uniform(0.5, 1.3), 0, 1), 0.6, 0.012 * size)
    if look.background == "bricks":
        _paint_bricks(scene, rng, (a, b))
    np.clip(scene.image, 0, 1, out=scene.image)


def _paint_panels(scene, rng, colours):
    """Blurred uprights: doors, shelves, windows."""
    size = scene.size
    for _ in range(9):
        x, y = rng.uniform(-0.1, 1.0, 2) * size
        w, h = rng.uniform(0.05, 0.35, 2) * size
        box = np.array([(x, y), (x + w, y), (x + w, y + 2 * h), (x, y + 2 * h)])
        colour = np.clip(colours[rng.integers(3)] * rng.uniform(0.5, 1.4), 0, 1)
        polygon(scene.image, box, colour, 0.8, rng.uniform(0.003, 0.025) * size)


def _paint_bricks(scene, rng, colours):
    """A wall in rather sharp focus."""
    size = scene.size
    h, w = 0.065 * size, 0.17 * size
    row, column = (m.ravel() for m in np.mgrid[0:17, -1:7])
    corner = np.stack([(column + 0.5 * (row % 2)) * w, row * h], 1)
    boxes = corner[:, None] + np.array([(0, 0), (0.95 * w, 0), (0.95 * w, 0.88 * h), (0, 0.88 * h)])
    shade_of = rng.integers(0, 4, len(boxes))
    for k in range(4):
        polygons(scene.image, boxes[shade_of == k], np.clip(colours[1] * (0.6 + 0.15 * k), 0, 1), 0.9, 0.006 * size)


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
        "neck": np.array([place(-wide, 0.5), place(-wide * 0.98, chin - 0.15), place(-wide * 1.12, chin + 0.25),
                          place(-1.2, chin + 0.75), place(1.2, chin + 0.75), place(wide * 1.12, chin + 0.25),
                          place(wide * 0.98, chin - 0.15), place(wide, 0.5)]),
        "cloth": np.array([place(-wide * 1.02, chin + 0.02), place(-1.15, chin + 0.26), place(-1.75, chin + 0.48),
                           place(-2.2, chin + 0.9), place(-2.4, chin + 2.2), place(2.4, chin + 2.2), place(2.2, chin + 0.9),
                           place(1.75, chin + 0.48), place(1.15, chin + 0.26), place(wide * 1.02, chin + 0.02),
                           place(wide * 0.62, chin + 0.30), place(0.0, chin + 0.42), place(-wide * 0.62, chin + 0.30)]),
        "throat": place(0.0, chin + 0.30), "place": place, "chin": chin, "wide": wide,
    }  # fmt: skip


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
        tendon = np.array([torso["place"](sign * 0.50, torso["chin"] - 0.1), torso["place"](sign * 0.16, torso["chin"] + 0.42)])
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
        front = np.array([place(-wide, chin + 0.05), place(-0.5, chin + 1.6), place(0.5, chin + 1.6), place(wide, chin + 0.05)])
        polygon(scene.image, front, white * 0.93)
        tie = np.array([place(-0.10, chin + 0.38), place(0.10, chin + 0.38), place(0.16, chin + 1.5), place(-0.16, chin + 1.5)])
        polygon(scene.image, tie, np.clip(other * 0.7, 0, 1))
        for sign in (-1, 1):
            lapel = np.array([place(sign * wide * 1.1, chin + 0.08), place(sign * 0.3, chin + 1.5), place(sign * 1.25, chin + 1.2)])
            shade(scene.image, lapel + [0.0, 0.03 * unit], 0.6, 0.03 * unit)
            polygon(scene.image, lapel, main * 0.85)
    for sign in (-1, 1):
        wing = np.array([place(sign * wide * 1.06, chin - 0.08), place(sign * wide * 1.16, chin + 0.22), place(sign * 0.36, chin + 0.62),
                         place(sign * 0.05, chin + 0.40), place(sign * wide * 0.8, chin + 0.16)])  # fmt: skip
        shade(scene.image, wing + [0, 0.05 * unit], 0.7, 0.03 * unit)
        polygon(scene.image, wing, white if scene.look.cloth == "suit" else np.clip(main * 1.12, 0, 1))
        stroke(scene.image, wing[[1, 2, 3]], 0.012 * unit, main * 0.5, 0.6)


def paint_ears(scene):
    """Two ears behind the cheeks."""
    unit, skin = scene.scale, np.clip(skin_tone(scene.person, scene.look) + [0.02, -0.03, -0.03], 0, 1)
    for sign, name in ((-1, "left_ear"), (1, "right_ear")):
        outline = spline(scene.part(name), closed=True, steps=6)
        light = scene.light_on(scene.view.rotation @ np.array([0.55 * sign, -0.1, 0.8]))
        middle = outline.mean(0)
        polygon(scene.image, outline, np.clip(skin * (0.10 + 0.85 * light), 0, 1))
        shade(scene.image, (outline - middle) * [0.52, 0.62] + middle, (0.62, 0.50, 0.47), 0.03 * unit, 0.8)
        rim = spline(scene.part(name)[1:6], steps=6)
        stroke(scene.image, rim * 0.88 + middle * 0.12, 0.03 * unit, np.clip(skin * light * 1.08, 0, 1), 0.5, 0.012 * unit)
        if scene.look.earrings and scene.person.masculine < 0:
            lobe = scene.part(name)[5]
            ring = ellipse(lobe + [0, 0.06 * unit], (0.035 * unit, 0.05 * unit), 0, 14)
            stroke(scene.image, np.vstack([ring, ring[:2]]), 0.018 * unit, (0.85, 0.72, 0.35), 0.95)


def head_outline(scene):
    """[N, 2] pixels: jaw landmarks, then over the skull."""
    return spline(np.concatenate([scene.part("jaw"), scene.part("skull")[::-1]]), closed=True, steps=5)


def paint_skin(scene):
    """The head's skin, carried from the relief to the picture, with pores."""
    outline = head_outline(scene)
    layer = Layer(scene.image.shape, outline, 2)
    layer.fill(outline)
    skin = skin_picture(scene.relief, scene.person, scene.look, scene.points, scene.view)
    map_x, map_y = scene.relief.pixel_map(scene.view, scene.size)
    box = np.s_[layer.rows, layer.columns]
    patch = cv2.remap(skin, map_x[box], map_y[box], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    fine = grain(scene.rng, *layer.mask.shape)
    blur = scene.size / 256
    pores = cv2.GaussianBlur(fine, (0, 0), 0.5 * blur) - cv2.GaussianBlur(fine, (0, 0), 1.3 * blur)
    mask = layer.softened(0)
    edge = np.clip(2 * layer.softened(0.11 * scene.scale) - 1, 0, 1)
    patch *= ((1 + (0.03 + 0.03 * scene.person.age) * pores) * (0.74 + 0.26 * np.sqrt(edge)))[..., None]
    layer.blend(scene.image, mask, patch)
    scene.head_mask = np.zeros([scene.size, scene.size], np.float32)
    scene.head_mask[box] = mask


def _draw_sheet(scene, strands, sheet, edge_tone):
    """One sheet of hair into a strand layer."""
    if sheet.filled:
        strands.fill(scene.view.pixels(hair.sheet_outline(sheet)), edge_tone)
    count = int(STRANDS * sheet.density * scene.fineness)
    curves, tones = hair.sampled_strands(sheet, count, scene.rng)
    flat = scene.view.pixels(curves)
    thick = int(count / 6 / scene.fineness) if sheet.filled else 0
    if thick:
        strands.draw(flat[:thick], tones[:thick] * 0.55, round(3 * scene.fineness))
    strands.draw(flat[thick:], tones[thick:], strands.unit)


def _hair_light(scene):
    """[S, S] float32 factor: where the key light and its band of gloss fall on the skull."""
    size, unit = scene.size, scene.scale
    centre = scene.view.pixels(np.array([0.0, -0.2, -0.5]))
    y, x = np.mgrid[0:size, 0:size].astype(np.float32)
    x, y = (x - np.float32(centre[0])) / np.float32(1.5 * unit), (y - np.float32(centre[1])) / np.float32(1.6 * unit)
    facing = x * np.float32(scene.look.light[0]) + y * np.float32(scene.look.light[1])
    band = np.exp(-(((np.hypot(x - 0.25 * scene.look.light[0], y * 1.05) - 0.62) / 0.13) ** 2)) / (1 + np.exp(12 * y - 1))
    return ((0.85 + 0.32 * facing + 0.38 * band * np.clip(0.6 + facing, 0, 1)) * scene.look.exposure).astype(np.float32)


def paint_hair(scene, sheets, casts_shadow):
    """Draw sheets of hair over the picture, with the shadow they cast on what lies below."""
    if not sheets:
        return
    strands = Strands(scene.size)
    for sheet in sheets:
        _draw_sheet(scene, strands, sheet, 0.22)
    if casts_shadow:
        shift = np.array([-0.07 * scene.look.light[0], 0.07]) * scene.scale
        move = np.array([[1, 0, shift[0]], [0, 1, shift[1]]])
        low = cv2.resize(strands.pixels[..., 1], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        move[:, 2] /= 2
        low = cv2.GaussianBlur(cv2.warpAffine(low, move, low.shape[::-1]), (0, 0), 0.03 * scene.scale)
        shadow = cv2.resize(low, (scene.size, scene.size), interpolation=cv2.INTER_LINEAR).astype(np.float32) / 255
        shadow *= scene.head_mask
        scene.image *= 1 - shadow[..., None] * np.array([0.42, 0.48, 0.50], np.float32)
    colour = np.clip(scene.person.hair_colour * scene.look.hair_shift, 0, 1)
    blend_strands(scene.image, strands, features.hair_table(colour, scene.look.light_colour), _hair_light(scene))


def paint_scalp(scene):
    """Shadow of cropped hair where the style is buzzed, bald or receding."""
    depth = {"buzz": 0.65, "receding": 0.35, "bald": 0.12}.get(scene.person.hair_style, 0.0)
    if depth and scene.person.masculine > 0:
        line, skull = scene.part("hairline"), scene.part("skull")
        cap = np.concatenate([spline(line, steps=5), spline(skull, steps=5)[::-1]])
        polygon(scene.image, cap, scene.person.hair_colour * 0.7, depth, 0.05 * scene.scale)


def paint_photo(scene):
    """The whole photo: [S, S, 3] float32 RGB in [0, 1]."""
    person, points = scene.person, scene.points
    paint_background(scene)
    if person.hair_style == "tied":
        bun = scene.view.pixels(np.array([0.15 * person.hair_part, -1.62, -0.8]))
        polygon(scene.image, ellipse(bun, (0.42 * scene.scale, 0.34 * scene.scale)), person.hair_colour * 0.6, 1.0, 0.01 * scene.scale)
    paint_hair(scene, hair.back_sheets(points, person), False)
    paint_torso(scene)
    if scene.shows_ears:
        paint_ears(scene)
    paint_skin(scene)
    paint_scalp(scene)
    features.paint_marks(scene)
    features.paint_nose(scene)
    for eye, brow in (("left_eye", "left_brow"), ("right_eye", "right_brow")):
        features.paint_eye(scene, eye, brow)
    features.paint_mouth(scene)
    features.paint_beard(scene)
    for brow in ("left_brow", "right_brow"):
        features.paint_brow(scene, brow)
    features.paint_glasses(scene)
    paint_hair(scene, hair.front_sheets(points, person), True)
    return finished(scene)


def finished(scene):
    """Light falloff, a trace of sensor grain, clipped to [0, 1]."""
    scene.image += 0.006 * grain(scene.rng, scene.size, scene.size)[..., None]
    return np.clip(scene.image, 0, 1, out=scene.image)


__all__ = ["PARTS", "head_outline", "paint_photo"]
