import numpy as np
import paddle

from model.shared.basicsr_stylegan2 import StyleGAN2Discriminator, StyleGAN2Generator


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
