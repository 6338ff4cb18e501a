"""ArcFace's ResNet-18: official keys, sizes, and a file's way into it (values: tests/model/test_gfpgan.py)."""

import numpy as np
import paddle
import pytest

from engine.weights.official_keys import from_official, official_names
from model.backbones.arcface import IRBlock, ResNet18ArcFace


@pytest.mark.slow
def test_has_the_official_keys_and_gives_512_features():
    network = ResNet18ArcFace()
    network.eval()
    names = [official for official, _ in official_names(network).values()]
    expected = {
        "conv1.weight",
        "bn1.running_mean",
        "prelu.weight",
        "layer1.0.bn0.weight",
        "layer4.1.conv2.weight",
        "layer2.0.downsample.0.weight",
        "layer2.0.downsample.1.running_var",
        "bn4.bias",
        "fc5.weight",
        "bn5.running_var",
    }
    assert expected <= set(names) and not any("layer1.0.downsample" in name or ".se." in name for name in names)
    assert sum(not parameter.stop_gradient for parameter in network.parameters()) == 91
    assert network(paddle.zeros([2, 1, 128, 128])).shape == [2, 512]
    fc5 = np.arange(512, dtype=np.float32).repeat(32768).reshape(512, 32768)  # torch: (out, in)
    assert from_official(network, {"fc5.weight": fc5})["fc5.weight"].shape == (32768, 512)


def test_other_depths_have_the_official_keys():
    with paddle.LazyGuard():
        keys = ResNet18ArcFace(use_se=True, layers=(1, 2, 3, 4)).state_dict()
    blocks = {".".join(key.split(".")[:2]) for key in keys if key.startswith("layer")}
    assert blocks == {f"layer{stage}.{block}" for stage in (1, 2, 3, 4) for block in range(stage)}
    assert "layer4.3.se.fc.0.weight" in keys and "layer4.3.downsample.0.weight" not in keys


def test_block_adds_its_input_where_nothing_changes():
    block = IRBlock(4, 4)
    block.eval()
    block.bn2.weight.set_value(paddle.zeros([4]))  # the branch gives nothing
    x = paddle.rand([1, 4, 6, 6])
    np.testing.assert_allclose(block(x).numpy(), x.numpy(), atol=1e-6)
    assert IRBlock(4, 8, 2)(x).shape == [1, 8, 3, 3] and block.downsample is None
