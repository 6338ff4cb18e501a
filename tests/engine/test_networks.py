"""Weights of any wrapping into a system's networks: which network gets what, and what is said where nothing fits."""

from pathlib import Path

import numpy as np
import paddle
import pytest

from engine.errors import InputError
from engine.system import System
from engine.weights import files as weights
from engine.weights.networks import load_networks, trained_networks
from engine.weights.official_keys import to_official
from model.satnet.network import AdaINGenerator
from model.satnet.settings import GeneratorSettings
from system.gpen import GPEN

RECIPE = {
    "size": 8, "channel_multiplier": 1, "narrow": 1 / 32, "style_dim": 8, "mapping_layers": 1, "adversarial_weight": 1,
    "pixel_weight": 1, "pixel_beta": 1, "feature_weight": 0, "identity_weight": 0, "r1_gamma": 10, "r1_every": 16,
    "path_weight": 2, "path_every": 4, "path_decay": 0.01,
}  # fmt: skip


class Pair(System):
    """Two networks of different keys, the first averaged."""

    averaged = ("generator",)

    def __init__(self):
        self.networks = {"generator": paddle.nn.Linear(2, 3), "critic": paddle.nn.Sequential(paddle.nn.Linear(3, 1))}


@pytest.fixture
def pair():
    paddle.seed(5)
    return Pair()


@pytest.fixture
def gpen():
    paddle.seed(5)
    it = GPEN(GPEN.Config(**RECIPE))
    it.prepare_training()
    return it


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def arrays(network, shift=0.0):
    return {key: value.numpy() + np.float32(shift) for key, value in network.state_dict().items()}


def test_flat_file_goes_to_the_network_it_fits(pair):
    weights.write_weights("g.pdparams", arrays(pair.networks["generator"], 1))
    weights.write_weights("c.pdparams", arrays(pair.networks["critic"], 1))
    before = arrays(pair.networks["critic"])
    assert load_networks(pair, Path("g.pdparams")) == ["generator"]
    np.testing.assert_array_equal(arrays(pair.networks["critic"])["0.weight"], before["0.weight"])
    assert load_networks(pair, Path("c.pdparams")) == ["critic"]
    np.testing.assert_array_equal(arrays(pair.networks["critic"])["0.weight"], before["0.weight"] + 1)


def test_file_of_several_networks(pair):
    before = {name: arrays(network) for name, network in pair.networks.items()}
    both = {f"{name}/{key}": value + 1 for name in before for key, value in before[name].items()}
    weights.write_weights("latest.pdparams", both)
    assert load_networks(pair, Path("latest.pdparams")) == ["generator", "critic"]
    for name, network in pair.networks.items():
        for key, value in arrays(network).items():
            np.testing.assert_array_equal(value, before[name][key] + 1)


def test_trained_networks_are_strict_and_in_evaluation_mode(pair):
    weights.write_weights("critic.pdparams", {f"critic/{k}": v for k, v in arrays(pair.networks["critic"]).items()})
    with pytest.raises(InputError, match="critic.pdparams: no network 'generator'"):
        trained_networks(pair, Path("critic.pdparams"), "configs/x.yaml")
    weights.write_weights("g.pdparams", arrays(pair.networks["generator"]))
    found = trained_networks(pair, Path("g.pdparams"), "configs/x.yaml")
    assert found is pair.networks and not any(network.training for network in found.values())


def test_random_weights_never_pass_for_trained_ones(pair):
    expected = "expected a file of trained weights; python tools/fetch_weights.py lists some$"
    with pytest.raises(InputError, match=f"--pretrained: no weights given; {expected}"):
        trained_networks(pair, None, "configs/x.yaml")
    weights.write_weights("weights/lite/x.pdparams", {})
    with pytest.raises(InputError, match="for example weights/lite/x.pdparams"):
        trained_networks(pair, None, "configs/x.yaml")


def test_a_file_that_fits_nothing_names_the_keys(pair):
    weights.write_weights("other.pdparams", {"weight": np.zeros((2, 4), np.float32), "bias": np.zeros(4, np.float32)})
    with pytest.raises(
        InputError,
        match=r"other.pdparams \(generator\): weights of another size: "
        r"weight is \[2, 4\] in the file, \[2, 3\] in the network",
    ):
        load_networks(pair, Path("other.pdparams"))


def test_official_training_checkpoint_gives_the_averaged_generator(gpen):
    it = gpen
    file = {}
    for entry, network, shift in (("g", "generator", 1), ("g_ema", "generator", 2), ("d", "discriminator", 3)):
        file |= {f"{entry}/{key}": value for key, value in arrays(it.networks[network], shift).items()}
    weights.write_weights("official.pdparams", file)
    key = next(iter(it.generator.state_dict()))
    before = arrays(it.generator)[key], arrays(it.discriminator)
    assert load_networks(it, Path("official.pdparams")) == ["generator", "discriminator"]
    np.testing.assert_array_equal(arrays(it.generator)[key], before[0] + 2)
    for name, value in arrays(it.discriminator).items():
        np.testing.assert_array_equal(value, before[1][name] + 3)


