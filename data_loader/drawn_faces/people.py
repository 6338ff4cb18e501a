"""A drawn person (`Identity`) and a picture's view of them (`Appearance`), both drawn from seeded generators.

An identity depends on (seed, label) alone; an appearance on (seed, label, variant). Colours are RGB in [0, 1].
"""

from dataclasses import dataclass, replace

import numpy as np

from data_loader.drawn_faces.geometry import EXPRESSION_MODES, IDENTITY_MODES

SKIN = np.array(
    [(0.92, 0.77, 0.69), (0.89, 0.71, 0.61), (0.84, 0.64, 0.52), (0.78, 0.56, 0.42), (0.62, 0.42, 0.30),
     (0.46, 0.30, 0.21), (0.34, 0.22, 0.16)]
)  # fmt: skip
HAIR = {
    "black": (0.10, 0.085, 0.08), "dark_brown": (0.22, 0.14, 0.10), "brown": (0.36, 0.23, 0.15),
    "chestnut": (0.42, 0.21, 0.12), "ginger": (0.58, 0.29, 0.14), "dark_blond": (0.52, 0.40, 0.27),
    "blond": (0.76, 0.62, 0.43), "grey": (0.58, 0.57, 0.56), "white": (0.86, 0.85, 0.83), "dyed": (0.55, 0.20, 0.35),
}  # fmt: skip
IRIS = np.array(
    [(0.27, 0.16, 0.09), (0.40, 0.24, 0.12), (0.46, 0.38, 0.20), (0.33, 0.42, 0.28), (0.34, 0.50, 0.62),
     (0.45, 0.53, 0.58)]
)  # fmt: skip
SHORT_STYLES = ("crop", "quiff", "swept", "curls", "fringe", "buzz", "bald", "receding", "messy")
LONG_STYLES = ("parted", "waves", "bangs", "tied", "curls", "bob", "parted", "waves")
_MASCULINE = {
    "jaw_width": 0.9,
    "face_width": 0.35,
    "chin_width": 0.8,
    "chin_length": 0.4,
    "brow_height": -0.8,
    "eye_size": -0.5,
    "nose_width": 0.3,
    "nose_depth": 0.4,
    "upper_lip": -0.6,
    "lower_lip": -0.5,
    "brow_arch": -0.7,
    "cheek_width": -0.2,
    "nose_length": 0.3,
}


@dataclass(frozen=True)
class Identity:
    """Traits that stay the same in every picture of a person."""

    shape: np.ndarray  # [32], coefficients of geometry.IDENTITY_MODES
    masculine: float  # -1 to 1
    age: float  # 0 (20 years) to 1 (75)
    skin: np.ndarray
    ruddiness: float
    hair_style: str
    hair_colour: np.ndarray
    hair_part: float  # x of the parting, -0.5 to 0.5
    hair_volume: float
    hair_length: float
    brow_weight: float
    iris_colour: np.ndarray
    lip_colour: np.ndarray
    beard: str  # "none", "stubble", "moustache", "goatee", "full"
    freckles: float
    moles: np.ndarray  # [N, 2] in face units
    makeup: float
    grain_seed: int


@dataclass(frozen=True)
class Appearance:
    """Traits that differ from picture to picture of the same person."""

    expression: np.ndarray  # [8], coefficients of geometry.EXPRESSION_MODES
    gaze: np.ndarray  # (x, y), -1 to 1
    angles: tuple  # yaw, pitch, roll in radians
    zoom: float
    shift: np.ndarray
    light: np.ndarray  # unit vector towards the key light, in view coordinates
    light_colour: np.ndarray
    ambient: float
    hardness: float
    exposure: float
    skin_shift: np.ndarray
    hair_shift: float
    glasses: str  # "none", "round", "square", "browline", "dark"
    glasses_colour: np.ndarray
    background: str
    background_colours: np.ndarray  # [3, 3]
    cloth: str
    cloth_colours: np.ndarray  # [2, 3]
    torso_turn: float
    earrings: bool
    texture_seed: int


def _pick(rng, table):
    """A key of {key: weight}."""
    weights = np.array(list(table.values()), float)
    return str(rng.choice(list(table), p=weights / weights.sum()))


def _palette(rng, stops, position, spread):
    """Colour at `position` (0 to 1) of the list `stops`, jittered."""
    place = position * (len(stops) - 1)
    low = min(int(place), len(stops) - 2)
    return np.clip(stops[low] + (stops[low + 1] - stops[low]) * (place - low) + rng.normal(0, spread, 3), 0.02, 0.98)


