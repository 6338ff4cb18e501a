"""Hair: sheets of guide curves over the skull, filled with strands.

A sheet is [G, K, 3]: G guides of K points in face units, neighbouring guides side by side. A strand is a mix of two
neighbouring guides, bent by its clump, waved along its length. The same sheets serve the photo (thousands of thin
strands) and the caricature (a flat shape and a few ink lines).
"""

from dataclasses import dataclass

import numpy as np

from data_loader.drawn_faces.geometry import PARTS, spline

KNOTS = 9


@dataclass(frozen=True)
class Sheet:
    """One bundle of strands."""

    guides: np.ndarray  # [G, K, 3]
    density: float = 1.0  # strands relative to the usual number
    reach: tuple = (0.0, 1.0)  # part of the guide a strand may cover
    length: float = 1.0  # length of a strand, part of the guide
    wave: float = 0.0  # sideways swing in face units
    turns: float = 2.0  # swings along a strand
    jitter: float = 0.02
    filled: bool = True  # lay a solid patch below
    filled_to: float = 0.88  # part of the guides the patch covers
    tone: float = 0.45  # mean brightness


def _resampled(points, count):
    """[N, 3] -> [count, 3], evenly spaced along the curve."""
    curve = spline(np.asarray(points, float))
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(curve, axis=0), axis=1))])
    place = np.linspace(0, length[-1], count)
    return np.stack([np.interp(place, length, curve[:, k]) for k in range(3)], 1)


def _blend(first, second, count):
    """[count, K, 3]: guides from curve `first` to curve `second`."""
    mix = np.linspace(0, 1, count)[:, None, None]
    return first * (1 - mix) + second * mix


class Head:
    """The curves hair follows: hairline, silhouette lifted by the hair's volume, parting."""

    def __init__(self, points, person, lift):
        """`points` [102, 3]; `lift` is the hair's thickness in face units."""
        self.line = points[PARTS["hairline"]]
        skull = points[PARTS["skull"]]
        centre = np.array([0.0, -0.35, -0.5])
        outward = (skull - centre) * np.array([1, 1, 0])
        outward /= np.linalg.norm(outward, axis=1, keepdims=True)
        thick = lift * np.interp(np.abs(np.arange(11) - 5), [0, 3, 5], [1.0, 0.85, 0.55])
        self.top = skull + outward * thick[:, None]
        self.part = person.hair_part

    def front(self, count):
        """[count, 3] along the hairline, left to right."""
        return _resampled(self.line, count)

    def outline(self, count):
        """[count, 3] along the lifted silhouette, left to right."""
        return _resampled(self.top, count)

    def side(self, sign, from_part):
        """(hairline, silhouette) curves [K, 3] from the parting down to the ear on one side."""
        line, top = self.front(41), self.outline(41)
        middle = int(20 + 20 * from_part)
        if sign < 0:
            return _resampled(line[: middle + 1][::-1], KNOTS), _resampled(top[: middle + 1][::-1], KNOTS)
        return _resampled(line[middle:], KNOTS), _resampled(top[middle:], KNOTS)


def _upward(head, lift, length, reach=(0.0, 1.0), **more):
    """Roots at the hairline, growing back over the skull."""
    front, top = head.front(19), head.outline(19)
    mix = np.linspace(0, 1, KNOTS)[None, :, None]
    guides = front[:, None] * (1 - mix) + top[:, None] * mix
    arch = np.sin(np.pi * mix[0, :, 0]) * lift
    guides[:, :, 1] -= arch * np.interp(np.abs(np.arange(19) - 9), [0, 6, 9], [1, 0.5, 0])[:, None]
    return Sheet(guides, length=length, reach=reach, **more)


def _combed(head, sign, extension=None, fringe=0.0, **more):
    """From the parting down one side; `extension` (curves) continues below the ear."""
    front, top = head.side(sign, head.part)
    if fringe:
        t = np.linspace(0, 1, KNOTS)
        front = front + np.stack([0 * t, fringe * np.sin(np.pi * np.clip(t * 1.25, 0, 1)) ** 1.2, 0.05 + 0 * t], 1)
    root = np.stack([front[0], top[0]])
    guides = _blend(front, top, 7)
    guides[:, 0] = np.linspace(root[0], root[1], 7)
    if extension is not None:
        inner, outer = extension
        ends = _blend(inner, outer, 7)
        guides = np.stack(
            [_resampled(np.concatenate([g[:-2], e]), KNOTS + 6) for g, e in zip(guides, ends, strict=True)]
        )
    return Sheet(guides, **more)


