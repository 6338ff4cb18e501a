"""Our PReLU against Paddle's operator: values, both gradients, and no silent second gradient."""

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest

from model.shared.prelu import PReLU


def pair(slopes):
    """An input with a zero in it and its copy, both with gradients; a layer whose slopes are not all alike."""
    paddle.seed(3)
    layer = PReLU(slopes)
    layer._weight.set_value(paddle.uniform([slopes], min=-0.5, max=1.5))
    x = paddle.randn([2, 6, 5, 7])
    x[0, 0, 0, 0] = 0.0
    other = x.clone().detach()
    x.stop_gradient = other.stop_gradient = False
    return layer, x, other


@pytest.mark.parametrize("slopes", [6, 1])
def test_values_and_gradients_are_those_of_paddles_operator(slopes):
    layer, x, other = pair(slopes)
    ours, theirs = layer(x), F.prelu(other, layer._weight)
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
    upstream = paddle.randn(x.shape)
    found = paddle.grad(ours, [x, layer._weight], upstream)
    wanted = paddle.grad(theirs, [other, layer._weight], upstream)
    for one, another in zip(found, wanted, strict=True):
        assert one.shape == another.shape
        np.testing.assert_allclose(one, another, atol=2e-5)


def test_slopes_of_float64_are_summed_in_it():
    paddle.seed(3)
    layer, x = PReLU(2), paddle.randn([3, 2, 40, 40]).astype("float64")
    layer.to(dtype="float64")
    (found,) = paddle.grad(layer(x).sum(), [layer._weight])
    np.testing.assert_allclose(found, x.numpy().clip(max=0).sum((0, 2, 3)), rtol=1e-13)


def test_frozen_slopes_get_no_gradient():
    layer, x, other = pair(6)
    layer._weight.stop_gradient = True
    (found,) = paddle.grad(layer(x).sum(), [x])
    (wanted,) = paddle.grad(F.prelu(other, layer._weight).sum(), [other])
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    layer(x).sum().backward()
    assert layer._weight.grad is None


def test_a_second_gradient_is_refused():
    layer, x, _ = pair(6)
    with pytest.raises((RuntimeError, OSError), match="no second gradient"):
        paddle.grad(layer(x).sum(), [x], create_graph=True)
