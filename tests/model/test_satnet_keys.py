"""Released checkpoints, made here key by key from the lists of the spec, load into our networks."""

import numpy as np
import pytest

from engine.errors import InputError
from engine.weights.networks import find, load_layers
from model.satnet.network import AdaINGenerator, MultiScaleDiscriminator
from model.satnet.settings import DiscriminatorSettings, GeneratorSettings

STYLE = [f"enc_style.model.{i}.conv" for i in range(5)] + ["enc_style.model.6"]
SEED_CONTENT = (
    [f"enc_content.model.{i}.conv" for i in range(3)]
    + [f"enc_content.model.3.model.{i}.model.{j}.conv" for i in range(4) for j in range(2)]
    + [f"enc_content.model.5.model.{j}.conv" for j in range(2)]
)
SEED_DECODER = [f"dec.model.0.model.{i}.model.{j}" for i in range(4) for j in range(2)] + [
    f"dec.model.2.model.{j}" for j in range(2)
]
MLP = [f"mlp.model.{i}.fc" for i in range(3)]
SPECTRAL = ("bias", "weight_u", "weight_v", "weight_bar")


def pairs(names):
    return [f"{name}.{kind}" for name in names for kind in ("weight", "bias")]


def attention(name):
    return [f"{name}.gamma"] + [f"{name}.{conv}_conv.module.{kind}" for conv in "fgk" for kind in SPECTRAL]


def seed_generator_keys():
    decoder = pairs([f"{name}.conv" for name in SEED_DECODER])
    statistics = [f"{name}.norm.{kind}" for name in SEED_DECODER for kind in ("running_mean", "running_var")]
    ups = pairs(["dec.model.4.conv", "dec.model.6.conv", "dec.model.7.conv"])
    norms = [f"dec.model.{i}.norm.{kind}" for i in (4, 6) for kind in ("gamma", "beta")]
    return (
        pairs(STYLE + SEED_CONTENT + MLP)
        + attention("enc_content.model.4")
        + attention("dec.model.1")
        + decoder
        + statistics
        + ups
        + norms
    )


def munit_generator_keys():
    content = [f"enc_content.model.{i}.conv" for i in range(3)] + [
        f"enc_content.model.3.model.{i}.model.{j}.conv" for i in range(4) for j in range(2)
    ]
    blocks = [f"dec.model.0.model.{i}.model.{j}" for i in range(4) for j in range(2)]
    statistics = [f"{name}.norm.{kind}" for name in blocks for kind in ("running_mean", "running_var")]
    convs = [f"{name}.conv" for name in blocks] + [f"dec.model.{i}.conv" for i in (2, 4, 5)]
    norms = [f"dec.model.{i}.norm.{kind}" for i in (2, 4) for kind in ("gamma", "beta")]
    return pairs(STYLE + content + MLP + convs) + statistics + norms


def seed_discriminator_keys():
    found = []
    for scale in range(3):
        name = f"cnns.{scale}"
        found += pairs([f"{name}.0.conv", f"{name}.5"]) + attention(f"{name}.4")
        found += [f"{name}.{i}.conv.module.{kind}" for i in range(1, 4) for kind in SPECTRAL]
    return found


def munit_discriminator_keys():
    return pairs(
        [f"cnns.{scale}.{i}.conv" for scale in range(3) for i in range(4)] + [f"cnns.{scale}.4" for scale in range(3)]
    )


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("model.satnet.network.initialise", lambda *_: None)


def build(keys):
    is_seed = any("f_conv" in key for key in keys)
    if keys[0].startswith("cnns"):
        norm = "sn" if is_seed else "none"
        return MultiScaleDiscriminator(
            DiscriminatorSettings(dim=8, n_layer=4, num_scales=3, norm=norm, init="gaussian", attention=is_seed)
        )
    return AdaINGenerator(GeneratorSettings(dim=4, mlp_dim=8, style_dim=8, n_downsample=2, n_res=4, attention=is_seed))


@pytest.mark.parametrize(
    "keys",
    [seed_generator_keys(), munit_generator_keys(), seed_discriminator_keys(), munit_discriminator_keys()],
    ids=["seed", "munit", "seed dis", "munit dis"],
)
def test_released_keys_are_ours(keys):
    network = build(keys)
    tensors = network.state_dict()
    random = np.random.default_rng(0)
    released = {
        key: random.standard_normal(tensors[key].shape if key in tensors else [4]).astype(np.float32) for key in keys
    }
    load_layers({"network": network}, released, "generated")
    for key, tensor in network.state_dict().items():
        np.testing.assert_array_equal(tensor.numpy(), released[key])


def test_domains_of_a_released_file():
    """a is the caricature, b the photo; the keys tell generators from discriminators."""
    networks = {
        f"{domain}_{kind}": build(keys)
        for domain in ("photo", "caricature")
        for kind, keys in (("generator", seed_generator_keys()), ("discriminator", seed_discriminator_keys()))
    }
    blank = {name: {key: t.numpy() for key, t in network.state_dict().items()} for name, network in networks.items()}
    for kind, names in (("generator", "gen_"), ("discriminator", "dis_")):
        for a, b in (("a/", "b/"), (f"{names}a/", f"{names}b/"), (f"{names}a.", f"{names}b.")):
            arrays = {f"{b}{key}": array for key, array in blank[f"photo_{kind}"].items()}
            arrays |= {f"{a}{key}": array for key, array in blank[f"caricature_{kind}"].items()}
            found = {name: "".join(one.place) for name, one in find(networks, arrays, "file").items()}
            assert found == {f"photo_{kind}": b, f"caricature_{kind}": a}


def test_one_generator_is_not_given_to_a_domain_by_chance():
    networks = {f"{domain}_generator": build(seed_generator_keys()) for domain in ("photo", "caricature")}
    arrays = {key: tensor.numpy() for key, tensor in networks["photo_generator"].state_dict().items()}
    with pytest.raises(InputError, match="one network that may be photo_generator or caricature_generator; expected"):
        load_layers(networks, arrays, "file")
