"""Landmark losses: closed forms, gradients, and which points count."""

import numpy as np
import paddle
import pytest

from loss.landmark import coordinate_loss, heatmap_loss, heatmaps, hole_weights, landmark_map, predictor_loss


def points(seed=0, number=2):
    return paddle.to_tensor(np.random.default_rng(seed).uniform(0.2, 0.8, (number, 68, 2)).astype(np.float32))


def test_predictor_loss_is_the_length_of_all_errors():
    """136 coordinates off by 3: 3 * sqrt(136), whatever the batch."""
    target = points()
    assert predictor_loss(target + 3.0, target).item() == pytest.approx(3 * 136**0.5, rel=1e-6)


def test_coordinate_loss_is_in_eye_distances():
    """Every point off by (0.03, 0.04) is off by 0.05; the eyes are 0.5 apart."""
    target = points()
    target[:, 36] = paddle.to_tensor([0.25, 0.5])
    target[:, 45] = paddle.to_tensor([0.75, 0.5])
    shifted = target + paddle.to_tensor([0.03, 0.04])
    assert coordinate_loss(shifted, target, paddle.ones([2, 68])).item() == pytest.approx(0.1, rel=1e-4)
    half = paddle.concat([paddle.ones([2, 34]), paddle.zeros([2, 34])], axis=1)
    assert coordinate_loss(shifted, target, half).item() == pytest.approx(0.05, rel=1e-4)


def test_weights_follow_the_hole():
    """Hole in the lower right quarter: points there count 1, far ones 0.1; x is the column."""
    mask = np.zeros((1, 1, 40, 40), np.float32)
    mask[..., 20:, 20:] = 1
    where = paddle.to_tensor([[[0.75, 0.75], [0.25, 0.75], [0.75, 0.25], [0.48, 0.75], [2.0, 2.0]]])
    weights = hole_weights(where, paddle.to_tensor(mask), 0.1)
    np.testing.assert_allclose(weights.numpy(), [[1, 0.1, 0.1, 1, 1]], rtol=1e-6)


def test_heatmaps_peak_at_the_point():
    maps = heatmaps(paddle.to_tensor([[[10.5 / 32, 20.5 / 32]]]), 32, 1.5).numpy()[0, 0]
    assert np.unravel_index(maps.argmax(), maps.shape) == (20, 10)
    assert maps.max() == pytest.approx(1.0)
    assert maps.sum() == pytest.approx(2 * np.pi * 1.5**2, rel=1e-3)


def test_heatmap_loss_of_far_and_equal_points():
    target = paddle.full([1, 68, 2], 0.3)
    assert heatmap_loss(target, target, paddle.ones([1, 68])).item() == 0
    far = heatmap_loss(target + 0.4, target, paddle.ones([1, 68])).item()
    assert far == pytest.approx(2.0, rel=1e-3)


@pytest.mark.parametrize("loss", [coordinate_loss, heatmap_loss])
def test_gradient_pulls_towards_the_target(loss):
    """One step against the gradient lowers the loss, and targets get none."""
    target, moved = points(1), points(1) + 0.02
    moved.stop_gradient = target.stop_gradient = False
    value = loss(moved, target, paddle.ones([2, 68]))
    value.backward()
    assert target.grad is None
    step = 0.01 * moved.grad / moved.grad.norm()
    assert loss((moved - step).detach(), target, paddle.ones([2, 68])) < value
    assert (moved.grad * (moved - target)).sum() > 0


def test_landmark_map_marks_row_and_column():
    drawn = landmark_map(paddle.to_tensor([[[0.5, 0.25], [0.5, 0.25], [1.5, -1.0]]]), (8, 16)).numpy()
    assert drawn.shape == (1, 1, 8, 16)
    assert sorted(map(tuple, np.argwhere(drawn[0, 0]))) == [(0, 15), (2, 8)]
    assert drawn.max() == 1
