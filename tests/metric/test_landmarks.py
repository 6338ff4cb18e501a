import numpy as np
import paddle
import pytest

from engine.errors import InputError
from metric.landmarks import LandmarkError, landmark_distance, normalised_mean_error

TRUE = np.zeros((68, 2))
TRUE[36], TRUE[45] = (10, 20), (40, 60)  # 50 pixels apart
MOVED = TRUE + [3, -4]


def test_mean_over_points_of_the_distance():
    assert landmark_distance(MOVED, TRUE) == pytest.approx(5)
    one = TRUE.copy()
    one[0, 0] = 68
    assert landmark_distance(one, TRUE) == pytest.approx(1)


def test_error_is_normalised_by_the_true_eyes():
    assert normalised_mean_error(MOVED, TRUE) == pytest.approx(0.1)
    assert normalised_mean_error(2 * TRUE, TRUE) == pytest.approx(landmark_distance(2 * TRUE, TRUE) / 50)


def test_bad_points():
    with pytest.raises(InputError, match=r"\(5, 2\) and \(68, 2\)"):
        landmark_distance(TRUE[:5], TRUE)
    with pytest.raises(InputError, match="coincide"):
        normalised_mean_error(MOVED, np.zeros((68, 2)))


def test_mean_shape_stands_beside_the_error():
    """What the set's mean shape gives: half the distance between two faces that differ by a shift."""
    metric = LandmarkError()
    for true in (TRUE, MOVED):
        metric.update({"predicted_landmarks": paddle.to_tensor(true[None]), "landmarks": paddle.to_tensor(true[None])})
    assert metric.result() == {"nme": 0.0, "nme_mean_shape": pytest.approx(0.05)}
