"""The face as a height field z(x, y) over its own frontal plane, and how light falls on it.

The field is a rounded base plus separable Gaussian bumps at the control points; it is shaded where it is defined and
then carried to the picture by inverting the projection, so shading follows the pose exactly.
"""

import cv2
import numpy as np

X_RANGE, Y_RANGE = (-1.45, 1.45), (-1.75, 2.05)


def _bumps(points, expression_smile, depth):
    """Rows (height, x, y, sigma_x, sigma_y) of everything that stands out or in."""
    bridge, base = points[27:31], points[31:36]
    mouth, lower = points[48:60].mean(0), points[57]
    half_mouth = (points[54, 0] - points[48, 0]) / 2
    rows = [(0.03 * depth, *bridge[0, :2], 0.10, 0.16), (0.15 * depth, *bridge[1, :2], 0.085, 0.15),
            (0.24 * depth, *bridge[2, :2], 0.09, 0.15), (0.30 * depth, *bridge[3, :2], 0.115, 0.115),
            (0.10 * depth, base[2, 0], base[2, 1] - 0.04, 0.12, 0.07)]  # fmt: skip
    wing = (points[35, 0] - points[31, 0]) / 2
    for sign, corner in ((-1, points[31]), (1, points[35])):
        rows.append((0.15, corner[0] - sign * 0.06, corner[1] - 0.07, 0.30 * wing, 0.085))
    for sign, brow, eye in ((-1, points[17:22], points[36:42]), (1, points[22:27], points[42:48])):
        x, y = eye[:, :2].mean(0)
        width = np.ptp(eye[:, 0])
        rows += [(0.035, knot[0], knot[1] - 0.02, 0.16, 0.085) for knot in brow[1:4]]
        rows += [(-0.12, x - sign * 0.06, y - 0.02, 0.60 * width, 0.15), (0.095, x, y, 0.32 * width, 0.115),
                 (-0.05, x - sign * 0.24, y + 0.02, 0.09, 0.12), (-0.015, x, y + 0.21, 0.26, 0.045),
                 (0.10 + 0.06 * expression_smile, sign * 0.60, 0.58 - 0.08 * expression_smile, 0.24, 0.24),
                 (0.03, sign * 0.68, 0.36, 0.22, 0.14), (-0.05, sign * 0.72, 1.02, 0.16, 0.24),
                 (-0.045 - 0.04 * expression_smile, mouth[0] + sign * (half_mouth * 0.96 + 0.06), 0.97, 0.06, 0.17),
                 (-0.06, mouth[0] + sign * (half_mouth + 0.02), points[48, 1], 0.06, 0.07)]  # fmt: skip
    rows += [(0.10, mouth[0], mouth[1], half_mouth * 0.8, 0.20), (-0.022, points[51, 0], 0.90, 0.035, 0.07),
             (0.050, points[51, 0], points[51, 1] + 0.035, half_mouth * 0.62, 0.045),
             (0.075, lower[0], lower[1] - 0.055, half_mouth * 0.55, 0.055),
             (-0.05, lower[0], lower[1] + 0.10, 0.20, 0.06), (0.09, points[8, 0], points[8, 1] - 0.18, 0.20, 0.13),
             (0.03, -0.36, -0.66, 0.30, 0.22), (0.03, 0.36, -0.66, 0.30, 0.22)]  # fmt: skip
    return rows


def _outline_half_width(points, rows):
    """Half width of the head at each y of `rows`, from the jaw, temple and skull points."""
    left, right = points[0:9], points[16:7:-1]
    jaw_y, jaw_w = (left[:, 1] + right[:, 1]) / 2, (right[:, 0] - left[:, 0]) / 2
    skull, mirror = points[68:74], points[78:72:-1]
    top_y, top_w = (skull[:, 1] + mirror[:, 1]) / 2, (mirror[:, 0] - skull[:, 0]) / 2
    y, width = np.concatenate([top_y[::-1], jaw_y]), np.concatenate([top_w[::-1], jaw_w])
    order = np.argsort(y)
    return np.interp(rows, y[order], np.maximum(width[order], 0.05))


