"""Blocks against their definitions: norms, spectral norm, attention, initial weights."""

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest

from model.satnet import attention, blocks


@pytest.mark.parametrize(("channels", "size"), [((6, 2), 5), ((2, 6), 3)])
def test_fast_convolution_is_paddles(channels, size):
    conv, x = blocks.Conv2D(*channels, size), paddle.rand([2, channels[0], 9, 8])
    x.stop_gradient = False
    first, second = conv(x), F.conv2d(x, conv.weight, conv.bias)
    np.testing.assert_allclose(first.numpy(), second.numpy(), atol=1e-5)
    gradients = [paddle.grad((made * made).sum(), [x, conv.weight, conv.bias]) for made in (first, second)]
    for one, other in zip(*gradients, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-4, atol=1e-4)


def test_upsampling_repeats_pixels():
    x = paddle.rand([2, 3, 4, 5])
    wanted = x.numpy().repeat(2, axis=2).repeat(2, axis=3)
    np.testing.assert_array_equal(blocks.upsample_nearest(x).numpy(), wanted)


def test_layer_norm_is_over_a_sample_with_the_unbiased_deviation():
    layer = blocks.LayerNorm(2)
    assert 0 <= float(layer.gamma.min()) and float(layer.gamma.max()) <= 1 and float(layer.beta.abs().max()) == 0
    layer.gamma.set_value(paddle.to_tensor([2.0, -1.0]))
    layer.beta.set_value(paddle.to_tensor([0.5, 0.25]))
    x = np.random.default_rng(0).standard_normal((3, 2, 2, 3)).astype(np.float32) * 4 + 1
    flat = x.reshape(3, -1)
    deviation = flat.std(axis=1, ddof=1).reshape(3, 1, 1, 1)
    wanted = (x - flat.mean(1).reshape(3, 1, 1, 1)) / (deviation + 1e-5)
    wanted = wanted * np.float32([2, -1]).reshape(1, 2, 1, 1) + np.float32([0.5, 0.25]).reshape(1, 2, 1, 1)
    np.testing.assert_allclose(layer(paddle.to_tensor(x)).numpy(), wanted, atol=1e-5)


@pytest.mark.parametrize(("kind", "mode"), [("zero", "constant"), ("replicate", "edge"), ("reflect", "reflect")])
def test_padding_and_activation_are_what_they_are_called(kind, mode):
    paddle.seed(0)
    block = blocks.ConvBlock(2, 3, 3, pad=1, norm="in", activation="lrelu", pad_type=kind)
    x = paddle.randn([2, 2, 5, 6])
    margin = np.pad(x.numpy(), [(0, 0), (0, 0), (1, 1), (1, 1)], mode)
    y = paddle.nn.functional.conv2d(paddle.to_tensor(margin), block.conv.weight, block.conv.bias).numpy()
    y = (y - y.mean((2, 3), keepdims=True)) / np.sqrt(y.var((2, 3), keepdims=True) + 1e-5)
    np.testing.assert_allclose(block(x).numpy(), np.where(y > 0, y, 0.2 * y), atol=1e-5)


def test_the_first_half_of_a_style_is_the_bias():
    block = blocks.ConvBlock(2, 3, 3, pad=1, norm="adain", activation="none")
    style = paddle.to_tensor([[1.0, 2.0, 3.0, 0.0, 0.0, 0.0]])
    out = block(paddle.rand([1, 2, 4, 4]), style)
    np.testing.assert_allclose(out.mean([2, 3]).numpy(), [[1, 2, 3]], atol=1e-6)
    np.testing.assert_allclose(out.std([2, 3]).numpy(), 0, atol=1e-6)
    style = paddle.to_tensor([[0.0, 0.0, 0.0, 2.0, 3.0, 4.0]])
    out = block(paddle.rand([1, 2, 4, 4]), style).numpy()
    np.testing.assert_allclose(out.std(axis=(2, 3)), [[2, 3, 4]], rtol=1e-3)  # the gain has no offset


def test_spectral_norm_converges_to_the_largest_singular_value():
    paddle.seed(0)
    layer = blocks.SpectralConv2D(3, 6, 3)
    for _ in range(100):
        weight = layer.normalized_weight()
    singular = np.linalg.svd(weight.numpy().reshape(6, -1), compute_uv=False)
    assert singular[0] == pytest.approx(1.0, abs=1e-4)
    original = np.linalg.svd(layer.module.weight_bar.numpy().reshape(6, -1), compute_uv=False)
    np.testing.assert_allclose(weight.numpy() * original[0], layer.module.weight_bar.numpy(), rtol=1e-3, atol=1e-5)


