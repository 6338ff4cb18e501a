"""SATNet's and MUNIT's networks: the official values, sizes and parameter counts, what each switch does."""

import json
from pathlib import Path

import numpy as np
import paddle
import pytest

from model.satnet import blocks
from model.satnet.network import AdaINGenerator, MultiScaleDiscriminator
from model.satnet.settings import DiscriminatorSettings, GeneratorSettings, smallest_maps
from tests.parity import case_lines

GOLDEN = Path(__file__).parents[1] / "assets" / "golden" / "satnet"
CASES = json.loads((GOLDEN / "meta.json").read_text())["cases"]
GENERATOR = {"dim": 4, "mlp_dim": 8, "style_dim": 3, "n_downsample": 2, "n_res": 1, "attention": True}
DISCRIMINATOR = {"dim": 8, "n_layer": 2, "num_scales": 2, "norm": "sn", "init": "gaussian", "attention": True}


def generator(**changes):
    paddle.seed(3)
    return AdaINGenerator(GeneratorSettings(**GENERATOR | changes))


def discriminator(**changes):
    paddle.seed(3)
    return MultiScaleDiscriminator(DiscriminatorSettings(**DISCRIMINATOR | changes))


def count(layer):
    return sum(int(tensor.size) for tensor in layer.state_dict().values())


@pytest.mark.parametrize("case", sorted(CASES))
def test_values_of_the_official_networks(case):
    lines = list(case_lines(GOLDEN, case, CASES[case]))
    assert len(lines) > 8 and any(line["key"].startswith("grad:") for line in lines)
    assert [line for line in lines if not line["ok"]] == []


@pytest.mark.slow
@pytest.mark.parametrize(("norm", "key"), [("ln", "cnns.1.2.norm.gamma"), ("in", None), ("none", None)])
def test_norms_of_a_discriminator_are_of_all_layers_but_the_first(norm, key):
    network = discriminator(norm=norm, activ="relu", pad_type="zero", attention=False, n_layer=3)
    kinds = [(block.kind, block.pad_type, block.activation is blocks.F.relu) for block in network.cnns[0][:-1]]
    assert kinds == [("none", "zero", True), *[(norm, "zero", True)] * 2]
    keys = [key for key in network.state_dict() if "norm" in key]
    assert key in keys if key else not keys


def test_a_generators_padding_and_activation_reach_every_block():
    network = generator(activ="lrelu", pad_type="zero")
    found = [layer for layer in network.sublayers() if isinstance(layer, blocks.ConvBlock)]
    assert len(found) > 15 and {block.pad_type for block in found} == {"zero"}
    used = [block.activation for block in found]
    assert blocks.ACTIVATIONS["relu"] not in used and used.count(blocks.ACTIVATIONS["lrelu"]) > 10
    assert [layer.activation for layer in network.mlp.model][:2] == [blocks.ACTIVATIONS["lrelu"]] * 2


def test_parameter_counts_of_the_released_sizes(monkeypatch):
    """Of generator parts and discriminator, spectral vectors included."""
    monkeypatch.setattr("model.satnet.network.initialise", lambda *_: None)
    settings = GeneratorSettings(dim=64, mlp_dim=256, style_dim=8, n_downsample=2, n_res=4, attention=True)
    network = AdaINGenerator(settings)
    parts = [network.enc_style, network.enc_content, network.dec, network.mlp, network]
    assert [count(part) for part in parts] == [2764936, 6649345, 7018116, 1383936, 17816333]
    assert sum(int(p.size) for p in network.parameters()) == 17814157
    assert count(AdaINGenerator(settings.model_copy(update={"attention": False}))) == 15026187
    critic = DiscriminatorSettings(dim=64, n_layer=4, num_scales=3, norm="sn", init="gaussian", attention=True)
    assert count(MultiScaleDiscriminator(critic)) == 9286854
    assert count(MultiScaleDiscriminator(critic.model_copy(update={"norm": "none", "attention": False}))) == 8271171


def test_shapes():
    network, image = generator(), paddle.rand([2, 3, 24, 16]) * 2 - 1
    content, style = network.encode(image)
    assert content.shape == [2, 16, 6, 4] and style.shape == [2, 3, 1, 1]
    made = network.decode(content, style)
    assert made.shape == [2, 3, 24, 16] and float(made.abs().max()) <= 1
    assert [logits.shape for logits in discriminator()(image)] == [[2, 1, 6, 4], [2, 1, 3, 2]]


