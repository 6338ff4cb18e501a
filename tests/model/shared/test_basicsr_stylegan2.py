import numpy as np
import paddle

from model.shared.basicsr_stylegan2 import (
    BilinearStyleGAN2Generator,
    StyleGAN2Discriminator,
    StyleGAN2Generator,
    feature_transform,
)


def test_noise_is_stored_in_evaluation_and_drawn_in_training():
    paddle.seed(0)
    network = StyleGAN2Generator(16, style_dim=8, n_mlp=1, narrow=1 / 64)
    for name, weight in network.named_parameters():
        if name.endswith(("style_conv1.weight", "style_convs.0.weight")):
            weight.set_value(paddle.full([1], 0.5))
    latents = network.latents([paddle.randn([2, 8])])
    assert np.abs((network(latents) - network(latents)).numpy()).max() > 1e-3
    network.eval()
    stored = [network.noises.state_dict()[f"noise{i}"] for i in range(5)]
    np.testing.assert_array_equal(network(latents).numpy(), network(latents, stored).numpy())
    assert np.abs((network(latents) - network(latents, [s * 0 for s in stored])).numpy()).max() > 1e-3


def test_discriminator_of_gfpgan_has_the_official_size():
    paddle.seed(0)
    entries = StyleGAN2Discriminator(512, channel_multiplier=1).state_dict()
    assert sum(tensor.size for tensor in entries.values()) == 24_030_753
    assert not any(key.endswith("kernel") for key in entries)


def test_feature_transform_of_all_and_of_the_second_half():
    x = paddle.randn([2, 4, 3, 3])
    scale, shift = paddle.randn([2, 4, 3, 3]), paddle.randn([2, 4, 3, 3])
    np.testing.assert_array_equal(feature_transform(x, scale, shift).numpy(), (x * scale + shift).numpy())
    found = feature_transform(x, scale[:, :2], shift[:, :2])
    np.testing.assert_array_equal(found[:, :2].numpy(), x[:, :2].numpy())
    np.testing.assert_array_equal(found[:, 2:].numpy(), (x[:, 2:] * scale[:, :2] + shift[:, :2]).numpy())


def test_levels_without_condition_are_plain_stylegan2():
    paddle.seed(0)
    network = BilinearStyleGAN2Generator(16, style_dim=8, n_mlp=1, narrow=1 / 64)
    network.eval()
    latents = network.latents([paddle.randn([2, 8])])
    one, zero = paddle.ones([2, 4, 8, 8]), paddle.zeros([2, 4, 8, 8])
    plain = network(latents).numpy()
    np.testing.assert_allclose(network(latents, conditions=[(one, zero)]).numpy(), plain, atol=1e-6)
    first = np.abs(network(latents, conditions=[(one, one)]).numpy() - plain).max()
    assert first > 1e-3  # the condition of 8 x 8 changes what comes above it


def test_noise_may_be_a_function_of_the_shape():
    paddle.seed(0)
    network = StyleGAN2Generator(16, style_dim=8, n_mlp=1, narrow=1 / 64)
    shapes = []
    noise = [lambda shape: shapes.append(shape) or paddle.zeros(shape)] * 5
    network(network.latents([paddle.randn([2, 8])]), noise=noise)
    assert shapes == [[2, 1, side, side] for side in (4, 8, 8, 16, 16)]