WRAPPED = {  # how a file keeps the generator; the averaged copy's values are 2 larger, the other's 1
    "module": lambda one, _: {f"module.{key}": value for key, value in one.items()},
    "state_dict": lambda one, _: {f"state_dict/{key}": value for key, value in one.items()},
    "model": lambda one, _: {f"model/{key}": value for key, value in one.items()},
    "net_g": lambda one, _: {f"net_g/{key}": value for key, value in one.items()},
    "generator": lambda one, _: {f"generator/{key}": value for key, value in one.items()},
    "generator_ema": lambda one, ema: (
        {f"generator/{key}": value for key, value in one.items()}
        | {f"generator_ema/{key}": value for key, value in ema.items()}
    ),
    "any name": lambda one, _: {f"weights of 2020/{key}": value for key, value in one.items()},
    "params": lambda one, ema: (
        {f"params/{k}": v for k, v in one.items()} | {f"params_ema/{k}": v for k, v in ema.items()}
    ),
    "module in params": lambda one, ema: (
        {f"params/module.{key}": value for key, value in one.items()}
        | {f"params_ema/module.{key}": value for key, value in ema.items()}
    ),
    "net_g_ema": lambda one, ema: (
        {f"net_g/{k}": v for k, v in one.items()} | {f"net_g_ema/{k}": v for k, v in ema.items()}
    ),
    "ema first": lambda one, ema: {f"ema/{k}": v for k, v in ema.items()} | {f"model/{k}": v for k, v in one.items()},
    "average_model": lambda one, ema: (
        {f"model.{k}": v for k, v in one.items()} | {f"average_model.module.{k}": v for k, v in ema.items()}
    ),
    "swa_model": lambda one, ema: (
        {f"model/{k}": v for k, v in one.items()} | {f"swa_model/module.{k}": v for k, v in ema.items()}
    ),
    "lightning": lambda one, ema: (
        {f"state_dict/generator.{key}": value for key, value in one.items()}
        | {f"state_dict/ema_generator.{key}": value for key, value in ema.items()}
    ),
    "lightning model": lambda one, _: {f"state_dict/model.{key}": value for key, value in one.items()},
    "lightning net_g": lambda one, _: {f"state_dict/model.net_g.{key}": value for key, value in one.items()},
    "deep": lambda one, _: {f"a/b/state_dict/module.model.net.{key}": value for key, value in one.items()},
}


@pytest.mark.parametrize("form", ["torch", "paddle"])
@pytest.mark.parametrize("name", WRAPPED)
def test_wrappers_come_off_and_the_averaged_copy_is_taken(gpen, name, form, caplog):
    one, ema = arrays(gpen.generator, 1), arrays(gpen.generator, 2)
    content = WRAPPED[name](one, ema) | {"epoch/count": np.array(7), "loss/vgg.0.weight": np.zeros((3, 3), "f4")}
    (weights.write_torch if form == "torch" else weights.write_weights)("W.pth", content)
    with caplog.at_level("INFO", logger="kintsugi"):
        trained_networks(gpen, Path("W.pth"), "configs/gpen_256.yaml")
    is_averaged = any("ema" in key or key.startswith(("average_", "swa_")) for key in content)
    for key, value in arrays(gpen.generator).items():
        np.testing.assert_array_equal(value, (ema if is_averaged else one)[key], err_msg=key)
    assert (", the averaged copy" in caplog.text) == is_averaged
    assert "generator from [" in caplog.text or name == "generator"


@pytest.mark.parametrize("name", WRAPPED)
def test_a_wrapped_file_is_strict(gpen, name):
    key, other = "generator.conv1.bias", "generator.conv1.noise.weight"
    whole = arrays(gpen.generator)
    key = next(key for key in whole if key.endswith("bias"))
    for change, line in (
        ({key: None}, rf"{key} is missing in the file"), ({key: np.zeros(99, "f4")}, rf"{key} is \[99\] in the file"),
        ({"stranger": np.zeros(2, "f4")}, r"stranger is \[2\] in the file, missing in the network"),
    ):  # fmt: skip
        changed = {k: value for k, value in (whole | change).items() if value is not None}
        before = arrays(gpen.generator)
        weights.write_torch("W.pth", WRAPPED[name](changed, changed))
        with pytest.raises(InputError, match=rf"W.pth \(generator\): weights of another \w+: {line}"):
            load_networks(gpen, "W.pth", ("generator",))
        np.testing.assert_array_equal(arrays(gpen.generator)[other[:0] + key], before[key])


def test_an_averaged_copy_that_does_not_fit_is_not_passed_over(gpen):
    whole = arrays(gpen.generator)
    damaged = dict(list(whole.items())[1:])
    weights.write_torch(
        "W.pth", {f"params/{k}": v for k, v in whole.items()} | {f"params_ema/{k}": v for k, v in damaged.items()}
    )
    with pytest.raises(InputError, match="is missing in the file"):
        load_networks(gpen, "W.pth")


