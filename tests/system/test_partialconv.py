"""One training step of PartialConv: every weight counts, who moves, which pixels are kept, what is exported."""

import logging

import numpy as np
import paddle
import pytest

import loss.inpainting
from engine.errors import InputError
from engine.images import to_signed
from engine.run_config import OptimizerConfig
from engine.training.updater import Updater
from engine.weights.files import read_weights, write_weights
from engine.weights.networks import load_networks
from model.backbones.vgg import VGG, imagenet_normalised, imagenet_restored
from model.partialconv.network import PartialConvUNet
from model.partialconv.settings import UNetSettings
from system.partialconv import PartialConv

WEIGHTS = {"valid": 1.0, "hole": 6.0, "perceptual": 0.0, "style": 0.0, "tv": 0.1}
NETWORK = {"kind": "partialconv", "size": 16, "layers": 2, "width": 4}
MARURU = {"kind": "maruru", "size": 32, "layers": 3, "width": 4, "blocks": 1}


def partialconv(network=NETWORK, **changes):
    recipe = {f"{name}_weight": value for name, value in WEIGHTS.items()} | {"space": "signed", "tv": "hole"} | changes
    paddle.seed(3)
    with paddle.utils.unique_name.guard():
        it = PartialConv(PartialConv.Config(network=network, **recipe))
        it.prepare_training()
    return it


def pictures(seed=0, size=16):
    rng = np.random.default_rng(seed)
    mask = np.zeros([2, 1, size, size], np.float32)
    mask[0, :, 2:9, 3:12], mask[1, :, 6:, :5] = 1, 1
    return {
        "image": paddle.to_tensor(rng.random([2, 3, size, size], np.float32)),
        "mask": paddle.to_tensor(mask),
        "name": ["one", "two"],
    }


def updater(it, lr=1e-3):
    adam = OptimizerConfig(kind="adam", lr=lr, beta1=0.5, beta2=0.999, epsilon=1e-8)
    return Updater(dict.fromkeys(it.trainable, adam), it.trainable)


def vgg_file(folder):
    """Random VGG-16 weights in the form of a file, deeper than they are used."""
    paddle.seed(0)
    write_weights(folder / "vgg.pdparams", {k: v.numpy() for k, v in VGG(16, ["conv4_1"]).state_dict().items()})
    return folder / "vgg.pdparams"


def values(it):
    return {name: [p.numpy().copy() for p in parameters] for name, parameters in it.trainable.items()}


def moved(before, after):
    return {
        name for name in before if any(not np.array_equal(a, b) for a, b in zip(before[name], after[name], strict=True))
    }


def test_loss_is_the_weighted_sum_of_what_is_logged():
    it = partialconv()
    log = it.train_step(pictures(), 0, updater(it))
    assert set(log) == {"generator/loss", "generator/hole", "generator/valid", "generator/tv"}
    total = sum(WEIGHTS[name.partition("/")[2]] * float(value) for name, value in log.items() if name[-5:] != "/loss")
    assert float(log["generator/loss"]) == pytest.approx(total, rel=1e-6)


def test_training_shows_the_network_the_known_pixels():
    """Source: the paper's mask says what is valid; a batch's mask says what is hole."""
    it, batch = partialconv(), pictures()
    image, mask = to_signed(batch["image"]), batch["mask"]
    with paddle.no_grad():
        wanted = it.terms(it.generator(image, 1 - mask)[0], image, mask)
    found = it.train_step(batch, 0, updater(it))
    for name, value in wanted.items():
        assert float(found[f"generator/{name}"]) == pytest.approx(float(value), rel=1e-5)


def test_terms_are_taken_where_they_belong():
    """A picture wrong in the hole alone has no valid loss, and the reverse; smoothness sees the composite."""
    it, batch = partialconv(), pictures()
    image, mask = to_signed(batch["image"]), batch["mask"]
    found = it.terms(image + mask, image, mask)
    assert float(found["valid"]) == 0 and float(found["hole"]) == pytest.approx(float(mask.mean()), rel=1e-5)
    other = it.terms(image + 1 - mask, image, mask)
    assert float(other["hole"]) == 0 and float(other["valid"]) == pytest.approx(1 - float(mask.mean()), rel=1e-5)
    assert float(other["tv"]) == pytest.approx(float(loss.inpainting.hole_total_variation(image, mask)), rel=1e-5)
    full = partialconv(tv="full").terms(image, image, mask)["tv"]
    assert float(full) == pytest.approx(float(loss.inpainting.total_variation(image)), rel=1e-5)


