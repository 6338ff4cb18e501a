"""LPIPS networks: keys of the published files, where features are taken, lengths, weights by channel."""

import numpy as np
import paddle
import pytest

from model.backbones.alexnet import alexnet_features
from model.backbones.lpips import LPIPS

ALEX = {
    "features.0.weight": [64, 3, 11, 11], "features.3.weight": [192, 64, 5, 5], "features.6.weight": [384, 192, 3, 3],
    "features.8.weight": [256, 384, 3, 3], "features.10.weight": [256, 256, 3, 3],
    "lin0.model.1.weight": [1, 64, 1, 1], "lin4.model.1.weight": [1, 256, 1, 1],
}  # fmt: skip


def test_alex_has_the_keys_of_torchvision_and_lpips():
    state = LPIPS("alex").state_dict()
    assert len(state) == 15 and ALEX.items() <= {key: tensor.shape for key, tensor in state.items()}.items()


def test_vgg_ends_at_relu5_3():
    with paddle.LazyGuard():
        state = LPIPS("vgg").state_dict()
    convolutions = sorted(int(key.split(".")[1]) for key in state if key.startswith("features") and "weight" in key)
    assert convolutions == [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28]
    assert state["lin2.model.1.weight"].shape == [1, 256, 1, 1]


def test_alexnet_is_the_one_with_64_channels():
    shapes, x = [], paddle.zeros([1, 3, 64, 64])
    for layer in alexnet_features():
        x = layer(x)
        shapes.append(x.shape[1:])
    assert [shapes[number] for number in (1, 4, 7, 9, 11)] == [
        [64, 15, 15], [192, 7, 7], [384, 3, 3], [256, 3, 3], [256, 3, 3]]  # fmt: skip


@pytest.mark.parametrize("backbone, channels", [
    ("alex", [64, 192, 384, 256, 256]), pytest.param("vgg", [64, 128, 256, 512, 512], marks=pytest.mark.slow),
])  # fmt: skip
def test_features_come_after_relu_and_have_length_one(backbone, channels):
    network = LPIPS(backbone)
    maps = network.embed(paddle.rand([1, 3, 48, 48]))
    assert [each.shape[1] for each in maps] == channels
    for each in maps:
        assert float(each.min()) >= 0
        lengths = np.linalg.norm(each.numpy(), axis=1)
        np.testing.assert_allclose(lengths[lengths > 0], 1, rtol=1e-4)


def test_a_part_is_the_weighted_mean_of_squares():
    network, weights = LPIPS("alex"), np.zeros((1, 64, 1, 1), np.float32)
    weights[0, 5] = 2
    network.lin0.model[1].weight.set_value(weights)
    first, second = (network.embed(paddle.rand([1, 3, 40, 40])) for _ in range(2))
    network.eval()
    part = network.layers(first, second)[0].item()
    difference = first[0].numpy()[0, 5] - second[0].numpy()[0, 5]
    assert part == pytest.approx(2 * np.mean(difference**2), rel=1e-5)
