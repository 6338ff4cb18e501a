"""The exported form of GPEN against recorded outputs of the official network and against the training form."""

from pathlib import Path

import numpy as np
import paddle
import pytest

from model.gpen.exported import ExportedGPEN
from model.gpen.network import GPENGenerator

GOLDEN = Path(__file__).parents[1] / "assets" / "golden"
SMALL = {"narrow": 1 / 32, "style_dim": 16, "n_mlp": 2}


def seeded_generator(**sizes):
    """A generator in evaluation mode, none of whose parameters is left at zero."""
    paddle.seed(3)
    generator = GPENGenerator(**SMALL, **sizes)
    for parameter in generator.parameters():
        parameter.set_value(parameter + 0.1 * paddle.randn(parameter.shape))
    generator.eval()
    return generator


def to_unit(image):
    return np.clip((image + 1) / 2, 0, 1)


def restored(layer, image):
    with paddle.no_grad():
        return layer(paddle.to_tensor(image)).numpy()


@pytest.mark.parametrize("case", ["gpen_fullgenerator_0", "gpen_fullgenerator_1"])
def test_equals_the_official_network(case):
    arrays = np.load(GOLDEN / f"{case}.npz")
    weights = {key[2:]: arrays[key] for key in arrays.files if key.startswith("w:")}
    wanted = to_unit(arrays["out:image"])
    assert np.mean((wanted > 0) & (wanted < 1)) > 0.2  # clipping leaves enough to compare
    found = restored(ExportedGPEN(weights), (arrays["in:x"] + 1) / 2)
    np.testing.assert_allclose(found, wanted, atol=2e-5)


@pytest.mark.parametrize("sizes", [{"size": 32}, {"size": 16, "is_concat": False}, {"size": 64, "in_size": 16}])
def test_equals_the_training_form(sizes):
    generator = seeded_generator(**sizes)
    side = generator.in_size
    image = np.random.default_rng(0).random((3, 3, side, side), dtype=np.float32)
    image[0], image[1] = 0, 1  # the ends of the range, where a forgotten conversion shows most
    wanted = to_unit(restored(generator, 2 * image - 1))
    found = restored(ExportedGPEN(generator), image)
    assert found.shape == (3, 3, generator.size, generator.size)
    assert wanted.std(axis=(1, 2, 3)).min() > 0.01
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_noise_can_be_given():
    generator = seeded_generator(size=32, in_size=16)
    noise = [np.random.default_rng(i).standard_normal((1, 16, 32, 32)).astype(np.float32) for i in range(2)]
    image = np.random.default_rng(0).random((1, 3, 16, 16), dtype=np.float32)
    with paddle.no_grad():
        wanted = generator(paddle.to_tensor(2 * image - 1), [paddle.to_tensor(each) for each in noise]).numpy()
    found = restored(ExportedGPEN(generator, noise), image)
    np.testing.assert_allclose(found, to_unit(wanted), atol=1e-5)
    assert np.abs(restored(ExportedGPEN(generator), image) - found).max() > 1e-3
