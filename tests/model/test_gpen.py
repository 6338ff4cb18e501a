import json
from pathlib import Path

import numpy as np
import paddle
import pytest
from paddle import nn

from engine.errors import ConfigError
from model.gpen.network import GPENDiscriminator, GPENGenerator, NoiseInjection, StyleGAN2Decoder, fixed_noise
from tests.parity import case_lines

ASSETS = Path(__file__).parents[1] / "assets"
CASES = json.loads((ASSETS / "golden" / "meta.json").read_text())["cases"]
TOTALS = {512: (163, 71_005_559), 1024: (182, 71_210_924), 2048: (201, 71_295_201)}
DISCRIMINATOR_TOTALS = {512: (57, 28_983_073), 1024: (64, 29_012_769)}


def small(size=16, **options):
    paddle.seed(0)
    network = GPENGenerator(size, style_dim=8, n_mlp=1, narrow=1 / 64, **options)
    for name, weight in network.named_parameters():
        if name.endswith("noise.weight"):  # zero at the start: no injected map would show
            weight.set_value(paddle.full([1], 0.5))
    return network


def entries(layer):
    return {key: tuple(tensor.shape) for key, tensor in layer.state_dict().items()}


def listed(name):
    lines = (ASSETS / name).read_text().splitlines()
    return {key: tuple(json.loads(shape.replace("(", "[").replace(",)", ")").replace(")", "]")))
            for key, _, shape in (line.partition(" ") for line in lines if line)}  # fmt: skip


@pytest.mark.parametrize("case", [name for name in CASES if name.startswith("gpen_")])
def test_outputs_and_gradients_are_the_official_ones(case):
    lines = list(case_lines(ASSETS / "golden", case, CASES[case]))
    assert [line for line in lines if not line["ok"]] == []
    assert len(lines) >= 10


def test_256_has_the_official_keys_and_shapes():
    assert entries(GPENGenerator(256, channel_multiplier=1, narrow=0.5)) == listed("keys_gpen_256_generator.txt")
    assert entries(GPENDiscriminator(256, 1, 0.5)) == listed("keys_gpen_256_discriminator.txt")


@pytest.mark.slow
@pytest.mark.parametrize("size", TOTALS)
def test_larger_sizes_have_the_official_number_of_entries_and_elements(size, monkeypatch):
    monkeypatch.setattr(nn.initializer, "Normal", lambda mean, std: nn.initializer.Constant(0.0))
    assert totals(GPENGenerator(size)) == TOTALS[size]
    if size in DISCRIMINATOR_TOTALS:
        assert totals(GPENDiscriminator(size)) == DISCRIMINATOR_TOTALS[size]


def totals(layer):
    shapes = entries(layer)
    return len(shapes), int(sum(np.prod(shape) for shape in shapes.values()))


def test_initial_values_are_the_official_ones():
    paddle.seed(0)
    weights = {key: value.numpy() for key, value in GPENGenerator(32, 64, 2, narrow=0.25).state_dict().items()}
    assert abs(weights["generator.style.1.weight"].std() - 100) < 5  # N(0, 1) / lr_mul
    assert abs(weights["generator.convs.0.conv.weight"].std() - 1) < 0.02
    assert (weights["generator.convs.0.conv.modulation.bias"] == 1).all()
    assert (weights["generator.convs.0.noise.weight"] == 0).all()
    assert (weights["final_linear.0.bias"] == 0).all()
    assert weights["ecd1.0.0.kernel"].sum() == pytest.approx(1)
    assert weights["generator.convs.0.conv.blur.kernel"].sum() == pytest.approx(4)
    assert weights["generator.to_rgbs.0.upsample.kernel"].sum() == pytest.approx(4)


def test_twice_differentiable_form_is_the_same_function():
    network, image = small(32), paddle.randn([2, 3, 32, 32])
    assert np.abs(network(image).numpy() - network.forward_with_latents(image)[0].numpy()).max() < 1e-5


def test_missing_maps_are_drawn_in_training_and_fixed_in_evaluation():
    network, image = small(32, in_size=16), paddle.randn([2, 3, 16, 16])
    assert np.abs((network(image) - network(image)).numpy()).max() > 1e-3
    network.eval()
    first = network(image).numpy()
    np.testing.assert_array_equal(first, network(image).numpy())
    np.testing.assert_allclose(first[1:], network(image[1:]).numpy(), atol=1e-5)  # whatever else is in the batch
    maps = [fixed_noise(i)([2, 8, 32, 32]) for i in range(2)]
    np.testing.assert_array_equal(first, network(image, maps).numpy())
    assert abs(float((maps[0] * maps[1]).mean())) < 0.05 and abs(float(maps[0].std()) - 1) < 0.05


def test_smaller_input_feeds_the_lower_layers_like_a_whole_network():
    """FullGenerator_SR: a network of 16 px input and 32 px output, given the maps, is its decoder on those maps."""
    network, image = small(32, in_size=16), paddle.randn([1, 3, 16, 16])
    z, features = network.encode(image)
    assert [feature.shape[2] for feature in features] == [16, 8, 4]
    extra = [paddle.randn([1, 8, 32, 32]) for _ in range(2)]
    four, eight, sixteen = features[::-1]
    whole = network.generator(network.generator.latents([z]), [four, eight, eight, sixteen, sixteen, *extra])
    np.testing.assert_array_equal(network(image, extra).numpy(), whole.numpy())


def test_every_layer_reads_its_own_latent():
    paddle.seed(0)
    decoder = StyleGAN2Decoder(16, 8, 1, narrow=1 / 64, is_concat=False)
    latents = paddle.randn([1, 6, 8])
    noise = [paddle.zeros([1, 1, side, side]) for side in (4, 8, 8, 16, 16)]
    image = decoder(latents, noise)
    for i in range(6):
        moved = latents.clone()
        moved[:, i] = 0.0
        assert np.abs((decoder(moved, noise) - image).numpy()).max() > 1e-4, i


def test_features_are_those_of_every_block():
    critic = GPENDiscriminator(16, narrow=1 / 64)
    image = paddle.randn([3, 3, 16, 16])
    logits, features = critic(image, return_features=True)
    assert [feature.shape for feature in features] == [[3, 8, 16, 16], [3, 8, 8, 8], [3, 8, 4, 4]]
    np.testing.assert_array_equal(logits.numpy(), critic(image).numpy())


@pytest.mark.parametrize("arguments", [{"size": 48}, {"size": 4}, {"size": 32, "in_size": 64}])
def test_impossible_sizes_are_refused(arguments):
    with pytest.raises(ConfigError, match="expected"):
        GPENGenerator(**arguments)


def test_the_gradient_of_a_noise_weight_is_summed_axis_by_axis():
    """One float32 sum over all values errs by 1e-5 of their deviation, this one by 1e-7."""
    layer, errors = NoiseInjection(is_concat=False), []
    for seed in range(3):
        noise, given = np.random.default_rng(seed).standard_normal((2, 4, 32, 64, 64)).astype(np.float32)
        layer.clear_gradients()
        layer(paddle.zeros([4, 32, 64, 64]), paddle.to_tensor(noise)).backward(paddle.to_tensor(given))
        wanted = (np.float64(noise) * given).sum()
        errors.append(abs(layer.weight.grad.item() - wanted) / noise.size**0.5)
    assert max(errors) < 2e-6
