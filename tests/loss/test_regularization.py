"""The penalties against closed forms, and their parameter gradients against finite differences.

A framework that gets a second gradient wrong without an error (Paddle's conv2d does when it reaches the weight only) is
caught here; the golden cases hold the same gradients against the official code.
"""

import numpy as np
import paddle
import pytest

from loss.regularization import path_length_penalty, path_lengths, r1_penalty
from model.gpen.network import GPENDiscriminator, GPENGenerator

STEP = 1e-5


def double(layer):
    """The layer in float64 with noise weights that are not zero."""
    random = np.random.default_rng(0)
    for name, weight in layer.named_parameters():
        if name.endswith(("noise.weight", "bias")):
            weight.set_value(weight + paddle.to_tensor(random.normal(size=weight.shape).astype(np.float32) * 0.3))
    return layer.to(dtype="float64")


def differs(layer, value):
    """Largest relative difference of analytic and numeric derivative along one random direction a parameter."""
    layer.clear_gradients()
    value().backward()
    random, worst, reached = np.random.default_rng(1), 0.0, 0
    for _, weight in layer.named_parameters():
        if weight.grad is None:
            continue
        start, direction = weight.numpy(), random.normal(size=weight.shape)
        analytic = float((weight.grad.numpy() * direction).sum())
        sides = []
        for sign in (1, -1):
            weight.set_value(paddle.to_tensor(start + sign * STEP * direction))
            sides.append(float(value()))
        weight.set_value(paddle.to_tensor(start))
        numeric = (sides[0] - sides[1]) / (2 * STEP)
        worst = max(worst, abs(analytic - numeric) / max(abs(numeric), 1e-3 * abs(sides[0])))
        reached += 1
    return worst, reached


def test_r1_of_a_linear_critic_is_the_squared_length_of_its_weight():
    weight, images = paddle.randn([12, 1]), paddle.randn([5, 3, 2, 2])
    images.stop_gradient = False
    logits = paddle.matmul(images.reshape([5, 12]), weight)
    assert float(r1_penalty(logits, images)) == pytest.approx(float((weight * weight).sum()), rel=1e-5)


def test_r1_gradient_is_the_finite_difference():
    paddle.seed(0)
    critic = double(GPENDiscriminator(16, narrow=1 / 64))
    images = paddle.randn([3, 3, 16, 16], "float64")
    images.stop_gradient = False
    worst, reached = differs(critic, lambda: r1_penalty(critic(images), images))
    assert worst < 1e-4
    assert reached >= 15  # every weight; biases behind the last activation have no effect


@pytest.mark.parametrize("is_concat", [True, False])
def test_path_length_gradient_is_the_finite_difference(is_concat):
    paddle.seed(0)
    network = double(GPENGenerator(16, style_dim=6, n_mlp=2, narrow=1 / 64, is_concat=is_concat))
    image, noise = paddle.randn([2, 3, 16, 16], "float64"), paddle.randn([2, 3, 16, 16], "float64")

    def penalty():
        lengths = path_lengths(*network.forward_with_latents(image), noise)
        return path_length_penalty(lengths, paddle.full([], 0.2, "float64"))[0]

    worst, reached = differs(network, penalty)
    assert worst < 1e-4
    assert reached >= 40


def test_path_length_of_a_linear_map_is_known():
    """image = sum over layers of A_l w_l: the gradient of layer l is A_l^T y."""
    paddle.seed(0)
    latents, maps = paddle.randn([2, 3, 4]), paddle.randn([3, 4, 12])
    latents.stop_gradient = False
    image = sum(paddle.matmul(latents[:, i], maps[i]) for i in range(3)).reshape([2, 3, 2, 2])
    noise = paddle.randn([2, 3, 2, 2])
    y = noise.numpy().reshape(2, 12) / 2.0  # sqrt(H * W)
    gradients = np.einsum("lwp,np->nlw", maps.numpy(), y)
    expected = np.sqrt((gradients**2).sum(axis=2).mean(axis=1))
    np.testing.assert_allclose(path_lengths(image, latents, noise).numpy(), expected, rtol=1e-5)


def test_average_moves_by_decay_and_lets_the_gradient_through():
    lengths = paddle.to_tensor([1.0, 3.0])
    lengths.stop_gradient = False
    penalty, mean = path_length_penalty(lengths, paddle.to_tensor(1.0), decay=0.1)
    assert float(mean) == pytest.approx(1.1) and mean.stop_gradient
    assert float(penalty) == pytest.approx((0.1**2 + 1.9**2) / 2)
    penalty.backward()
    through_mean = -0.1 / 2 * (-0.1 + 1.9)  # d mean / d length = decay / N, times the sum of 2 (l - mean) / N
    np.testing.assert_allclose(lengths.grad.numpy(), [-0.1 + through_mean, 1.9 + through_mean], rtol=1e-5)


def test_drawn_noise_is_scaled_by_the_size():
    """E |J^T y|^2 = |J|^2 / (H W): the identity map of 3 x 8 x 8 values has mean squared length 3."""
    paddle.seed(0)
    latents = paddle.zeros([64, 1, 192])
    latents.stop_gradient = False
    lengths = path_lengths(latents.reshape([64, 3, 8, 8]) * 1.0, latents)
    assert float((lengths * lengths).mean()) == pytest.approx(3, rel=0.1)
