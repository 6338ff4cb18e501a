"""Doubling and convolution in one step against the two steps."""

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest

from model.shared.enlarged import EnlargedConv


@pytest.mark.parametrize("size", [3, 5])
@pytest.mark.parametrize("pad_type", ["zero", "replicate", "reflect"])
def test_equals_doubling_then_convolution(size, pad_type):
    paddle.seed(size)
    x, weight, bias = paddle.randn([2, 5, 7, 6]), paddle.randn([4, 5, size, size]), paddle.randn([4])
    large = F.interpolate(x, scale_factor=2, mode="nearest")
    mode = {"zero": "constant"}.get(pad_type, pad_type)
    wanted = F.conv2d(F.pad(large, [size // 2] * 4, mode=mode), weight, bias)
    found = EnlargedConv(weight.numpy(), bias.numpy(), pad_type)(x)
    np.testing.assert_allclose(found.numpy(), wanted.numpy(), rtol=0, atol=5e-5)
