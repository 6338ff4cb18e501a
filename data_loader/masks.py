"""Hole masks: drawn shapes of a wanted size, or files; 1 is a hole, 0 is known.

`kinds` are drawn: strokes of a brush, a random walk, a rectangle, a centred box, one side of the picture, the lower
face, a composition of several. `files` are read (data_loader/mask_files.py). Either way `ratios` bounds the part of the
picture that is hole, and everything random comes from the generator that is passed in.
"""

from pathlib import Path
from typing import Annotated, Literal

import cv2
import numpy as np
from pydantic import Field, model_validator

from data_loader.mask_files import MaskFiles
from data_loader.ranges import range_within
from engine.errors import InputError
from engine.images import face_box
from engine.settings import Settings

ANY_RATIO = (0.01, 0.6)
ATTEMPTS = 300  # draws before a wanted ratio counts as impossible
Kind = Literal["strokes", "walk", "rectangle", "centre", "half", "lower_face", "face_box", "composition"]
Ratio = range_within(0, 1)
JAW, NOSE_BRIDGE, NOSE_TIP = slice(1, 16), 27, 30  # of 68 landmarks in iBUG order


class MaskSettings(Settings):
    """Settings of holes: drawn `kinds` with their weights, or `files`.

    `ratios` are half-open ranges (low, high] of the hole's part of the picture, `margins` the parts of a side that
    stay free of holes along every edge. Training draws one of each; validation takes every pair in turn, so a set of
    pictures is spread evenly over them. Without ratios drawn holes cover 1 to 60 %, and files come as they are.
    `lower_face` is as large as the face, `face_box` the same for all: neither ratios nor margins apply to them. Margins
    apply to drawn holes only.

    `files` is a folder or a .zip; what white means in them has to be said, except for NVIDIA's two archives.
    `augmentation` is for training: "flips" and quarter turns, or "nvidia", the recipe of their training set.
    """

    kinds: dict[Kind, Annotated[float, Field(gt=0)]] = {}
    ratios: tuple[Ratio, ...] = ()
    margins: tuple[Annotated[float, Field(ge=0, lt=0.5)], ...] = (0.0,)
    files: Path | None = None
    white_means: Literal["hole", "valid"] | None = None
    augmentation: Literal["none", "flips", "nvidia"] = "none"

    @model_validator(mode="after")
    def _one_source(self):
        if bool(self.kinds) == (self.files is not None):
            raise ValueError("expected either 'kinds' (drawn holes with their weights) or 'files' (a folder or .zip)")
        if self.files is None and (self.white_means or self.augmentation != "none"):
            raise ValueError("'white_means' and 'augmentation' are for 'files'")
        if not self.margins or (self.files is not None and self.margins != (0.0,)):
            raise ValueError(f"margins is {list(self.margins)}; expected some for 'kinds' and none for 'files'")
        for low, high in self.ratios:
            for margin in self.margins:
                if high > 0.95 * (1 - 2 * margin) ** 2:
                    raise ValueError(
                        f"ratio {high:g} does not fit inside margin {margin:g}; "
                        f"expected at most {0.95 * (1 - 2 * margin) ** 2:.2f}"
                    )
            if low == high:
                raise ValueError(f"ratio {[low, high]}: expected low < high")
        return self


