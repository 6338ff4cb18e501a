"""Metrics of a whole set by name: `system.measured` chooses, train.py and test.py hand them to the evaluation.

A set metric is a class with `update(pictures)` (a batch and what the system made of it) and `result()` -> {name: float}.

Source: ours.
"""

from metric.landmarks import LandmarkError
from metric.verification import Verification

SETS = {"landmarks": LandmarkError, "verification": Verification}
