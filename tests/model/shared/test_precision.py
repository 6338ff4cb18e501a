"""Means, sums and norms of whole pictures and feature maps against float64, at full size.

Paddle adds naively in float32 in `mean` of everything and in reductions over several axes at once: each function that
does one over 1e5 values or more stands here, with values of one sign, which is where naive sums drift most.
"""

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest

from deploy.export import write_graph
from deploy.predictor import Predictor
from engine import onednn
from engine.ports import Exported, Port
from loss import face_identity, inpainting, perceptual, pixel, regularization
from metric.texture_distance import OPPONENT, texture_features
from model.backbones.lpips import LPIPS
from model.satnet import blocks
from model.shared.convolution import conv2d
from model.shared.normalization import BatchNorm2D

CLOSE = 1e-5
PICTURES, MAPS = (2, 3, 512, 512), (1, 64, 384, 384)


def drawn(shape, seed=0):
    """Values in [0, 4), each channel at a level of its own, as float32."""
    rng = np.random.default_rng(seed)
    return np.float32(rng.random(shape) * rng.uniform(0.2, 4, (shape[0], shape[1], 1, 1)))


X, Y, MASK = drawn(PICTURES), drawn(PICTURES, 1), np.float32(drawn(PICTURES, 2)[:, :1] > 1)
FEATURES, OTHER = drawn(MAPS, 3), drawn(MAPS, 4)


def apart(values, axis):
    return np.abs(np.diff(values, axis=axis))


def smooth_l1(x, y):
    distance = np.abs(x - y)
    return np.where(distance < 1, 0.5 * distance**2, distance - 0.5).mean()


def normalised(x, axes, epsilon=1e-5):
    centred = x - x.mean(axes, keepdims=True)
    return centred / np.sqrt(centred.var(axes, keepdims=True) + epsilon)


def grown(mask):
    return F.max_pool2d(paddle.to_tensor(mask), 3, 1, 1).numpy().astype(np.float64)


def hole_variation(x, mask):
    big = grown(mask)
    across = apart(x, 3) * big[..., 1:] * big[..., :-1]
    return (across.sum() + (apart(x, 2) * big[:, :, 1:] * big[:, :, :-1]).sum()) / x.size


def squared_penalty(x, y):
    image = paddle.to_tensor(x, stop_gradient=False)
    return regularization.r1_penalty((image * paddle.to_tensor(y)).sum([1, 2, 3]), image)


LOSSES = {  # ours of tensors, the definition of float64 arrays, operands
    "l1": (pixel.l1, lambda x, y: np.abs(x - y).mean(), (X, Y)),
    "l1 of features": (pixel.l1, lambda x, y: np.abs(x - y).mean(), (FEATURES, OTHER)),
    "smooth_l1": (pixel.smooth_l1, smooth_l1, (X, Y)),
    "hole_loss": (inpainting.hole_loss, lambda x, y, m: (m * np.abs(x - y)).mean(), (X, Y, MASK)),
    "valid_loss": (inpainting.valid_loss, lambda x, y, m: ((1 - m) * np.abs(x - y)).mean(), (X, Y, MASK)),
    "hole_error": (inpainting.hole_error, lambda x, y, m: (m * (x - y) ** 2).mean(), (X, Y, MASK)),
    "total_variation": (inpainting.total_variation, lambda x: apart(x, 3).mean() + apart(x, 2).mean(), (X,)),
    "hole_total_variation": (inpainting.hole_total_variation, hole_variation, (X, MASK)),
    "feature_matching": (
        lambda x, y: perceptual.feature_matching([x], [y]),
        lambda x, y: np.sqrt(((x - y) ** 2).mean((1, 2, 3))).mean(),
        (FEATURES, OTHER),
    ),
    "gram_matrix": (
        perceptual.gram_matrix,
        lambda x: np.einsum("nchw,ndhw->ncd", x, x, optimize=True) / x[0].size,
        (FEATURES,),
    ),
    "identity features": (
        face_identity.feature_distance,
        lambda x, y: ((normalised(x, (2, 3)) - normalised(y, (2, 3))) ** 2).mean(),
        (FEATURES, OTHER),
    ),
    "r1_penalty": (lambda x, y: squared_penalty(x.numpy(), y.numpy()), lambda x, y: (y**2).sum() / len(y), (X, Y)),
    "texture_features": (
        lambda x: paddle.to_tensor(texture_features(x.numpy())[:, :3]),
        lambda x: np.einsum("oc,nchw->no", OPPONENT, x) / x[0, 0].size,
        (X,),
    ),
}


