import numpy as np
import paddle
import pytest

from loss.pixel import image_pyramid, l1, smooth_l1


def test_smooth_l1_is_quadratic_below_one_and_linear_above():
    assert float(smooth_l1(paddle.to_tensor([0.5, 3.0]), paddle.zeros([2]))) == pytest.approx((0.125 + 2.5) / 2)


def test_smooth_l1_with_a_small_beta_is_the_distance_less_half_of_it():
    found = float(smooth_l1(paddle.to_tensor([0.5, 0.01]), paddle.zeros([2]), beta=0.02))
    assert found == pytest.approx(((0.5 - 0.01) + 0.5 * 0.01**2 / 0.02) / 2)


def test_l1_is_the_mean_distance():
    assert float(l1(paddle.to_tensor([1.0, -3.0]), paddle.zeros([2]))) == pytest.approx(2)


def test_pyramid_rises_from_the_smallest_by_means():
    image = paddle.to_tensor(np.random.default_rng(0).normal(size=(1, 3, 32, 32)))
    levels = image_pyramid(image, smallest=8)
    assert [level.shape[2] for level in levels] == [8, 16, 32]
    np.testing.assert_allclose(float(levels[0][0, 1, 2, 3]), float(image[0, 1, 8:12, 12:16].mean()))
