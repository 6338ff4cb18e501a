"""Mirroring padding against Paddle's operator: values and gradients of both forms, second gradients."""

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest

from engine import onednn
from model.satnet import padding

FORMS = {"products": (9, 12), "joined": (padding.JOINED, padding.JOINED + 3)}


@pytest.mark.parametrize("size", FORMS.values(), ids=FORMS.keys())
@pytest.mark.parametrize("pad", [0, 1, 3])
def test_reflection_and_its_gradient_are_paddles(pad, size):
    x = paddle.randn([2, 3, *size])
    other = x.clone()
    x.stop_gradient = other.stop_gradient = False
    ours, theirs = padding.reflect_pad(x, pad), F.pad(other, [pad] * 4, mode="reflect")
    np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
    upstream = paddle.randn(ours.shape)
    (found,), (wanted,) = paddle.grad(ours, [x], upstream), paddle.grad(theirs, [other], upstream)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_a_second_gradient_comes_from_products_and_else_is_refused():
    x = paddle.randn([1, 2, *FORMS["joined"]])
    x.stop_gradient = False
    with onednn.plain():
        (first,) = paddle.grad((padding.reflect_pad(x, 1) ** 2).sum(), [x], create_graph=True)
    (second,) = paddle.grad(first.sum(), [x])
    (times,) = paddle.grad(padding.reflect_pad(x, 1).sum(), [x])
    np.testing.assert_allclose(second, 2 * times, atol=1e-5)
    with pytest.raises((RuntimeError, OSError), match="no second gradient"):
        paddle.grad((padding.reflect_pad(x, 1) ** 2).sum(), [x], create_graph=True)


def test_too_little_to_mirror_is_an_error():
    with pytest.raises(ValueError, match="needs more than 1"):
        padding.reflect_pad(paddle.rand([1, 1, 4, 1]), 1)