def test_attention_is_its_equation():
    paddle.seed(1)
    layer = attention.SelfAttention(8, "none")
    assert float(layer.gamma[0]) == pytest.approx(1e-8)
    layer.gamma.set_value(paddle.to_tensor([0.7]))
    x = np.random.default_rng(1).standard_normal((1, 8, 2, 3)).astype(np.float32)
    flat = x.reshape(8, 6)

    def project(conv):
        return conv.weight.numpy()[:, :, 0, 0] @ flat + conv.bias.numpy()[:, None]

    f, g, k = (project(conv) for conv in (layer.f_conv, layer.g_conv, layer.k_conv))
    wanted = np.zeros_like(flat)
    for i in range(6):
        scores = np.exp([f[:, i] @ g[:, j] for j in range(6)])
        wanted[:, i] = 0.7 * sum(scores[j] / scores.sum() * k[:, j] for j in range(6)) + flat[:, i]
    np.testing.assert_allclose(layer(paddle.to_tensor(x)).numpy().reshape(8, 6), wanted, atol=1e-5)


def test_softmax_twice_is_the_softmax_and_has_a_second_derivative():
    scores = paddle.to_tensor([[[1.0, -2.0, 0.5], [90.0, 91.0, 89.0]]], stop_gradient=False)
    np.testing.assert_allclose(attention.softmax_twice(scores, -1).numpy(), F.softmax(scores, -1).numpy(), rtol=1e-6)

    def slope(values):
        x = paddle.to_tensor(values, "float64", stop_gradient=False)
        (first,) = paddle.grad(attention.softmax_twice(x, -1)[0], x, create_graph=True)
        return x, first[1]

    x, first = slope([0.3, -0.2, 0.6])
    first.backward()
    step = 1e-6
    numeric = [(float(slope(np.array([0.3, -0.2, 0.6]) + step * row)[1]) - float(first)) / step for row in np.eye(3)]
    np.testing.assert_allclose(x.grad.numpy(), numeric, atol=1e-5)


def test_residual_block_adds_without_activation():
    block = blocks.ResBlock(4, "in")
    for conv in (block.model[0].conv, block.model[1].conv):
        conv.weight.set_value(paddle.zeros(conv.weight.shape))
    x = paddle.rand([1, 4, 4, 4]) - 0.5
    np.testing.assert_allclose(block(x).numpy(), x.numpy(), atol=1e-6)


@pytest.mark.parametrize("includes_spectral", [True, False])
def test_initial_weights(includes_spectral):
    paddle.seed(2)
    network = paddle.nn.Sequential(paddle.nn.Conv2D(64, 64, 3), blocks.SpectralConv2D(64, 64, 3), blocks.LayerNorm(64))
    plain, spectral, norm = network[0], network[1].module, network[2]
    before = spectral.weight_bar.numpy().copy(), norm.gamma.numpy().copy()
    blocks.initialise(network, "kaiming", includes_spectral)
    wanted = (2 / (64 * 9)) ** 0.5
    assert plain.weight.numpy().std() == pytest.approx(wanted, rel=0.03) and float(plain.bias.abs().max()) == 0
    assert np.array_equal(norm.gamma.numpy(), before[1])
    if includes_spectral:
        assert spectral.weight_bar.numpy().std() == pytest.approx(wanted, rel=0.03)
        assert float(spectral.bias.abs().max()) == 0
    else:
        assert np.array_equal(spectral.weight_bar.numpy(), before[0]) and float(spectral.bias.abs().max()) > 0
    blocks.initialise(network, 0.02, includes_spectral)
    assert plain.weight.numpy().std() == pytest.approx(0.02, rel=0.03)


def test_layer_norm_is_exact_at_full_size():
    """Millions of values a sample: against float64; at once over three axes Paddle's mean would be off by 1e-2."""
    x = (np.random.default_rng(0).random((1, 64, 256, 256)) * 3 + 1).astype(np.float32)
    layer = blocks.LayerNorm(64)
    layer.gamma.set_value(paddle.ones([64]))
    wide = x.astype(np.float64)
    wanted = (wide - wide.mean()) / (wide.std(ddof=1) + blocks.EPSILON)
    assert np.abs(layer(paddle.to_tensor(x)).numpy() - wanted).max() < 1e-5