@pytest.mark.parametrize("name", LOSSES)
def test_a_mean_is_that_of_float64(name):
    ours, definition, operands = LOSSES[name]
    wanted = definition(*(operand.astype(np.float64) for operand in operands))
    found = ours(*map(paddle.to_tensor, operands)).numpy().astype(np.float64)
    assert np.abs(found - wanted).max() <= CLOSE * np.abs(wanted).max()


def test_lpips_averages_over_the_whole_map():
    network, rng = LPIPS("vgg"), np.random.default_rng(0)
    weight = np.float32(rng.random([1, 64, 1, 1]))
    network.lin0.model[1].weight.set_value(weight)
    network.eval()
    first, second = (np.float32(rng.random([1, 64, 512, 512])) for _ in range(2))
    rest = [paddle.ones([1, channels, 2, 2]) for channels in (128, 256, 512, 512)]
    with paddle.no_grad():
        found = network.layers(*([paddle.to_tensor(maps), *rest] for maps in (first, second)))[0]
    wanted = np.tensordot((np.float64(first) - second) ** 2, np.float64(weight), ([1], [1])).mean()
    assert abs(found.item() - wanted) <= CLOSE * wanted


class Normalised(paddle.nn.Layer):
    """Instance and layer normalisation of one map, side by side."""

    def __init__(self, channels):
        super().__init__()
        self.norm = blocks.LayerNorm(channels)
        self.norm.gamma.set_value(paddle.ones([channels]))

    def forward(self, x):
        return paddle.concat([blocks.instance_norm(x), self.norm(x)], axis=1)


def test_normalisations_in_training_and_exported(tmp_path):
    layer, channels = Normalised(MAPS[1]), MAPS[1]
    x = FEATURES.astype(np.float64)
    centred = x - x.mean()
    whole = centred / (np.sqrt((centred**2).sum() / (x.size - 1)) + blocks.EPSILON)
    wanted = np.concatenate([normalised(x, (2, 3), blocks.EPSILON), whole], 1)
    layer.eval()
    ports = [Port("maps", (-1, *MAPS[1:]), "vector")], [Port("made", (-1, 2 * channels, *MAPS[2:]), "vector")]
    write_graph(Exported(layer, *ports), tmp_path / "inference")
    exported = Predictor(tmp_path / "inference.json").run({"maps": FEATURES})["made"]
    for found in (layer(paddle.to_tensor(FEATURES)).numpy(), exported):
        assert np.abs(found - wanted).max() <= CLOSE * np.abs(wanted).max()


def test_batch_statistics_and_their_gradients():
    layer, x = BatchNorm2D(MAPS[1], momentum=0.0), paddle.to_tensor(FEATURES, stop_gradient=False)
    (layer(x) * paddle.to_tensor(OTHER)).sum().backward()
    exact = FEATURES.astype(np.float64)
    np.testing.assert_allclose(layer._mean, exact.mean((0, 2, 3)), rtol=CLOSE)
    np.testing.assert_allclose(layer._variance, exact.var((0, 2, 3), ddof=1), rtol=CLOSE)
    np.testing.assert_allclose(layer.bias.grad, OTHER.sum((0, 2, 3), dtype=np.float64), rtol=CLOSE)
    wanted = (normalised(exact, (0, 2, 3)) * OTHER).sum((0, 2, 3))
    assert np.abs(layer.weight.grad.numpy() - wanted).max() <= CLOSE * OTHER.sum((0, 2, 3)).max()


def test_gradient_of_a_bias_is_the_whole_sum():
    rng = np.random.default_rng(0)
    gradient = np.float32(rng.random([2, 16, 512, 512]))
    weight, bias = paddle.rand([16, 3, 3, 3]), paddle.zeros([16])
    bias.stop_gradient = False
    before = onednn.state.runs
    conv2d(paddle.rand([2, 3, 512, 512]), weight, bias, padding=1).backward(paddle.to_tensor(gradient))
    assert onednn.state.runs > before, "the form that trains large maps"
    np.testing.assert_allclose(bias.grad, gradient.sum((0, 2, 3), dtype=np.float64), rtol=CLOSE)