def _shape(rng, masculine):
    """[32] coefficients within 1.9, so that a caricature (twice as much) still has its parts in order."""
    lean = np.array([_MASCULINE.get(name, 0.0) for name in IDENTITY_MODES])
    return np.clip(rng.normal(0, 0.9, len(IDENTITY_MODES)) + lean * masculine, -1.9, 1.9)


def _hair_colour(rng, darkness, age):
    """Natural for the skin's darkness, greyer with age."""
    fair = 1 - darkness
    weights = {"black": 0.3 + 2.5 * darkness, "dark_brown": 1.0, "brown": 1.1 * fair, "chestnut": 0.5 * fair,
               "ginger": 0.22 * fair, "dark_blond": 0.9 * fair, "blond": 1.0 * fair, "dyed": 0.02,
               "grey": 4.0 * max(0.0, age - 0.5), "white": 3.0 * max(0.0, age - 0.65)}  # fmt: skip
    return np.clip(np.array(HAIR[_pick(rng, weights)]) * rng.uniform(0.85, 1.15) + rng.normal(0, 0.015, 3), 0.03, 0.95)


def sampled_identity(seed, label):
    """The person of (seed, label)."""
    rng = np.random.default_rng([seed, label, 1])
    masculine = float(np.clip(rng.choice([-0.75, 0.75]) + rng.normal(0, 0.2), -1, 1))
    male, age, tone = masculine > 0, float(rng.beta(1.1, 2.6)), float(rng.beta(1.0, 1.5))
    skin = _palette(rng, SKIN, tone, 0.012)
    beards = {"none": 1.5, "stubble": 0.8, "moustache": 0.2, "goatee": 0.35, "full": 0.7} if male else {"none": 1.0}
    styles = SHORT_STYLES + ("swept", "crop", "quiff", "swept", "messy") if male else LONG_STYLES
    makeup = 0.0 if male else float(rng.beta(1.2, 1.2))
    lip = skin * np.array([0.86, 0.60, 0.60]) + np.array([0.03, 0.0, 0.01])
    rouge = np.array([(0.70, 0.10, 0.16), (0.62, 0.16, 0.30), (0.78, 0.34, 0.34), (0.45, 0.10, 0.17)])[rng.integers(4)]
    painted = 0.75 * makeup if makeup > 0.45 else 0.15 * makeup
    return Identity(
        shape=_shape(rng, masculine), masculine=masculine, age=age, skin=skin, ruddiness=float(rng.uniform(0.2, 1.0)),
        hair_style=str(rng.choice(styles)), hair_colour=_hair_colour(rng, tone, age),
        hair_part=float(rng.choice([-0.42, -0.25, 0.0, 0.25, 0.42]) + rng.normal(0, 0.03)),
        hair_volume=float(rng.uniform(0.75, 1.3)), hair_length=float(rng.uniform(0.35, 1.0)),
        brow_weight=float(np.clip(0.95 + 0.3 * masculine + rng.normal(0, 0.2), 0.5, 1.7)),
        iris_colour=_palette(rng, IRIS, float(rng.uniform(0, 0.3 + 0.7 * (1 - tone) ** 1.5)), 0.02),
        lip_colour=np.clip(lip + (rouge - lip) * painted, 0, 1), beard=_pick(rng, beards),
        freckles=float(max(0.0, rng.normal(-0.5, 0.6)) * (tone < 0.4)),
        moles=rng.uniform([-0.8, 0.2], [0.8, 1.6], [rng.integers(0, 3), 2]), makeup=makeup,
        grain_seed=int(rng.integers(2**31)),
    )  # fmt: skip


def restyled(person, rng):
    """The same person with another hair style and colour, skin tone and lip colour: what does not tell who it is."""
    male, tone, darkness = person.masculine > 0, float(rng.uniform()), float(rng.uniform())
    skin = _palette(rng, SKIN, tone, 0.012)
    lip = skin * np.array([0.86, 0.60, 0.60]) + np.array([0.03, 0.0, 0.01])
    return replace(
        person, skin=skin, ruddiness=float(rng.uniform(0.2, 1.0)),
        lip_colour=np.clip(lip * rng.uniform(0.8, 1.2), 0, 1),
        hair_style=str(rng.choice(SHORT_STYLES if male else LONG_STYLES)),
        hair_colour=_hair_colour(rng, darkness, float(rng.uniform())),
        hair_part=float(rng.uniform(-0.45, 0.45)), hair_volume=float(rng.uniform(0.75, 1.3)),
        hair_length=float(rng.uniform(0.35, 1.0)), iris_colour=_palette(rng, IRIS, float(rng.uniform()), 0.02),
    )  # fmt: skip


