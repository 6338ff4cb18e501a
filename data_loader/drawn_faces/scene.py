"""The input of a painter: the picture so far, the people, the points, the view."""

import numpy as np

from data_loader.drawn_faces.geometry import PARTS

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
        """Number of hairs relative to 256 pixels."""
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
        return self.look.exposure * float(
            np.sqrt(np.clip(self.look.ambient * 0.8 + max(facing, 0.0) * (1.15 - 0.6 * self.look.ambient), 0.03, 1.2))
        )

    def on_surface(self, xy):
        """[N, 2] face xy -> [N, 2] pixels on the skin."""
        return self.view.pixels(self.relief.at(np.asarray(xy, float).reshape(-1, 2)))


def within(contour, xy):
    """[N] bool: which points lie in the polygon."""
    inside = np.zeros(len(xy), bool)
    x, y = xy.T
    for (x0, y0), (x1, y1) in zip(contour, np.roll(contour, -1, 0), strict=True):
        crosses = (y0 > y) != (y1 > y)
        inside ^= crosses & (x < (x1 - x0) * (y - y0) / (y1 - y0 + 1e-12) + x0)
    return inside
