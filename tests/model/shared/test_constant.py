"""A constant network: no gradient for its weights, one for its input, running statistics that stay."""

import numpy as np
import paddle

from model.shared.constant import as_constant


def test_gradients_pass_through_and_nothing_moves():
    network = paddle.nn.Sequential(paddle.nn.Linear(3, 3), paddle.nn.BatchNorm1D(3))
    assert as_constant(network) is network
    image, mean = paddle.rand([4, 3]), network[1]._mean.numpy().copy()
    image.stop_gradient = False
    network(image).square().sum().backward()
    assert np.abs(image.grad.numpy()).max() > 0
    assert all(weight.grad is None for weight in network.parameters())
    np.testing.assert_array_equal(network[1]._mean.numpy(), mean)