def relit(look, rng):
    """The same picture under another key light: its colour, strength and share of the ambient light."""
    warmth = rng.normal(0, 0.1)
    return replace(
        look, light=_light(rng), light_colour=np.array([1 + warmth, 1.0, 1 - 1.3 * warmth]),
        ambient=float(rng.uniform(0.25, 0.7)), exposure=float(rng.uniform(0.7, 1.25)),
    )  # fmt: skip


def turned(look, yaw):
    """The same picture with the head turned by `yaw` radians; as it is for None."""
    return look if yaw is None else replace(look, angles=(yaw, *look.angles[1:]))


def _expression(rng):
    """[8] coefficients: one leading mood and a little of everything."""
    moods = {
        "plain": {}, "smile": {"smile": 0.7, "squint": 0.3}, "grin": {"smile": 0.95, "grin": 0.9, "squint": 0.4},
        "laugh": {"smile": 0.9, "grin": 0.8, "open": 0.55, "squint": 0.6, "raise": 0.2},
        "surprise": {"open": 0.7, "raise": 0.9}, "sad": {"sad": 0.8}, "anger": {"frown": 0.9, "squint": 0.4},
        "talk": {"open": 0.35, "grin": 0.3}, "pout": {"pucker": 0.7},
    }  # fmt: skip
    weights = dict(zip(moods, (3.0, 2.2, 3.0, 1.0, 0.5, 0.4, 0.4, 0.9, 0.4), strict=True))
    mood = moods[_pick(rng, weights)]
    strength = rng.uniform(0.7, 1.1)
    return np.array([mood.get(m, 0.0) * strength + max(0.0, rng.normal(0.0, 0.05)) for m in EXPRESSION_MODES])


def _light(rng):
    """Unit vector towards the key light: from in front, above, and to one side."""
    side = rng.uniform(-1.0, 1.0)
    direction = np.array([side, -rng.uniform(0.25, 0.9), rng.uniform(0.7, 1.2)])
    return direction / np.linalg.norm(direction)


def _colours(rng, count, saturation, value):
    """[count, 3]: related hues of the given saturation and value ranges."""
    hue = rng.uniform() + rng.normal(0, 0.12, count)
    level = rng.uniform(*value, count)[:, None]
    wave = 0.5 + 0.5 * np.cos(2 * np.pi * (hue[:, None] - np.array([0, 1 / 3, 2 / 3])))
    depth = rng.uniform(*saturation, count)[:, None]
    return np.clip(level * (1 - depth + depth * wave), 0, 1)


def sampled_appearance(seed, label, variant):
    """The Appearance of picture `variant` of person (seed, label)."""
    rng = np.random.default_rng([seed, label, 2, variant])
    warmth = rng.normal(0, 0.05)
    return Appearance(
        expression=_expression(rng), gaze=np.clip(rng.normal(0, [0.35, 0.2]), -0.9, 0.9),
        angles=(float(np.clip(rng.normal(0, 0.2), -0.46, 0.46)), float(np.clip(rng.normal(0.0, 0.09), -0.2, 0.2)),
                float(rng.normal(0, 0.035))),
        zoom=float(rng.uniform(0.97, 1.07)), shift=rng.normal(0, 0.008, 2), light=_light(rng),
        light_colour=np.array([1 + warmth, 1.0, 1 - 1.3 * warmth]), ambient=float(rng.uniform(0.30, 0.62)),
        hardness=float(rng.uniform(0.2, 1.0)), exposure=float(np.clip(rng.normal(1.0, 0.08), 0.8, 1.2)),
        skin_shift=rng.normal(0, 0.015, 3), hair_shift=float(rng.normal(1.0, 0.08)),
        glasses=_pick(rng, {"none": 4.2, "round": 0.25, "square": 0.3, "browline": 0.2, "dark": 0.12}),
        glasses_colour=np.array([(0.06, 0.06, 0.07), (0.32, 0.18, 0.09), (0.55, 0.53, 0.5), (0.7, 0.55, 0.25)])[
            rng.integers(4)],
        background=_pick(rng, {"studio": 1.0, "blobs": 1.4, "bokeh": 0.8, "panels": 1.0, "leaves": 0.7, "bricks": 0.4}),
        background_colours=_colours(rng, 3, (0.0, 0.6), (0.12, 0.95)),
        cloth=_pick(rng, {"plain": 1.0, "knit": 0.8, "stripes": 0.7, "plaid": 0.6, "shirt": 1.0, "suit": 1.2}),
        cloth_colours=_colours(rng, 2, (0.1, 0.9), (0.1, 0.9)), torso_turn=float(rng.normal(0, 0.15)),
        earrings=bool(rng.uniform() < 0.5), texture_seed=int(rng.integers(2**31)),
    )  # fmt: skip