class Relief:
    """Height field of one set of face points, sampled at about one sample a pixel."""

    def __init__(self, points, expression_smile, depth, scale):
        """`points` [102, 3]; `depth` scales the nose; `scale` in pixels a face unit sets the resolution."""
        self.step = 2.0 / float(np.clip(scale, 40, 130))
        self.x = np.arange(X_RANGE[0], X_RANGE[1], self.step, dtype=np.float32)
        self.y = np.arange(Y_RANGE[0], Y_RANGE[1], self.step, dtype=np.float32)
        half = _outline_half_width(points, self.y)
        kernel = np.hanning(max(3, int(0.35 / self.step) | 1))
        pad = len(kernel) // 2
        half = np.convolve(np.pad(half, pad, mode="edge"), kernel / kernel.sum(), "valid")
        radius = np.abs(self.x[None]) / np.maximum(half[:, None], 0.5)
        vertical = (
            0.50 * np.clip((-self.y - 0.25) / 1.25, 0, None) ** 2 + 0.12 * np.clip((self.y - 0.8) / 1.0, 0, 2) ** 2
        )
        rim = np.interp(self.x, points[0:17, 0], points[0:17, 1])
        under = np.clip((self.y[:, None] - rim[None] + 0.32) / 0.32, 0, 1.6)
        base = 0.22 - 0.62 * np.minimum(radius, 1.35) ** 2.5 - vertical[:, None] - 0.17 * under**2
        self.height = (base + self.spots(_bumps(points, expression_smile, depth))).astype(np.float32)

    def at(self, points):
        """[N, 2] face xy -> [N, 3] with the surface's z."""
        column = np.clip((points[:, 0] - self.x[0]) / self.step, 0, len(self.x) - 1).astype(int)
        row = np.clip((points[:, 1] - self.y[0]) / self.step, 0, len(self.y) - 1).astype(int)
        return np.concatenate([points, self.height[row, column][:, None]], 1)

    def normals(self):
        """[H, W, 3] unit normals in face coordinates."""
        dx = cv2.Sobel(self.height, cv2.CV_32F, 1, 0, scale=0.125 / self.step)
        dy = cv2.Sobel(self.height, cv2.CV_32F, 0, 1, scale=0.125 / self.step)
        length = 1 / np.sqrt(1 + dx * dx + dy * dy)
        return np.stack([-dx * length, -dy * length, length], 2)

    def spots(self, rows):
        """[H, W] float32: sum of Gaussians (height, x, y, sigma_x, sigma_y)."""
        rows = np.asarray(rows, np.float32)
        across = np.exp(-0.5 * ((self.x[None] - rows[:, 1:2]) / rows[:, 3:4]) ** 2)
        along = np.exp(-0.5 * ((self.y[None] - rows[:, 2:3]) / rows[:, 4:5]) ** 2)
        return (along * rows[:, :1]).T @ across

    def pixel_map(self, view, size):
        """(map_x, map_y) [size, size] float32: where in the field each pixel looks, for cv2.remap.

        Solves rotation * (x, y, z(x, y)) = pixel for (x, y) by fixed-point iteration on a coarse grid.
        """
        coarse = max(48, size // 5)
        centre = (np.arange(coarse) + 0.5) * (size / coarse) - 0.5
        grid = np.stack(np.meshgrid(centre, centre), 2)
        target = (grid - view.offset) / view.scale - view.pivot[:2]
        inverse = np.linalg.inv(view.rotation[:2, :2])
        smooth = cv2.GaussianBlur(self.height, (0, 0), 0.06 / self.step)
        where, lift = np.zeros_like(target), view.rotation[:2, 2]
        for turn in range(5):
            if turn:
                depth = cv2.remap(smooth, *self._columns(where), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            else:
                depth = np.full(target.shape[:2], 0.1)
            solved = (target - (depth - view.pivot[2])[..., None] * lift) @ inverse.T + view.pivot[:2]
            where = solved if turn < 2 else 0.5 * (where + solved)
        return tuple(cv2.resize(m, (size, size), interpolation=cv2.INTER_CUBIC) for m in self._columns(where))

    def _columns(self, where):
        """Face xy [..., 2] -> float32 sample coordinates."""
        return (
            ((where[..., 0] - self.x[0]) / self.step).astype(np.float32),
            ((where[..., 1] - self.y[0]) / self.step).astype(np.float32),
        )


def skin_picture(relief, person, look, points, view):
    """[H, W, 3] float32: the shaded skin in the field's own frame.

    Wrapped diffuse light, ambient from above, a soft highlight, occlusion in sockets and under nose and lips, and
    blood: redder cheeks, nose and chin, and a redder edge between light and shadow. Light is summed in linear values
    (a square law stands for the display's).
    """
    normal = relief.normals()
    light = view.rotation.T @ look.light
    half_way = light + view.rotation.T @ np.array([0, 0, 1.0])
    half_way /= np.linalg.norm(half_way)
    lambert = normal @ light.astype(np.float32)
    wrap = np.float32(0.42 - 0.34 * look.hardness)
    diffuse = np.clip((lambert + wrap) / (1 + wrap), 0, 1)
    sky = 0.5 - 0.5 * (normal @ view.rotation[1].astype(np.float32))
    occlusion = np.clip(_occlusion(relief, points) + look.hardness * _nose_shadow(relief, points, light), 0, 1.2)
    ambient = look.ambient * (0.55 + 0.75 * sky) * (1 - 0.50 * occlusion)
    amount = diffuse * (1.16 - 0.62 * look.ambient) * (1 - 0.72 * occlusion)
    edge = np.exp(-(((lambert + 0.05) / 0.25) ** 2)) * 0.06
    shine = np.clip(normal @ half_way.astype(np.float32), 0, 1) ** 22 * _gloss(relief, points) * (1.2 - occlusion)
    lit = amount[..., None] * look.light_colour + ambient[..., None] * np.array([1.0, 0.98, 1.0])
    lit += edge[..., None] * np.array([1.0, 0.12, 0.04]) + 0.05 * occlusion[..., None] * np.array([1.0, 0.2, 0.1])
    colour = np.square(_albedo(relief, person, look, points)) * lit * look.exposure
    colour += (0.12 * shine)[..., None] * look.light_colour
    return np.sqrt(np.clip(colour, 0, 1)).astype(np.float32)


def _albedo(relief, person, look, points):
    """[H, W, 3] display-referred skin colour before light."""
    rng, smile = np.random.default_rng(person.grain_seed), look.expression[0]
    rosy = 0.7 + 0.9 * person.makeup
    blush = relief.spots(
        [(rosy, sign * 0.62, 0.55 - 0.07 * smile, 0.25, 0.2) for sign in (-1, 1)]
        + [(0.8, *points[30, :2], 0.15, 0.13), (0.35, points[8, 0], points[8, 1] - 0.12, 0.25, 0.13),
           (-0.4, 0, -0.62, 0.6, 0.3)]
    )  # fmt: skip
    mottle = cv2.resize(
        rng.standard_normal([26, 20], np.float32), relief.height.shape[::-1], interpolation=cv2.INTER_CUBIC
    )
    tint = np.array([0.02, -0.055, -0.05], np.float32) * np.float32(person.ruddiness * (0.4 + 0.8 * person.skin[0]))
    colour = skin_tone(person, look).astype(np.float32) + (blush + 0.30 * mottle)[..., None] * tint
    dark = _lid_tint(relief, points, 0.05 + 0.08 * person.age)
    return np.clip(colour * (1 - dark[..., None] * np.array([0.55, 1.0, 0.85], np.float32)), 0.02, 1)


def skin_tone(person, look):
    """[3] the person's skin in this picture, before light."""
    return np.clip(person.skin + look.skin_shift * person.skin + np.array([0.025, -0.006, -0.008]), 0.02, 0.98)


def _lid_tint(relief, points, strength):
    """[H, W]: darker skin around the eyes."""
    rows = []
    for eye in (points[36:42], points[42:48]):
        x, y = eye[:, :2].mean(0)
        rows += [(strength, x, y + 0.13, 0.22, 0.07), (0.8 * strength, x, y - 0.06, 0.24, 0.10)]
    return relief.spots(rows)


def _gloss(relief, points):
    """[H, W]: how oily the skin is: nose, forehead, cheek bones."""
    return 0.30 + relief.spots(
        [(1.2, *points[30, :2], 0.11, 0.13), (0.7, *points[28, :2], 0.06, 0.25), (0.45, 0, -0.65, 0.5, 0.25),
         (0.5, -0.62, 0.40, 0.2, 0.15), (0.5, 0.62, 0.40, 0.2, 0.15)]
    )  # fmt: skip


def _occlusion(relief, points):
    """[H, W]: places that see little of the sky, about 0 to 1."""
    rows = [(0.80, points[33, 0], points[33, 1] + 0.045, 0.17, 0.045),
            (0.40, points[57, 0], points[57, 1] + 0.075, 0.20, 0.045)]  # fmt: skip
    for sign, eye, brow in ((-1, points[36:42], points[17:22]), (1, points[42:48], points[22:27])):
        x, y = eye[:, :2].mean(0)
        crease = 0.45 * y + 0.55 * brow[2, 1]
        inner, wing, corner = eye[3 if sign < 0 else 0], points[31 if sign < 0 else 35], points[48 if sign < 0 else 54]
        rows += [
            (0.30, x - sign * 0.04, crease + 0.03, 0.23, 0.075),
            (0.50, inner[0] - sign * 0.05, y - 0.08, 0.07, 0.12),
            (0.20, x, y + 0.15, 0.20, 0.05),
            (0.45, wing[0] + sign * 0.03, wing[1] - 0.02, 0.035, 0.08),
            (0.40, corner[0] + sign * 0.02, corner[1] + 0.01, 0.05, 0.045),
            (0.22, sign * 0.13, points[29, 1] - 0.02, 0.045, 0.20),
        ]
    return relief.spots(rows)


def _nose_shadow(relief, points, light):
    """[H, W]: the shadow the nose casts, away from the light."""
    tip, side = points[30], -np.sign(light[0]) * min(abs(light[0]) * 0.55, 0.32)
    return relief.spots(
        [(0.42, tip[0] + side * 0.75, tip[1] + 0.17 - 0.10 * light[1], 0.13, 0.10),
         (0.40 * min(1.0, 1.6 * abs(light[0])), side * 0.9 + points[29, 0], points[29, 1] + 0.1, 0.09, 0.22)]
    )  # fmt: skip
