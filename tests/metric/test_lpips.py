import numpy as np
import paddle
import pytest

from engine.errors import InputError
from metric.lpips import LPIPSDistance
from model.backbones.lpips import LPIPS

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module", params=["alex", pytest.param("vgg", marks=pytest.mark.slow)])
def distance(request):
    paddle.seed(0)
    network = LPIPS(request.param)
    for name, parameter in network.named_parameters():
        if name.startswith("lin"):
            parameter.set_value(parameter.abs())
    network.eval()
    return LPIPSDistance(network)


def test_equal_pictures_and_order(distance):
    pictures, others = RNG.integers(0, 256, (2, 2, 40, 48, 3), np.uint8)
    np.testing.assert_array_equal(distance(pictures, pictures), [0, 0])
    np.testing.assert_allclose(distance(pictures, others), distance(others, pictures), rtol=1e-6)
    assert distance(pictures, others).min() > 0


def test_each_pair_by_itself_and_uint8_as_floats(distance):
    pictures, others = RNG.integers(0, 256, (2, 2, 40, 40, 3), np.uint8)
    together = distance(pictures, others)
    np.testing.assert_allclose(
        together, [distance(*pair)[0] for pair in zip(pictures[:, None], others[:, None], strict=True)], rtol=1e-4
    )
    np.testing.assert_allclose(distance(pictures / 255, others / 255), together, rtol=1e-5)
    between = distance.between(distance.embed(pictures), distance.embed(others))
    np.testing.assert_array_equal(between, together)


def test_small_pictures_are_refused():
    with pytest.raises(InputError, match="31 x 40: LPIPS needs 32 pixels per side"):
        LPIPSDistance(None).embed(np.zeros((1, 31, 40, 3), np.uint8))


def test_input_is_scaled_by_lpips_own_statistics():
    """Grey of the mean level becomes zero: (0.485, 0.456, 0.406) in [0, 1], as ImageNet's."""
    network = LPIPS("alex")
    seen = []
    network.features[0].register_forward_pre_hook(lambda layer, given: seen.append(given[0].numpy()))
    picture = np.full((1, 32, 32, 3), (0.485, 0.456, 0.406), np.float32)
    LPIPSDistance(network).embed(picture)
    LPIPSDistance(network).embed(picture + np.float32([0.229, 0.224, 0.225]))
    np.testing.assert_allclose(seen[0], 0, atol=1e-5)
    np.testing.assert_allclose(seen[1], 1, atol=1e-5)
