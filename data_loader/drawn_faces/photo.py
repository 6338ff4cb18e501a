"""The photo style: background, torso, head, hair and finish, painted from back to front."""

import cv2
import numpy as np

from data_loader.drawn_faces import eyes, features, hair
from data_loader.drawn_faces.backdrop import paint_background, paint_torso
from data_loader.drawn_faces.canvas import (
    Layer,
    Strands,
    blend_strands,
    ellipse,
    grain,
    hair_table,
    polygon,
    shade,
    stroke,
)
from data_loader.drawn_faces.geometry import spline
from data_loader.drawn_faces.mouth import paint_mouth
from data_loader.drawn_faces.relief import skin_picture, skin_tone

STRANDS = 460  # per sheet of density 1


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
        stroke(
            scene.image, rim * 0.88 + middle * 0.12, 0.03 * unit, np.clip(skin * light * 1.08, 0, 1), 0.5, 0.012 * unit
        )
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
    thick = int(count / 8 / scene.fineness) if sheet.filled else 0
    if thick:
        strands.draw(flat[:thick], tones[:thick] * 0.55, round(3 * scene.fineness))
    strands.draw(flat[thick:], tones[thick:], strands.unit)


def _hair_light(scene):
    """[S, S] float32 factor: where the key light and its band of gloss fall on the skull."""
    size, unit = scene.size, scene.scale
    centre = scene.view.pixels(np.array([0.0, -0.2, -0.5]))
    y, x = np.mgrid[0 : size // 4, 0 : size // 4].astype(np.float32) * 4 + 1.5
    x, y = (x - np.float32(centre[0])) / np.float32(1.5 * unit), (y - np.float32(centre[1])) / np.float32(1.6 * unit)
    facing = x * np.float32(scene.look.light[0]) + y * np.float32(scene.look.light[1])
    ring = np.hypot(x - np.float32(0.25 * scene.look.light[0]), y * 1.05)
    band = np.exp(-(((ring - 0.62) / 0.13) ** 2)) / (1 + np.exp(12 * y - 1))
    light = (0.85 + 0.32 * facing + 0.38 * band * np.clip(0.6 + facing, 0, 1)) * np.float32(scene.look.exposure)
    return cv2.resize(light, (size, size), interpolation=cv2.INTER_LINEAR)


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
    blend_strands(scene.image, strands, hair_table(colour, scene.look.light_colour), _hair_light(scene))


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
        polygon(
            scene.image,
            ellipse(bun, (0.42 * scene.scale, 0.34 * scene.scale)),
            person.hair_colour * 0.6,
            1.0,
            0.01 * scene.scale,
        )
    paint_hair(scene, hair.back_sheets(points, person), False)
    paint_torso(scene)
    if scene.shows_ears:
        paint_ears(scene)
    paint_skin(scene)
    paint_scalp(scene)
    features.paint_marks(scene)
    features.paint_nose(scene)
    for eye, brow in (("left_eye", "left_brow"), ("right_eye", "right_brow")):
        eyes.paint_eye(scene, eye, brow)
    paint_mouth(scene)
    features.paint_beard(scene)
    for brow in ("left_brow", "right_brow"):
        eyes.paint_brow(scene, brow)
    eyes.paint_glasses(scene)
    paint_hair(scene, hair.front_sheets(points, person), True)
    return finished(scene)


def finished(scene):
    """Light falloff, a trace of sensor grain, clipped to [0, 1]."""
    scene.image += 0.006 * grain(scene.rng, scene.size, scene.size)[..., None]
    return np.clip(scene.image, 0, 1, out=scene.image)
