"""Distance of the landmarks found in two pictures.

Source: TencentARC/VQFR metric_paper, landmark distance (LMD); Sagonas et al. 2013 (300-W) for the normalised error.
Differs: pairs are given as pairs; the reference pairs two sorted listings. The normaliser comes from the true points
alone (LaFIn's divides by the distance of a true and a predicted eye corner).
"""

import numpy as np

from engine.errors import InputError

OUTER_EYE_CORNERS = (36, 45)  # of 68 points


def landmark_distance(found, true):
    """Mean distance in pixels of corresponding points, [K, 2] each in (x, y)."""
    found, true = _points(found, true)
    return float(np.mean(np.linalg.norm(found - true, axis=1)))


def normalised_mean_error(found, true, corners=OUTER_EYE_CORNERS):
    """`landmark_distance` over the distance of the true outer eye corners.

    Raises:
        InputError: the sets differ in shape, or the true corners coincide.
    """
    distance = landmark_distance(found, true)
    first, second = (np.asarray(true, np.float64)[corner] for corner in corners)
    between = np.linalg.norm(first - second)
    if between == 0:
        raise InputError(f"the true eye corners (points {corners[0]} and {corners[1]}) coincide")
    return float(distance / between)


def _points(found, true):
    found, true = np.asarray(found, np.float64), np.asarray(true, np.float64)
    if found.shape != true.shape or found.ndim != 2 or found.shape[1] != 2:
        raise InputError(f"landmarks of shapes {found.shape} and {true.shape}; expected [K, 2] twice")
    return found, true


class LandmarkError:
    """Set metric: `landmarks` of the batch against `predicted_landmarks`, both [N, 68, 2] in pixels.

    Source: ours.
    """

    def __init__(self):
        """Of no face."""
        self.errors, self.true = [], []

    def update(self, pictures):
        """Add a batch."""
        found, true = (pictures[name].numpy() for name in ("predicted_landmarks", "landmarks"))
        self.errors += [normalised_mean_error(*pair) for pair in zip(found, true, strict=True)]
        self.true += list(true)

    def result(self):
        """{"nme", "nme_mean_shape": means over the faces}; the second is of the set's mean shape, given to every face.

        Points that are no better than the mean shape do not depend on the picture to any use.
        """
        shape = np.mean(self.true, axis=0)
        constant = [normalised_mean_error(shape, true) for true in self.true]
        return {"nme": float(np.mean(self.errors)), "nme_mean_shape": float(np.mean(constant))}
