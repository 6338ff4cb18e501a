"""Losses on facial parts: where crops come from, how samples are weighed, directions."""

import math

import numpy as np
import paddle
import pytest

from loss.facial_parts import crop_size, crops, part_logistic, part_style, weighted


def ramp(size=32):
    """Two pictures whose first channel is x, the second y, the third the sample's number."""
    y, x = np.mgrid[:size, :size].astype(np.float32)
    return paddle.to_tensor(np.stack([np.stack([x, y, np.full_like(x, i)]) for i in range(2)]))


def test_crop_covers_its_box():
    """roi_align without alignment: a box of whole pixels, one sample a pixel, lies half a pixel to the right."""
    boxes = paddle.to_tensor([[4.0, 8.0, 12.0, 16.0], [0.0, 0.0, 8.0, 8.0]])
    found = crops(ramp(), boxes, 8).numpy()
    assert found.shape == (2, 3, 8, 8)
    np.testing.assert_allclose(found[0, 0, 0], np.arange(4.5, 12), atol=1e-5)
    np.testing.assert_allclose(found[0, 1, :, 0], np.arange(8.5, 16), atol=1e-5)
    np.testing.assert_allclose(found[1, 0, 0], np.arange(0.5, 8), atol=1e-5)
    assert (found[0, 2] == 0).all() and (found[1, 2] == 1).all()  # each box from its own picture


def test_crop_is_resampled_and_differentiable():
    image = ramp()
    image.stop_gradient = False
    half = crops(image, paddle.to_tensor([[4.0, 8.0, 12.0, 16.0]] * 2), 4)
    np.testing.assert_allclose(half[0, 0, 0].numpy(), [5, 7, 9, 11], atol=1e-5)
    half[0].sum().backward()
    gradient = image.grad.numpy()
    assert gradient[0, :, 8:17, 4:13].sum() == pytest.approx(3 * 16, rel=1e-5) and (gradient[1] == 0).all()
    assert gradient[0, 0, :8].sum() == gradient[0, 0, :, :4].sum() == 0


def test_sizes_follow_the_picture():
    assert [crop_size(part, 512) for part in ("left_eye", "right_eye", "mouth")] == [80, 80, 120]
    assert [crop_size(part, 256) for part in ("left_eye", "mouth")] == [40, 60] and crop_size("mouth", 32) == 8


def test_an_unseen_part_counts_for_nothing():
    values = paddle.to_tensor(np.float32([[1, 3], [100, 200]]))
    assert float(weighted(values, paddle.to_tensor([1.0, 0.0]))) == 2
    assert float(weighted(values, paddle.to_tensor([0.5, 0.5]))) == pytest.approx(float(values.mean()))


def test_logistic_is_cross_entropy_of_the_label():
    weights = paddle.to_tensor([0.5, 0.5])
    logits = paddle.to_tensor(np.float32([2.0, 2.0])).reshape([2, 1, 1, 1])
    assert float(part_logistic(logits * 0, True, weights)) == pytest.approx(math.log(2))
    assert float(part_logistic(logits, True, weights)) == pytest.approx(math.log(1 + math.exp(-2)), rel=1e-5)
    assert float(part_logistic(logits, False, weights)) == pytest.approx(math.log(1 + math.exp(2)), rel=1e-5)


def test_style_compares_correlations_the_first_depth_by_half():
    weights = paddle.to_tensor([0.5, 0.5])
    ones, twos = paddle.ones([2, 3, 2, 2]), paddle.full([2, 3, 2, 2], 2.0)
    ones.stop_gradient = twos.stop_gradient = False
    difference = (4 - 1) * 4 / (3 * 4)  # Gram of constants: value^2 * h * w / (c * h * w)
    assert float(part_style([twos, ones], [ones, ones], weights)) == pytest.approx(0.5 * difference)
    loss = part_style([ones, twos], [ones, ones], weights)
    assert float(loss) == pytest.approx(difference)
    loss.backward()
    assert float(twos.grad.sum()) > 0
    assert (
        float(
            part_style(
                [ones * paddle.to_tensor([1.0, 9.0]).reshape([2, 1, 1, 1]), ones],
                [ones, ones],
                paddle.to_tensor([1.0, 0.0]),
            )
        )
        == 0
    )
