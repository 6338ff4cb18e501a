"""Closed forms of the hole-filling losses: which pixels count, the divisor, which features are compared."""

import paddle
import pytest

from loss.inpainting import LAYERS, VGGLoss, hole_loss, hole_total_variation, total_variation, valid_loss
from loss.perceptual import gram_matrix


def hole(top, left, height, width, size=8):
    mask = paddle.zeros([1, 1, size, size])
    mask[:, :, top : top + height, left : left + width] = 1
    return mask


def test_pixels_in_and_out_of_the_hole_over_all_values():
    mask, image = hole(0, 0, 2, 4), paddle.zeros([1, 3, 8, 8])
    output = mask * 2 - (1 - mask) * 1
    output = output.expand([1, 3, 8, 8])
    assert float(hole_loss(output, image, mask)) == pytest.approx(2 * 8 / 64)
    assert float(valid_loss(output, image, mask)) == pytest.approx(1 * 56 / 64)


def test_total_variation_of_a_ramp():
    x = paddle.arange(8, dtype="float32").reshape([1, 1, 1, 8]) * paddle.ones([1, 2, 8, 8])
    assert float(total_variation(3 * x)) == pytest.approx(3)
    assert float(total_variation(3 * x + 5 * x.transpose([0, 1, 3, 2]))) == pytest.approx(8)


def test_hole_total_variation_counts_pairs_inside_the_grown_hole():
    """A 2 x 2 hole grows to 4 x 4: 4 rows of 3 pairs each way; at a corner to 3 x 3."""
    x = paddle.arange(8, dtype="float32").reshape([1, 1, 1, 8]) * paddle.ones([1, 1, 8, 8])
    assert float(hole_total_variation(x, hole(3, 3, 2, 2))) == pytest.approx(12 / 64)
    down = x.transpose([0, 1, 3, 2])
    assert float(hole_total_variation(10 * x + down, hole(3, 3, 2, 2))) == pytest.approx(132 / 64)
    assert float(hole_total_variation(x, hole(0, 0, 2, 2))) == pytest.approx(6 / 64)
    assert float(hole_total_variation(x, paddle.zeros([1, 1, 8, 8]))) == 0
    colours = x.expand([1, 3, 8, 8]) * paddle.to_tensor([1.0, 2.0, 3.0]).reshape([1, 3, 1, 1])  # the mean over channels
    assert float(hole_total_variation(colours, hole(3, 3, 2, 2))) == pytest.approx(2 * 12 / 64)


def vgg_loss():
    paddle.seed(0)
    return VGGLoss()


def test_features_of_output_and_composite_are_compared_with_the_image():
    losses = vgg_loss()
    one, two, image = (paddle.randn([2, 3, 16, 16]) for _ in range(3))
    found = losses(one, two, image)
    features = [losses.network(x) for x in (one, two, image)]
    perceptual = sum(float((features[i][layer] - features[2][layer]).abs().mean()) for layer in LAYERS for i in (0, 1))
    grams = [{layer: gram_matrix(f[layer]) for layer in LAYERS} for f in features]
    style = sum(float((grams[i][layer] - grams[2][layer]).abs().mean()) for layer in LAYERS for i in (0, 1))
    assert float(found["perceptual"]) == pytest.approx(perceptual, rel=1e-5)
    assert float(found["style"]) == pytest.approx(style, rel=1e-5)
    same = losses(image, image, image)
    assert float(same["perceptual"]) == float(same["style"]) == 0


def test_network_is_frozen_and_image_a_constant():
    losses = vgg_loss()
    assert all(weight.stop_gradient for weight in losses.network.parameters())
    output, image = paddle.randn([1, 3, 16, 16]), paddle.randn([1, 3, 16, 16])
    output.stop_gradient = image.stop_gradient = False
    sum(losses(output, output, image).values()).backward()
    assert output.grad is not None and image.grad is None