class Masks:
    """Draws the hole of a sample."""

    def __init__(self, settings, size, training):
        """Args: MaskSettings; (height, width); training draws cases and files at random, validation takes turns."""
        self.settings, self.size, self.training = settings, size, training
        self.cases = [(ratio, margin) for ratio in settings.ratios or (None,) for margin in settings.margins]
        self.files = None
        if settings.files is not None:
            self.files = MaskFiles(settings.files, size, settings.white_means, settings.augmentation)

    def draw(self, index, rng, landmarks=None):
        """The hole of sample `index`.

        Args:
            rng: source of all that is random.
            landmarks: [68, 2] (x, y) pixels of the face, or None where they are not known.

        Returns:
            (mask [H, W, 1] float32 of 0 and 1, "inside" or "free": whether the hole was kept off the edge).

        Raises:
            InputError: a file cannot be read, or no file has a hole of the wanted ratio.
        """
        case = rng.integers(len(self.cases)) if self.training else index % len(self.cases)
        ratio, margin = self.cases[case]
        if self.files is not None:
            return self._from_files(index, ratio, rng)
        names = list(self.settings.kinds)
        weights = np.array(list(self.settings.kinds.values()))
        kind = names[rng.choice(len(names), p=weights / weights.sum())]
        if kind in ("lower_face", "face_box"):
            return _mask(lower_face(self.size, rng, landmarks if kind == "lower_face" else None)), "free"
        return _mask(drawn_hole(kind, self.size, ratio, margin, rng)), "inside" if margin else "free"

    def _from_files(self, index, ratio, rng):
        takes_turns = ratio is None and not self.training
        low, high = ratio or (0, 1)
        for _ in range(1 if takes_turns else ATTEMPTS):
            chosen = index % len(self.files) if takes_turns else rng.integers(len(self.files))
            hole = self.files.read(chosen, rng, self.training)
            if takes_turns and hole.all():
                raise InputError(f"{self.settings.files}: {self.files.names[chosen]} is nothing but hole")
            if low < hole.mean() <= high:
                return _mask(hole), self.files.border(chosen, hole)
        if takes_turns:
            raise InputError(f"{self.settings.files}: {self.files.names[chosen]} holds no hole")
        raise InputError(f"{self.settings.files}: no hole of ratio {[low, high]} in {ATTEMPTS} masks drawn from it")


def _mask(hole):
    return hole[..., None].astype(np.float32)


def drawn_hole(kind, size, ratio, margin, rng):
    """A hole of one kind, [H, W] bool.

    Args:
        kind: a Kind other than "lower_face" and "face_box".
        size: (height, width).
        ratio: (low, high], or None: 1 to 60 %; "half" is then one half, "centre" one quarter of the picture.
        margin: part of a side that stays free along every edge.

    Raises:
        ValueError: not reached in ATTEMPTS draws.
    """
    frame = [round(margin * side) for side in size]
    inner = [side - 2 * edge for side, edge in zip(size, frame, strict=True)]
    scale = size[0] * size[1] / (inner[0] * inner[1])
    low, high = ratio or (ANY_RATIO[0], min(ANY_RATIO[1], 0.95 / scale))
    for _ in range(ATTEMPTS):
        target = rng.uniform(low, high) * scale
        if ratio is None:
            target = {"half": 0.5, "centre": 0.25}.get(kind, target)
        hole = np.pad(SHAPES[kind](inner, target, rng), [(edge, edge) for edge in frame])
        if low < hole.mean() <= high or (ratio is None and kind in ("half", "centre")):
            return hole
    raise ValueError(f"{kind}: no hole of ratio {(low, high)} at {size} in {ATTEMPTS} draws")