def _fall(points, sign, length, spread):
    """(inner, outer) curves from beside the ear down to `length` below the eyes."""
    ear = points[0] if sign < 0 else points[16]
    x = ear[0]
    steps = np.array([0.25, 0.6, 1.0])
    inner = np.stack(
        [x + sign * (np.array([0.0, 0.02, 0.08]) * spread - 0.06), 0.15 + length * steps, -0.35 + 0 * steps], 1
    )
    outer = np.stack([x + sign * np.array([0.24, 0.36, 0.42]) * spread, 0.15 + length * steps, -0.5 + 0 * steps], 1)
    return inner, outer


def back_sheets(points, person):
    """Hair behind the neck and ears: list of Sheet."""
    style, long = person.hair_style, person.masculine < 0
    if not long or style in ("tied", "curls"):
        return []
    length = 1.25 if style == "bob" else 1.5 + 0.9 * person.hair_length
    left, right = points[0, 0], points[16, 0]
    guides = []
    for place in np.linspace(-1, 1, 11):
        x = (left + right) / 2 + place * (right - left) / 2 * np.array([1.05, 1.22, 1.28, 1.25])
        y = np.array([-0.9, 0.1, 0.1 + length * 0.5, 0.1 + length])
        guides.append(_resampled(np.stack([x, y, np.full(4, -0.7)], 1), KNOTS + 4))
    wave = 0.07 if style == "waves" else 0.015
    return [Sheet(np.stack(guides), 1.1, wave=wave, turns=3, tone=0.26, jitter=0.03)]


def _long_sheets(points, person, head):
    """Styles that cover the ears or are tied back."""
    style, volume = person.hair_style, person.hair_volume
    if style == "tied":
        return [_upward(head, 0.03, 1.0, density=1.3, jitter=0.012, tone=0.45)]
    if style == "curls":
        return _curls(points, person, head)
    length = 1.2 if style == "bob" else 1.5 + 0.9 * person.hair_length
    wave, turns = (0.085 * volume, 2.6) if style == "waves" else (0.03, 1.4)
    sheets = []
    for sign in (-1, 1):
        sides = _combed(
            head, sign, _fall(points, sign, length, volume), wave=wave, turns=turns, density=1.3, jitter=0.03
        )
        sheets.append(sides)
    if style == "bangs":
        sheets.append(_bangs(points, head))
    return sheets


def _bangs(points, head):
    """A fringe from the crown to the brows, swept away from the parting."""
    sweep = -head.part
    top, front = head.outline(19)[4:15], head.front(19)[4:15]
    end = front.copy()
    end[:, 1] = points[19, 1] - 0.04 + 0.20 * (end[:, 0] / 0.8) ** 2 + 0.10 * sweep * end[:, 0]
    end[:, 0] = 1.06 * end[:, 0] + 0.55 * sweep * (1 - (end[:, 0] / 0.95) ** 2)
    end[:, 2] += 0.12
    guides = np.stack([_resampled([t, 0.5 * (t + f) + [0, -0.03, 0.1], f + [0, 0, 0.12], e], KNOTS)
                       for t, f, e in zip(top, front, end, strict=True)])  # fmt: skip
    return Sheet(guides, 1.3, jitter=0.055, tone=0.47, filled_to=0.72, wave=0.012)


def _curls(points, person, head):
    """A cloud of curls around the skull."""
    front, top = head.front(23), head.outline(23)
    middle = np.array([0, -0.2, -0.5])
    cloud = top + (top - middle) * 0.16 * person.hair_volume * np.array([1, 1, 0])
    guides = np.stack([_resampled([f, 0.5 * (f + t), t, c], KNOTS) for f, t, c in zip(front, top, cloud, strict=True)])
    return [Sheet(guides, 2.2, length=0.33, wave=0.05, turns=2.5, jitter=0.07, tone=0.4)]


