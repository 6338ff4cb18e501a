"""Landmark error of a set of faces.

Source: Sagonas et al. 2013 (300-W): normalised mean error over the distance of the outer eye corners.
"""

import numpy as np

OUTER_EYE_CORNERS = (36, 45)  # of the 68 points


def normalised_mean_error(predicted, target):
    """Mean distance of corresponding points over the distance of the target's outer eye corners.

    Args:
        predicted, target: [N, 68, 2] in the same pixels.

    Returns:
        [N]; 0.05 is five per cent.

    Source: Sagonas et al. 2013.
    """
    left, right = (target[:, index] for index in OUTER_EYE_CORNERS)
    distance = np.linalg.norm(predicted - target, axis=2)
    return distance.mean(axis=1) / np.linalg.norm(left - right, axis=1)


class LandmarkError:
    """Set metric: `landmarks` of the batch against `predicted_landmarks`, both [N, 68, 2] in pixels.

    Source: ours.
    """

    def __init__(self):  # noqa: D107
        self.errors = []

    def update(self, pictures):
        """Add a batch."""
        predicted, target = (pictures[name].numpy() for name in ("predicted_landmarks", "landmarks"))
        self.errors.extend(normalised_mean_error(predicted, target))

    def result(self):
        """{"nme": mean over the faces}."""
        return {"nme": float(np.mean(self.errors))}
