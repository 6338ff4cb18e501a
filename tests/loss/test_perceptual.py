import numpy as np
import paddle
import pytest

from loss.perceptual import feature_matching, gram_matrix


def test_gram_matrix_is_the_mean_product_of_channels():
    features = np.random.default_rng(0).normal(size=(2, 3, 4, 5))
    expected = np.einsum("nahw,nbhw->nab", features, features) / 60
    np.testing.assert_allclose(gram_matrix(paddle.to_tensor(features)).numpy(), expected)


def test_feature_matching_sums_root_mean_squares_and_moves_the_fake_only():
    real, fake = paddle.zeros([2, 3, 4, 4]), paddle.full([2, 3, 4, 4], 0.5)
    real.stop_gradient = fake.stop_gradient = False
    loss = feature_matching([fake, 2 * fake], [real, real])
    assert float(loss) == pytest.approx(0.5 + 1.0)
    loss.backward()
    assert real.grad is None and float(fake.grad.sum()) > 0
