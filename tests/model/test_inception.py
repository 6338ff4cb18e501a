"""FID's Inception: the published checkpoint's keys and shapes, the pooling that tells it from other Inceptions."""

import numpy as np
import paddle
import pytest

from engine.weights.official_keys import from_official, official_names
from model.backbones.inception import FIDInception, InceptionE, average_3x3


@pytest.fixture(scope="module")
def shapes():
    """Official key -> shape in Paddle's layout."""
    with paddle.LazyGuard():
        network = FIDInception()
    state = network.state_dict()
    return {official: tuple(state[key].shape) for key, (official, _) in official_names(network).items()}


def test_keys_of_the_published_file(shapes):
    assert len(shapes) == 472 and sum(key.endswith(".conv.weight") for key in shapes) == 94
    expected = {
        "Conv2d_1a_3x3.conv.weight": (32, 3, 3, 3),
        "Conv2d_4a_3x3.bn.running_var": (192,),
        "Mixed_5b.branch_pool.conv.weight": (32, 192, 1, 1),
        "Mixed_6a.branch3x3dbl_3.conv.weight": (96, 96, 3, 3),
        "Mixed_6b.branch7x7_2.conv.weight": (128, 128, 1, 7),
        "Mixed_6b.branch7x7dbl_2.conv.weight": (128, 128, 7, 1),
        "Mixed_7a.branch7x7x3_4.conv.weight": (192, 192, 3, 3),
        "Mixed_7c.branch3x3_2b.conv.weight": (384, 384, 3, 1),
        "fc.weight": (2048, 1008),
    }
    assert {key: shapes[key] for key in expected} == expected
    used = sum(int(np.prod(shape)) for key, shape in shapes.items() if not key.startswith("fc."))
    assert used == 21_820_000  # and 94 batch counters that the layers do not have


def test_padding_is_left_out_of_averages():
    corner = average_3x3(paddle.ones([1, 1, 4, 4]))
    np.testing.assert_allclose(corner.numpy(), 1)


def test_the_last_block_takes_the_maximum():
    image = paddle.zeros([1, 8, 5, 5])
    image[0, :, 2, 2] = 9.0
    for takes_maximum, pooled in ((False, 1.0), (True, 9.0)):
        block = InceptionE(8, takes_maximum)
        block.eval()
        seen = []
        block.branch_pool.register_forward_pre_hook(lambda layer, given, seen=seen: seen.append(given[0].numpy()))
        block(image)
        np.testing.assert_allclose(seen[0][0, :, 1:4, 1:4], pooled, rtol=1e-6)


def test_linear_layer_is_transposed():
    with paddle.LazyGuard():
        network = FIDInception()
    array = np.zeros((1008, 2048), np.float32)
    assert from_official(network, {"fc.weight": array})["fc.weight"].shape == (2048, 1008)