def test_smallest_maps_are_what_the_last_convolution_gets():
    for size, wanted in (((224, 192), [(28, 24), (14, 12), (7, 6)]), ((112, 96), [(14, 12), (7, 6), (3, 3)])):
        assert (
            smallest_maps(
                size,
                DiscriminatorSettings(dim=64, n_layer=4, num_scales=3, norm="none", init="gaussian", attention=False),
            )
            == wanted
        )
    logits = discriminator(n_layer=3, num_scales=2)(paddle.rand([1, 3, 28, 24]))
    maps = smallest_maps((28, 24), DiscriminatorSettings(**DISCRIMINATOR | {"n_layer": 3}))
    assert [tuple(one.shape[2:]) for one in logits] == [(h // 2, w // 2) for h, w in maps]


def test_content_forgets_contrast_and_style_does_not():
    """Instance norms take a picture's gain and offset out of the content; the style code keeps them."""
    network, image = generator(), paddle.rand([1, 3, 16, 16])
    network.eval()
    (one, style), (two, other) = network.encode(image), network.encode(image * 0.3)
    assert float((one - two).abs().max()) < 0.05 * float(one.abs().max())
    assert float((style - other).abs().max()) > 0.1 * float(style.abs().max())


def test_each_style_value_reaches_the_picture():
    network = generator()
    network.eval()
    content, style = network.encode(paddle.rand([1, 3, 16, 16]))
    before = network.decode(content, style)
    for i in range(3):
        moved = style.clone()
        moved[0, i] += 1.0
        assert float((network.decode(content, moved) - before).abs().max()) > 1e-4


def test_evaluation_does_not_move_the_spectral_vectors_and_training_does():
    network, image = discriminator(), paddle.rand([1, 3, 16, 16])
    key = next(key for key in network.state_dict() if key.endswith("weight_u"))
    network.eval()
    first, second = network(image)[0], network(image)[0]
    np.testing.assert_array_equal(first.numpy(), second.numpy())
    before = network.state_dict()[key].numpy().copy()
    network.train()
    network(image)
    assert not np.array_equal(network.state_dict()[key].numpy(), before)


def test_attention_is_a_switch():
    with_attention, without = generator(), generator(attention=False)
    added = with_attention.state_dict().keys() - without.state_dict().keys()
    assert any("f_conv" in key for key in added)
    assert not any("f_conv" in key for key in without.state_dict())
    assert not any("f_conv" in key for key in discriminator(attention=False).state_dict())
    assert any("k_conv.weight" in key for key in discriminator(norm="none").state_dict())


def test_deformable_blocks_start_as_plain_ones():
    plain, bent = generator(), generator(deformable=True)
    arrays = dict(plain.state_dict().items())
    bent.set_state_dict(arrays | {key: value for key, value in bent.state_dict().items() if key not in arrays})
    assert sum("offset" in key for key in bent.state_dict()) == 4
    image, style = paddle.rand([1, 3, 16, 16]), paddle.rand([1, 3, 1, 1])
    for network in (plain, bent):
        network.eval()
    results = [network.decode(network.enc_content(image), style) for network in (plain, bent)]
    np.testing.assert_allclose(results[0].numpy(), results[1].numpy(), atol=2e-5)
    results[1].sum().backward()
    gradients = [p.grad for key, p in bent.named_parameters() if "offset_weight" in key]
    assert len(gradients) == 2 and all(float(gradient.abs().max()) > 0 for gradient in gradients)


@pytest.mark.parametrize(("init", "wanted"), [("gaussian", 0.02), ("kaiming", (2 / 48) ** 0.5)])
def test_initial_spread_of_a_discriminator(init, wanted):
    weight = discriminator(dim=32, init=init).cnns[0][0].conv.weight.numpy()
    assert weight.std() == pytest.approx(wanted, rel=0.05)


def test_attention_needs_channels():
    with pytest.raises(ValueError, match="at least 8 channels"):
        DiscriminatorSettings(**DISCRIMINATOR | {"dim": 2})