def _short_sheets(points, person, head):
    """Styles that leave the ears free."""
    style = person.hair_style
    if style == "bald":
        return []
    if style == "buzz":
        return [_upward(head, 0.0, 0.05, density=2.5, filled=False, jitter=0.02, tone=0.4)]
    if style == "receding":
        return [_upward(head, 0.0, 0.3, reach=(0.45, 1.0), density=0.8, filled=False, tone=0.45)]
    if style == "curls":
        return _curls(points, person, head)
    if style == "swept":
        return [_combed(head, sign, fringe=0.16 if sign * person.hair_part <= 0 else 0.03, jitter=0.03, wave=0.01)
                for sign in (-1, 1)]  # fmt: skip
    if style == "fringe":
        return [_upward(head, 0.05, 0.9), _bangs(points, head)]
    if style == "messy":
        return [_upward(head, 0.10, 0.5, density=1.4, jitter=0.10, wave=0.03),
                _combed(head, -1, fringe=0.22, length=0.6, jitter=0.09, wave=0.03),
                _combed(head, 1, fringe=0.22, length=0.6, jitter=0.09, wave=0.03)]  # fmt: skip
    lift = 0.18 if style == "quiff" else 0.03
    return [_upward(head, lift, 0.75 if style == "quiff" else 0.45, density=1.3, jitter=0.035, wave=0.008)]


def front_sheets(points, person):
    """Hair over the skull and beside the face: list of Sheet, in the order of drawing."""
    long = person.masculine < 0
    lift = (0.20 if long else 0.15) * person.hair_volume
    if person.hair_style in ("buzz", "bald", "tied", "receding"):
        lift = 0.04
    head = Head(points, person, lift)
    return (_long_sheets if long else _short_sheets)(points, person, head)


def sheet_outline(sheet):
    """[N, 3]: the closed border of a sheet: first guide, the ends, last guide, the roots."""
    g = sheet.guides
    low, high = sheet.reach[0], sheet.reach[0] + (sheet.reach[1] - sheet.reach[0]) * sheet.filled_to
    g = g[:, round(low * (g.shape[1] - 1)) : int(high * (g.shape[1] - 1)) + 1]
    return np.concatenate([g[0], g[1:-1, -1], g[-1, ::-1], g[-2:0:-1, 0]])


def sampled_strands(sheet, count, rng):
    """Strand curves and tones of a sheet.

    Args:
        sheet: Sheet.
        count: number of strands.
        rng: numpy Generator.

    Returns:
        ([count, K, 3] face units, [count] tones in [0, 1]).
    """
    total, stations = sheet.guides.shape[:2]
    knots = 7 if sheet.length < 0.7 else stations
    clumps = max(6, total * 4)
    clump = rng.integers(0, clumps, count)
    place = np.clip((clump + rng.normal(0.5, 0.55, count)) / clumps, 0, 1) * (total - 1)
    lower = np.minimum(place.astype(int), total - 2)
    between = (place - lower)[:, None, None]
    low, high = sheet.reach
    span = (high - low) * sheet.length * rng.uniform(0.75, 1.1, count)
    start = low + np.clip(high - low - span, 0, None) * (rng.uniform(0, 1, count) if sheet.length < 1 else 0)
    along = np.clip(start[:, None] + span[:, None] * np.linspace(0, 1, knots), 0, 1) * (stations - 1)
    station = np.minimum(along.astype(int), stations - 2)
    part = (along - station)[..., None]

    def on(guide):
        rows = sheet.guides[guide][np.arange(count)[:, None], station]
        return rows * (1 - part) + sheet.guides[guide][np.arange(count)[:, None], station + 1] * part

    curve = on(lower) * (1 - between) + on(lower + 1) * between
    grow = np.linspace(0.15, 1, knots)[None, :, None]
    bend = rng.normal(0, sheet.jitter, [clumps, 1, 3])[clump] + rng.normal(0, sheet.jitter * 0.6, [count, 1, 3])
    stray = 1 + 2.0 * (rng.uniform(0, 1, [count, 1, 1]) > 0.94)
    stray[: count // 4] = 1  # the broad strokes at the bottom
    curve = curve + bend * grow * stray
    if sheet.wave:
        phase = rng.uniform(0, 2 * np.pi, clumps)[clump] + rng.normal(0, 0.35, count)
        swing = np.sin(phase[:, None] + 2 * np.pi * sheet.turns * np.linspace(0, 1, knots))
        curve[..., 0] += sheet.wave * swing * grow[..., 0]
        curve[..., 1] += (
            0.5 * sheet.wave * np.cos(phase[:, None] + 6.3 * sheet.turns * np.linspace(0, 1, knots)) * grow[..., 0]
        )
    tone = sheet.tone + rng.normal(0, 0.11, clumps)[clump] + rng.normal(0, 0.09, count)
    return curve, np.clip(tone, 0.03, 0.97)