def test_networks_of_a_lightning_file_find_their_places(gpen):
    parts = {"generator": arrays(gpen.generator, 1), "discriminator": arrays(gpen.discriminator, 3)}
    content = {f"state_dict/net.{name}.{key}": v for name, part in parts.items() for key, v in part.items()}
    weights.write_torch("W.ckpt", content | {"state_dict/perceptual.features.0.weight": np.zeros((4, 3), "f4")})
    assert load_networks(gpen, "W.ckpt") == ["generator", "discriminator"]
    for name, part in parts.items():
        for key, value in arrays(gpen.networks[name]).items():
            np.testing.assert_array_equal(value, part[key])


def test_square_linear_layers_are_read_as_their_file_writes_them():
    """Only the format tells [in, out] from [out, in] where both fit."""

    class Square(System):
        def __init__(self):
            self.networks = {"generator": paddle.nn.Linear(3, 3)}

    values = {"weight": np.arange(9, dtype="f4").reshape(3, 3), "bias": np.zeros(3, "f4")}
    for write, turned in ((weights.write_weights, False), (weights.write_torch, True), (weights.write_arrays, True)):
        it = Square()
        write("W.bin", values)
        load_networks(it, "W.bin")
        found = it.networks["generator"].weight.numpy()
        np.testing.assert_array_equal(found, values["weight"].T if turned else values["weight"])


def test_another_size_says_which(gpen):
    other = GPEN(GPEN.Config(**RECIPE | {"size": 16, "style_dim": 4}))
    weights.write_torch("W.pth", {f"module.{key}": value for key, value in arrays(other.generator).items()})
    with pytest.raises(InputError) as caught:
        load_networks(gpen, "W.pth", ("generator",))
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(
        "; the file's is GPEN generator (size 16, style_dim 4, n_mlp 1, channel_multiplier 2, narrow 0.03125, "
        "is_concat True)"
    )


def test_what_is_not_recognised_is_named_with_the_closest_network(gpen, pair):
    strange = {"body.0.rdb1.conv1.weight": np.zeros((4, 4, 3, 3), "f4"), "conv_first.bias": np.zeros(4, "f4")}
    weights.write_torch("W.pth", {f"params_ema/{key}": value for key, value in strange.items()})
    for load in (
        lambda: load_networks(gpen, "W.pth"),
        lambda: trained_networks(gpen, "W.pth", "configs/gpen_256.yaml"),
    ):
        with pytest.raises(InputError) as caught:
            load()
        line = str(caught.value)
        assert "W.pth: " in line and "params_ema/body.0.rdb1.conv1.weight [4, 4, 3, 3]" in line and "\n" not in line
        assert "; the closest known network is " in line
    part = {key: value for key, value in arrays(gpen.discriminator).items() if key != "convs.0.0.weight"}
    weights.write_torch("W.pth", {f"state_dict/module.{key}": value for key, value in part.items()})
    with pytest.raises(
        InputError, match=r"closest known network is StyleGAN2 discriminator as of GPEN .*, 9\d% of the"
    ):
        load_networks(pair, "W.pth")


def test_another_known_network_is_named(gpen):
    settings = GeneratorSettings(dim=4, mlp_dim=8, style_dim=8, n_downsample=2, n_res=1, attention=False)
    content = arrays(AdaINGenerator(settings))
    weights.write_torch("W.pt", {f"{domain}/{key}": value for domain in "ab" for key, value in content.items()})
    with pytest.raises(InputError, match="; it holds MUNIT generator at a, MUNIT generator at b$"):
        load_networks(gpen, "W.pt")


def test_official_layout_of_linear_and_norm_behind_wrappers(pair):
    class Normed(System):
        def __init__(self):
            layers = [paddle.nn.Conv2D(3, 4, 1), paddle.nn.BatchNorm2D(4), paddle.nn.Linear(4, 5), paddle.nn.PReLU(2)]
            self.networks = {"net": paddle.nn.Sequential(*layers)}

    source, it = Normed(), Normed()
    for tensor in source.networks["net"].state_dict().values():
        tensor.set_value(paddle.rand(tensor.shape))
    official = to_official(source.networks["net"], arrays(source.networks["net"]))
    weights.write_torch("W.pth", {f"state_dict/module.{key}": value for key, value in official.items()})
    assert load_networks(it, "W.pth") == ["net"]
    for key, value in arrays(it.networks["net"]).items():
        np.testing.assert_array_equal(value, arrays(source.networks["net"])[key])


def test_a_critic_beside_is_no_generator(gpen):
    """A system may have its generator alone; averaged copies of other networks do not stand in its way."""
    content = {f"d_ema/{key}": value for key, value in arrays(gpen.discriminator).items()}
    content |= {f"g/{key}": value for key, value in arrays(gpen.generator, 1).items()}
    wanted = arrays(gpen.generator, 1)
    weights.write_torch("W.pth", content)
    gpen.networks = {"generator": gpen.generator}
    assert load_networks(gpen, "W.pth", ("generator",)) == ["generator"]
    for key, value in arrays(gpen.generator).items():
        np.testing.assert_array_equal(value, wanted[key])
