import numpy as np
import paddle
import pytest

from loss.perceptual import PerceptualLoss, feature_matching, gram_matrix


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


class Powers(paddle.nn.Layer):
    """In the place of VGG: its input times 1, 2, ... under the layers' names."""

    def forward(self, image):
        self.seen = image
        return {name: image * (i + 1) for i, name in enumerate(PerceptualLoss.LAYERS)}


def test_perceptual_loss_weighs_layers_and_normalises_its_input():
    network = Powers()
    output, image = paddle.full([1, 3, 4, 4], 1.0), paddle.full([1, 3, 4, 4], -1.0)
    output.stop_gradient = image.stop_gradient = False
    perceptual, style = PerceptualLoss(network)(output, image)
    mean, deviation = np.float32((0.485, 0.456, 0.406)), np.float32((0.229, 0.224, 0.225))
    ends = [(value - mean) / deviation for value in (1.0, 0.0)]  # of [-1, 1] as ImageNet's statistics see it
    weights = [0.1 * 1, 0.1 * 2, 3, 4, 5]
    assert float(perceptual) == pytest.approx(sum(weights) * np.abs(ends[0] - ends[1]).mean(), rel=1e-5)
    grams = [np.outer(end, end) / 3 for end in ends]
    weights = [0.1 * 1, 0.1 * 4, 9, 16, 25]
    assert float(style) == pytest.approx(sum(weights) * np.abs(grams[0] - grams[1]).mean(), rel=1e-4)
    (perceptual + style).backward()
    assert float(output.grad.sum()) > 0 and image.grad is None


def test_feature_matching_is_exact_at_full_size():
    """Four million values a map: against float64; a mean over three axes at once is off by 2e-3."""
    random = np.random.default_rng(0)
    one, other = (random.uniform(1, 4, (1, 64, 256, 256)).astype(np.float32) for _ in range(2))
    wanted = np.sqrt(((one.astype(np.float64) - other) ** 2).mean())
    found = feature_matching([paddle.to_tensor(one)], [paddle.to_tensor(other)])
    assert abs(float(found) / wanted - 1) < 1e-5