@pytest.mark.parametrize("space", ["unit", "signed", "imagenet"])
def test_space_of_network_and_losses(space, tmp_path):
    """The same pictures: L1 scales with the space, VGG-16 gets the same input from each."""
    it, batch = partialconv(space=space, vgg=vgg_file(tmp_path), style_weight=1.0), pictures()
    image, mask = batch["image"], batch["mask"]
    shifted = (image * 0.5 + 0.1).clip(0, 1)
    found = it.terms(it.to_space(shifted), it.to_space(image), mask)
    unit = (mask * (shifted - image)).abs().mean([0, 2, 3]).numpy()
    factor = {"unit": [1, 1, 1], "signed": [2, 2, 2], "imagenet": [1 / 0.229, 1 / 0.224, 1 / 0.225]}[space]
    assert float(found["hole"]) == pytest.approx(float(np.mean(unit * factor)), rel=1e-4)
    pair = [imagenet_normalised(x) for x in (shifted, shifted * mask + image * (1 - mask), image)]
    assert float(found["style"]) == pytest.approx(float(it.vgg(*pair)["style"]), rel=1e-3)
    np.testing.assert_allclose(it.from_space(it.to_space(image)).numpy(), image.numpy(), atol=1e-6)


def test_imagenet_restored_is_the_inverse():
    image = paddle.rand([1, 3, 4, 4])
    np.testing.assert_allclose(imagenet_restored(imagenet_normalised(image)).numpy(), image.numpy(), atol=1e-6)


def test_vgg_terms_have_weights(tmp_path):
    it = partialconv(vgg=vgg_file(tmp_path), perceptual_weight=0.05, style_weight=120.0)
    log = it.train_step(pictures(), 0, updater(it))
    names = WEIGHTS | {"perceptual": 0.05, "style": 120.0}
    total = sum(weight * float(log[f"generator/{name}"]) for name, weight in names.items())
    assert float(log["generator/loss"]) == pytest.approx(total, rel=1e-5) and it.log_header == {"vgg": "on"}


def test_missing_vgg_stops_or_is_left_out_loudly(tmp_path, caplog):
    with pytest.raises(InputError, match="vgg.pdparams: missing.*recipe.style_weight: 0"):
        partialconv(vgg=tmp_path / "vgg.pdparams", style_weight=120.0)
    logging.getLogger("kintsugi").propagate = True
    it = partialconv(vgg=tmp_path / "vgg.pdparams", style_weight=120.0, when_missing="skip")
    assert it.log_header == {"vgg": "off"} and "without the vgg loss" in caplog.text


def test_vgg_file_is_loaded_and_another_one_is_an_error(tmp_path):
    path = vgg_file(tmp_path)
    loaded = partialconv(vgg=path, style_weight=1.0).vgg.network.state_dict()["features.14.weight"]
    np.testing.assert_array_equal(loaded.numpy(), read_weights(path)["features.14.weight"])
    write_weights(path, {"features.0.weight": np.zeros([64, 3, 3, 3], np.float32)})
    with pytest.raises(InputError, match="vgg.pdparams: weights of another network: features.0.bias is missing"):
        partialconv(vgg=path, style_weight=1.0)


def test_step_moves_the_network_and_lowers_the_loss():
    it = partialconv()
    update, before = updater(it, lr=5e-3), values(it)
    losses = [float(it.train_step(pictures(), step, update)["generator/loss"]) for step in range(25)]
    assert moved(before, values(it)) == {"generator"}
    assert losses[-1] < 0.6 * losses[0]


def test_second_stage_leaves_the_encoders_norms_alone():
    it = partialconv(network=NETWORK | {"frozen_norm": "all"})
    norms = [p for name, p in it.generator.named_parameters() if name.startswith("enc_2.bn.")]
    assert len(norms) == 4 and not any(p is q for p in norms for q in it.trainable["generator"])
    before = [p.numpy().copy() for p in norms]
    update = updater(it)
    it.train_step(pictures(), 0, update)
    assert all(np.array_equal(a, p.numpy()) for a, p in zip(before, norms, strict=True))


@pytest.mark.parametrize("network", [NETWORK | {"size": 32, "layers": 3}, MARURU], ids=["partialconv", "maruru"])
def test_critics_step_first_and_the_network_answers(network):
    it = partialconv(network=network, adversarial_weight=0.2, critic_width=4, local_size=32)
    assert set(it.networks) == {"generator", "global_critic", "local_critic"}
    calls, update = [], updater(it)

    def recorded(name, value):
        before = values(it)
        update(name, value)
        calls.append((name, moved(before, values(it))))

    log = it.train_step(pictures(size=32), 0, recorded)
    assert calls == [("critics", {"critics"}), ("generator", {"generator"})]
    total = sum(
        (WEIGHTS | {"adversarial": 0.2})[name] * float(log[f"generator/{name}"])
        for name in ("hole", "valid", "tv", "adversarial")
    )
    assert float(log["generator/loss"]) == pytest.approx(total, rel=1e-5)
    assert all(np.isfinite(float(value)) for value in log.values())