def strokes(size, target, rng):
    """Brush strokes of 4 to 10 turns, up to the stroke that fills `target` of [H, W].

    Lengths and widths are those of a 256 pixel picture, scaled to `size` and, for small targets, thinner.

    Source: the brush of open-mmlab/mmagic (random_irregular_mask): 4-10 vertices, length 20-128, width 10-45.
    """
    canvas = np.zeros(size, np.uint8)
    unit = min(size) / 256 * min(1, (target / 0.25) ** 0.5)
    wanted, turns = target * canvas.size, 0
    while cv2.countNonZero(canvas) < wanted:
        if turns == 0:
            turns, angle = rng.integers(4, 11), rng.uniform(0, 2 * np.pi)
            point, width = rng.uniform((0, 0), (size[1], size[0])), max(1, round(rng.uniform(10, 45) * unit))
        angle += rng.uniform(-np.pi / 2, np.pi / 2) + (np.pi if rng.uniform() < 0.3 else 0)
        end = point + rng.uniform(20, 128) * unit * np.array([np.cos(angle), np.sin(angle)])
        end = np.clip(end, 0, (size[1] - 1, size[0] - 1))
        start, stop = (tuple(round(value) for value in place) for place in (point, end))
        cv2.line(canvas, start, stop, 1, width)
        cv2.circle(canvas, stop, width // 2, 1, -1)
        point, turns = end, turns - 1
    return canvas > 0


def walk(size, target, rng):
    """The cells a random walk has visited when `target` of [H, W] is reached; the walk is reflected at the edges.

    Source: naoto0804/pytorch-inpainting-with-partial-conv generate_data.py (random_walk).
    Differs: the walk ends at a size of the hole instead of after side^2 steps; its cells grow with the picture, 128 a
    side, so that a large picture costs no more; reflection instead of waiting at an edge.
    """
    cell = max(1, min(size) // 128)
    rows, columns = (-(-side // cell) for side in size)
    wanted = max(1, round(target * rows * columns))
    place, visited = np.array([rng.integers(rows), rng.integers(columns)]), np.empty(0, np.int64)
    while len(visited) < wanted:
        direction = rng.integers(0, 4, 4 * rows * columns)
        steps = np.stack([(direction == 0) * 1 - (direction == 1), (direction == 2) * 1 - (direction == 3)])
        path = place[:, None] + np.cumsum(steps, 1)
        place = path[:, -1]
        flat = _reflected(path[0], rows) * columns + _reflected(path[1], columns)
        both = np.concatenate([visited, flat])
        _, first = np.unique(both, return_index=True)
        visited = both[np.sort(first)]
    cells = np.zeros(rows * columns, bool)
    cells[visited[:wanted]] = True
    return cells.reshape(rows, columns).repeat(cell, 0).repeat(cell, 1)[: size[0], : size[1]]


def _reflected(position, length):
    """Unbounded whole positions folded into 0 .. length - 1."""
    period = 2 * length
    folded = position % period
    return np.minimum(folded, period - 1 - folded)


def rectangle(size, target, rng):
    """One upright rectangle anywhere, its area `target` of [H, W], its sides' ratio 1:2 to 2:1 where that fits."""
    aspect = 2 ** rng.uniform(-1, 1)
    height = np.clip((target * aspect) ** 0.5, target, 1)
    sides = [max(1, round(part * side)) for part, side in zip((height, target / height), size, strict=True)]
    top, left = (rng.integers(side - part + 1) for part, side in zip(sides, size, strict=True))
    return _box(size, top, left, *sides)


def centre(size, target, rng):
    """A box in the middle with the picture's aspect ratio, its area `target` of [H, W]; nothing is random."""
    sides = [max(1, round(target**0.5 * side)) for side in size]
    top, left = ((side - part) // 2 for part, side in zip(sides, size, strict=True))
    return _box(size, top, left, *sides)


def half(size, target, rng):
    """A band along one of the four edges, its area `target` of [H, W]."""
    height, width = size
    band = [max(1, round(target * side)) for side in size]
    edges = [
        (0, 0, band[0], width),
        (height - band[0], 0, band[0], width),
        (0, 0, height, band[1]),
        (0, width - band[1], height, band[1]),
    ]
    return _box(size, *edges[rng.integers(4)])


def _box(size, top, left, height, width):
    hole = np.zeros(size, bool)
    hole[top : top + height, left : left + width] = True
    return hole


def composition(size, target, rng):
    """Strokes, walks and rectangles, two or more, added until together they fill `target` of [H, W]."""
    hole, parts = np.zeros(size, bool), [strokes, walk, rectangle]
    part = target / 2
    while hole.mean() < target * 0.95:
        hole |= parts[rng.integers(3)](size, part, rng)
        part = max(0.25 * target, target - hole.mean())
    return hole


SHAPES = {
    "strokes": strokes,
    "walk": walk,
    "rectangle": rectangle,
    "centre": centre,
    "half": half,
    "composition": composition,
}


def lower_face(size, rng, landmarks=None):
    """Area under a surgical mask, [H, W] bool: the jaw up to the nose, or the lower middle of the picture.

    Args:
        landmarks: [68, 2] (x, y) pixels. Without them the hole is `engine.images.face_box`.
    """
    if landmarks is None:
        return face_box(size)[..., 0] > 0
    tip, bridge = landmarks[NOSE_TIP], landmarks[NOSE_BRIDGE]
    top = bridge + rng.uniform(0.2, 0.8) * (tip - bridge)
    polygon = np.concatenate([landmarks[JAW], top[None]])
    middle = polygon.mean(0)
    polygon = middle + rng.uniform(1, 1.1) * (polygon - middle)
    hole = np.zeros(size, np.uint8)
    cv2.fillPoly(hole, [np.rint(polygon).astype(np.int32)], 1)
    return hole > 0
