import numpy as np
import paddle
import pytest

from engine.weights.official_keys import official_names
from model.backbones.ir_se50 import IRSE50, Bottleneck


@pytest.fixture(scope="module")
def network():
    paddle.seed(0)
    return IRSE50()


def test_entries_are_those_of_the_weight_file(network):
    official = {key for key, _ in official_names(network).values()}
    entries = network.state_dict()
    shapes = {official: list(entries[ours].shape) for ours, (official, _) in official_names(network).items()}
    assert len(official) == 343 and sum(np.prod(shape) for shape in shapes.values()) == 43_824_064
    assert shapes["body.0.res_layer.5.fc1.weight"] == [4, 64, 1, 1]
    assert shapes["body.3.shortcut_layer.0.weight"] == [128, 64, 1, 1]
    assert shapes["body.23.res_layer.2.weight"] == [512]
    assert "body.0.shortcut_layer.0.weight" not in official  # 64 to 64: a subsampling


def test_features_have_length_one(network):
    network.eval()
    features = network(paddle.randn([2, 3, 112, 112])).numpy()
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, rtol=1e-5)
    assert features.shape == (2, 512)


def test_equal_width_shortcut_takes_every_second_pixel():
    unit = Bottleneck(32, 32, 2)
    x = paddle.randn([1, 32, 6, 6])
    np.testing.assert_array_equal(unit.shortcut_layer(x).numpy(), x.numpy()[:, :, ::2, ::2])
