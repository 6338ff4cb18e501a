"""Metrics of a whole set by name: `system.measured` chooses, train.py and test.py hand them to the evaluation.

A set metric is a class with `update(pictures)`, a batch with what was made of it, and `result()` -> {name: float}.

Source: ours.
"""

from metric.landmarks import LandmarkError
from metric.texture_distance import TextureDistance
from metric.verification import Verification

SETS = {"landmarks": LandmarkError, "verification": Verification, "fid_proxy": TextureDistance}
