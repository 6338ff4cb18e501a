"""Metrics of a whole set by name, those that need no weights; `set_metrics` adds the others and chooses.

A set metric has `update(pictures)`, a batch with what was made of it, and `result()` -> {name: float}.

Source: ours.
"""

from metric.checkerboard import Checkerboard
from metric.landmarks import LandmarkError
from metric.texture_distance import TextureDistance
from metric.variety import Variety
from metric.verification import Verification

SETS = {
    "landmarks": LandmarkError,
    "verification": Verification,
    "texture_distance": TextureDistance,
    "checkerboard": Checkerboard,
    "variety": Variety,
}
