"""Anti-aliased drawing on float32 RGB pictures: polygons with soft edges, tapered strokes, hair, noise.

Coordinates are (x, y) pixels, pixel (0, 0) has its centre at (0, 0). Every function paints in place, touches only the
bounding box of what it draws, and clips at the border. Masks are drawn by OpenCV at 1/16 pixel.
"""

from functools import lru_cache

import cv2
import numpy as np

_SHIFT = 4
_TURN = np.array([-1.0, 1.0])


def fixed(points):
    """[N, 2] float pixels -> [N, 1, 2] int32 at 1/16 pixel, as OpenCV's `shift` wants them."""
    return np.rint(np.asarray(points) * (1 << _SHIFT)).astype(np.int32)[:, None]


class Layer:
    """A mask [h, w] in [0, 1] and where it lies: `rows`, `columns` slices of the picture."""

    def __init__(self, picture_shape, points, margin=2.0):
        """Cover the bounding box of `points` ([N, 2]) plus `margin` pixels, cut at the picture's border."""
        height, width = picture_shape[:2]
        (left, top), (right, bottom) = points.min(0).tolist(), points.max(0).tolist()
        left, top = (min(max(int(v - margin), 0), most) for v, most in ((left, width), (top, height)))
        right, bottom = (min(max(int(v + margin) + 2, 0), most) for v, most in ((right, width), (bottom, height)))
        self.origin = np.array([left, top])
        self.rows, self.columns = slice(top, max(bottom, top)), slice(left, max(right, left))
        self.mask = np.zeros([self.rows.stop - top, self.columns.stop - left], np.uint8)

    @property
    def is_empty(self):
        """True where the box lies outside the picture."""
        return self.mask.size == 0

    def fill(self, points, value=255):
        """Fill a polygon."""
        cv2.fillPoly(self.mask, [fixed(points - self.origin)], value, cv2.LINE_AA, _SHIFT)

    def softened(self, sigma):
        """float32 mask in [0, 1], blurred by `sigma` pixels (above 4 at a quarter of the resolution)."""
        mask = self.mask.astype(np.float32) * (1 / 255)
        if sigma <= 0.3:
            return mask
        if sigma <= 4:
            return cv2.GaussianBlur(mask, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
        height, width = mask.shape
        small = cv2.resize(mask, (max(1, width // 4), max(1, height // 4)), interpolation=cv2.INTER_AREA)
        small = cv2.GaussianBlur(small, (0, 0), sigma / 4, borderType=cv2.BORDER_REPLICATE)
        return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)

    def blend(self, image, mask, colour):
        """image += mask * (colour - image) on the box; `colour` is RGB or an array of the box."""
        part = image[self.rows, self.columns]
        part += mask[..., None] * (np.asarray(colour, np.float32) - part)

    def multiply(self, image, mask, factor):
        """image *= 1 + mask * (factor - 1) on the box; factor is a number or RGB."""
        image[self.rows, self.columns] *= 1 + mask[..., None] * (np.asarray(factor, np.float32) - 1)


def polygons(image, outlines, colour, alpha=1.0, feather=0.0):
    """Blend many polygons of one colour, [N, K, 2] or a list of [K, 2], with one mask."""
    layer = Layer(image.shape, np.concatenate(outlines), 2 + 3 * feather)
    if not layer.is_empty:
        for outline in outlines:
            layer.fill(outline)
        layer.blend(image, layer.softened(feather) * np.float32(alpha), colour)


def lines(image, curves, width, colour, alpha=1.0):
    """Blend many thin lines [N, K, 2] of one colour; below one pixel of `width` the ink thins out instead."""
    layer = Layer(image.shape, curves.reshape(-1, 2), 2 + width)
    if not layer.is_empty and len(curves):
        paths = np.round((curves - layer.origin) * (1 << _SHIFT)).astype(np.int32)[:, :, None]
        cv2.polylines(layer.mask, list(paths), False, 255, max(1, round(width)), cv2.LINE_AA, _SHIFT)
        layer.blend(image, layer.softened(0) * np.float32(alpha * min(1.0, width)), colour)


def polygon(image, points, colour, alpha=1.0, feather=0.0):
    """Blend one filled polygon; `feather` is the blur of its edge in pixels."""
    polygons(image, [points], colour, alpha, feather)


def shades(image, outlines, factor, feather=0.0, alpha=1.0):
    """Multiply the picture by `factor` (number or RGB) inside soft polygons, a list of [K, 2], with one mask."""
    layer = Layer(image.shape, np.concatenate(outlines), 2 + 3 * feather)
    if not layer.is_empty:
        for outline in outlines:
            layer.fill(outline)
        layer.multiply(image, layer.softened(feather) * np.float32(alpha), factor)


def shade(image, points, factor, feather=0.0, alpha=1.0):
    """Multiply the picture by `factor` inside one soft polygon."""
    shades(image, [points], factor, feather, alpha)


def ribbon(points, widths):
    """[2N, 2] outline of a stroke along [N, 2] with `widths` (a number or [N]) pixels."""
    normal = np.empty([len(points), 2])
    normal[1:-1] = points[2:] - points[:-2]
    normal[0], normal[-1] = points[1] - points[0], points[-1] - points[-2]
    normal = normal[:, ::-1] * _TURN
    half = np.asarray(widths) * 0.5 / np.maximum(np.sqrt(normal[:, 0] ** 2 + normal[:, 1] ** 2), 1e-6)
    offset = normal * half[:, None]
    return np.concatenate([points + offset, (points - offset)[::-1]])


@lru_cache(maxsize=512)
def taper(count, start=0.0, end=0.0, power=0.6):
    """[count] profile (shared, read-only): `start` and `end` at the tips, 1 in the middle."""
    t = np.linspace(0, 1, count)
    body = np.sin(np.pi * t) ** power
    profile = body + (1 - body) * (start * (1 - t) + end * t)
    profile.flags.writeable = False
    return profile


def stroke(image, points, widths, colour, alpha=1.0, feather=0.0):
    """Blend a tapered stroke; below one pixel of width the ink thins out instead."""
    widest = float(np.max(widths))
    if widest < 1.0:
        widths, alpha = np.asarray(widths) / max(widest, 1e-6), alpha * widest
    polygon(image, ribbon(points, widths), colour, alpha, feather)


@lru_cache(maxsize=16)
def _circle(count):
    """[count, 2] unit circle."""
    t = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.stack([np.cos(t), np.sin(t)], 1)


def ellipse(centre, radii, angle=0.0, count=28):
    """[count, 2] outline of an ellipse."""
    outline = _circle(count) * np.asarray(radii)
    if angle:
        c, s = np.cos(angle), np.sin(angle)
        outline = outline @ np.array([[c, s], [-s, c]])
    return outline + np.asarray(centre)


class Strands:
    """Hair as many thin lines: a premultiplied (tone, coverage) picture, coloured once at the end."""

    def __init__(self, size):
        """An empty layer of [size, size]."""
        self.pixels = np.zeros([size, size, 3], np.uint8)
        self.unit = max(1, round(size / 512))

    def fill(self, points, tone):
        """A solid patch of one tone (0 to 1)."""
        cv2.fillPoly(self.pixels, [fixed(points)], (255 * tone, 255, 0), cv2.LINE_AA, _SHIFT)

    def draw(self, curves, tones, thickness=1, levels=7):
        """Draw [N, K, 2] curves with [N] tones in [0, 1]; neighbours in the list share no order, tones come mixed."""
        curves = np.round(curves * (1 << _SHIFT)).astype(np.int32)[:, :, None]
        bands = np.clip((np.asarray(tones) * levels).astype(int), 0, levels - 1)
        groups = len(curves) // 400 + 1
        for start in range(groups):
            for band in range(levels):
                chosen = curves[start::groups][bands[start::groups] == band]
                if len(chosen):
                    colour = (255 * (band + 0.5) / levels, 255, 0)
                    cv2.polylines(self.pixels, list(chosen), False, colour, thickness, cv2.LINE_AA, _SHIFT)

    def coverage(self):
        """[size, size] float32 in [0, 1]."""
        return self.pixels[..., 1].astype(np.float32) * (1 / 255)

    def tone(self):
        """[size, size] float32: tone where covered (not premultiplied)."""
        return self.pixels[..., 0].astype(np.float32) / np.maximum(self.pixels[..., 1], 1)


def blend_strands(image, strands, colour_of_tone, light=1.0, alpha=1.0):
    """Composite hair over the picture.

    Args:
        image: [S, S, 3], painted in place.
        strands: Strands.
        colour_of_tone: [256, 3] float32 table.
        light: number or [S, S] factor on the tone.
        alpha: opacity.
    """
    coverage = strands.coverage()
    rows, columns = np.flatnonzero(coverage.any(1)), np.flatnonzero(coverage.any(0))
    if not len(rows):
        return
    box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    tone = strands.tone()[box] * (light[box] if isinstance(light, np.ndarray) else light)
    colour = colour_of_tone[np.clip(tone * 255, 0, 255).astype(np.uint8)]
    image[box] += (alpha * coverage[box])[..., None] * (colour - image[box])


def hair_table(colour, light_colour):
    """[256, 3] float32: hair colour of each tone, darkest roots to highlights."""
    tone = np.linspace(0, 1, 256)[:, None]
    body = colour * (0.22 + 1.55 * tone)
    gleam = np.clip(tone - 0.62, 0, 1) ** 1.3 * (0.65 + 0.8 * colour.mean()) * light_colour
    return np.clip(body + gleam, 0, 1).astype(np.float32)


def smooth_noise(rng, size, cells):
    """[size, size] float32, unit-variance noise with about `cells` bumps a side."""
    coarse = rng.standard_normal([cells + 3, cells + 3], np.float32)
    return cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)


@lru_cache(maxsize=8)
def _grain_field(side):
    """[side, side] float32 white noise, the same in every process."""
    return np.random.default_rng(side).standard_normal([side, side], np.float32)


def grain(rng, height, width):
    """[height, width] float32 white noise: a window at a random place of a fixed field."""
    side = 128 * (max(height, width) // 128 + 2)
    top, left = rng.integers(0, side - height + 1), rng.integers(0, side - width + 1)
    return _grain_field(side)[top : top + height, left : left + width]
