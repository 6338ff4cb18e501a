"""VGG: the published layer numbers, features before and after ReLU, ImageNet's statistics."""

import numpy as np
import paddle
import pytest

from model.backbones.vgg import VGG, imagenet_normalised, layer_names


def test_numbers_of_the_published_files():
    """torchvision: VGG-19's conv5_4 is features.34, VGG-16's pool3 is features.16 and its last layer features.30."""
    assert layer_names(19).index("conv5_4") == 34
    assert layer_names(16).index("pool3") == 16
    assert len(layer_names(16)) == 31
    keys = set(VGG(19, ["conv2_2"]).state_dict())
    assert keys == {f"features.{n}.{kind}" for n in (0, 2, 5, 7) for kind in ("weight", "bias")}


def test_convolutions_are_taken_before_their_relu():
    network = VGG(16, ["conv1_1", "relu1_1", "pool1"])
    features = network(paddle.randn([1, 3, 8, 8]))
    assert features["conv1_1"].min() < 0
    np.testing.assert_array_equal(features["relu1_1"].numpy(), features["conv1_1"].clip(min=0).numpy())
    assert features["pool1"].shape == [1, 64, 4, 4]


def test_unknown_layer_is_named():
    with pytest.raises(ValueError, match="conv3_4"):
        VGG(16, ["conv3_4"])


def test_normalisation_by_channel():
    image = paddle.ones([1, 3, 1, 1])
    expected = [(1 - 0.485) / 0.229, (1 - 0.456) / 0.224, (1 - 0.406) / 0.225]
    np.testing.assert_allclose(imagenet_normalised(image).numpy().ravel(), expected, rtol=1e-6)