def test_both_critics_count_and_the_local_one_sees_the_window():
    it = partialconv(network=MARURU, adversarial_weight=0.2, critic_width=4, local_size=32)
    seen = {}
    for name in it.critics:
        it.critics[name] = lambda x, name=name: seen.setdefault(name, []).append(x) or x.mean([1, 2, 3])
    real, fake = paddle.rand([2, 3, 64, 64]), paddle.rand([2, 3, 64, 64])
    window = it.random_window(real)
    it.adversarial(lambda a, b: (a - b).sum(), real, fake, window)
    assert [x.shape for x in seen["local_critic"]] == [[2, 3, 32, 32]] * 2
    np.testing.assert_array_equal(seen["local_critic"][1].numpy(), fake[window].numpy())
    np.testing.assert_array_equal(seen["global_critic"][0].numpy(), real.numpy())
    paddle.seed(1)
    windows = {str(it.random_window(real)) for _ in range(8)}
    assert len(windows) > 4


def test_maruru_needs_its_space():
    with pytest.raises(ValueError, match="space is unit; the network maruru writes"):
        partialconv(network=MARURU, space="unit")


def test_known_pixels_come_back_as_they_were():
    it, batch = partialconv(), pictures()
    it.generator.eval()
    found = it.generate(batch, it.networks)
    known = (1 - batch["mask"]).expand([2, 3, 16, 16]).astype(bool)
    np.testing.assert_array_equal(found["composite"][known].numpy(), batch["image"][known].numpy())
    np.testing.assert_array_equal(found["composite"][~known].numpy(), found["output"][~known].numpy())
    assert float(found["masked"][~known].min()) == 1
    np.testing.assert_array_equal(found["masked"][known].numpy(), batch["image"][known].numpy())
    assert 0 <= float(found["output"].min()) and float(found["output"].max()) <= 1
    assert set(it.scored) <= set(found) and set(it.shown) <= set(found | batch)


def test_exported_layer_takes_any_size_and_grey_masks():
    it, batch = partialconv(), pictures()
    it.generator.eval()
    exported = it.inference(it.networks)[""]
    assert [port.name for port in exported.inputs] == ["image", "mask"]
    wanted = it.generate(batch, it.networks)["composite"].numpy()
    for form, close in ((exported.reference, 0), (exported.built(), 1e-5)):
        for mask in (batch["mask"], batch["mask"] * 0.4 + 0.2):
            np.testing.assert_allclose(form(batch["image"], mask).numpy(), wanted, rtol=0, atol=close)
        odd = form(batch["image"][:, :, :13, :10], batch["mask"][:, :, :13, :10])
        assert odd.shape == [2, 3, 13, 10]


@pytest.mark.parametrize(
    "settings",
    [{"bias": "all"}, {"scale": "window"}, {"skips": "raw", "bottleneck_fill": "mean", "bias": "unnormalised"}],
)
def test_exported_decoder_joins_doubling_and_convolution(settings):
    it, batch = partialconv(network=NETWORK | settings), pictures()
    for parameter in it.generator.parameters():
        parameter.set_value(parameter + 0.1 * paddle.randn(parameter.shape))
    it.generator.eval()
    exported = it.inference(it.networks)[""]
    wanted = exported.reference(batch["image"], batch["mask"]).numpy()
    assert wanted.std() > 0.1
    np.testing.assert_allclose(exported.built()(batch["image"], batch["mask"]).numpy(), wanted, rtol=0, atol=1e-5)


def test_plain_weights_load_into_a_network_with_residual_branch(tmp_path):
    plain = partialconv()
    write_weights(
        tmp_path / "latest.pdparams",
        {f"generator/{key}": tensor.numpy() for key, tensor in plain.generator.state_dict().items()},
    )
    it = partialconv(network=NETWORK | {"encoder_residual": "gamma"})
    assert load_networks(it, tmp_path / "latest.pdparams") == ["generator"]
    it.generator.eval(), plain.generator.eval()
    for batch in (pictures(), pictures(1)):
        found, wanted = (one.generate(batch, one.networks)["output"].numpy() for one in (it, plain))
        np.testing.assert_array_equal(found, wanted)


def test_a_published_checkpoint_loads_through_the_system(tmp_path):
    """naoto0804's form: as much as it changes is converted on the way in."""
    paddle.seed(9)
    source, it = PartialConvUNet(UNetSettings(**NETWORK)), partialconv()
    arrays = {}
    for key, tensor in source.state_dict().items():
        array = tensor.numpy() * (np.prod(tensor.shape[1:]) if key.endswith("conv.weight") else 1)
        key = key.replace(".conv.", ".conv.input_conv.").replace("_mean", "running_mean")
        arrays[f"model/{key.replace('_variance', 'running_var')}"] = array.astype(np.float32)
    write_weights(tmp_path / "1000000.pth", arrays)
    load_networks(it, tmp_path / "1000000.pth")
    source.eval(), it.generator.eval()
    image, valid = to_signed(pictures()["image"]), 1 - pictures()["mask"]
    np.testing.assert_allclose(it.generator(image, valid)[0].numpy(), source(image, valid)[0].numpy(), atol=1e-4)
