"""Our values for the golden families of MUNIT's and SATNet's networks, losses and gradients included.

SATNet's code overwrites the vectors u and v of a spectral norm in place, so a backward that follows several forwards
differentiates sigma with the vectors of the last one, while sigma's value has its own. Ours keeps each forward's
vectors. To compare the gradients, `as_overwritten` differentiates as that code does.
"""

import re
from contextlib import contextmanager
from unittest import mock

import paddle

from loss.adversarial import discriminator_loss, generator_loss
from model.satnet.blocks import SpectralConv2D
from model.satnet.keys import STATISTICS
from model.satnet.network import AdaINGenerator, MultiScaleDiscriminator
from model.satnet.settings import DiscriminatorSettings, GeneratorSettings
from tests.parity.stylegan2 import gradients, loaded, tensors


def used(weights):
    """Without the running statistics, which nothing reads."""
    return {key: array for key, array in weights.items() if not re.fullmatch(STATISTICS, key)}


def _settings(kind, section, attention):
    values = {key: section[key] for key in section if key != "gan_type"}
    if kind is DiscriminatorSettings:
        values["init"] = "gaussian"
    return kind(**values, attention=attention)


def spectral_vectors(network):
    """{key: array} of u and v of every spectral convolution."""
    kept = network.state_dict().items()
    return {key: value.numpy().copy() for key, value in kept if key.endswith(("weight_u", "weight_v"))}


@contextmanager
def as_overwritten(network, forwards):
    """Inside, sigma's gradient is that of the vectors which `forwards()` leaves; the network starts where it was."""
    before = spectral_vectors(network)
    with paddle.no_grad():
        forwards()
    last = {
        id(layer): (layer.module.weight_u.clone(), layer.module.weight_v.clone())
        for layer in network.sublayers()
        if isinstance(layer, SpectralConv2D)
    }
    for key, tensor in network.state_dict().items():
        if key in before:
            tensor.set_value(before[key])
    original = SpectralConv2D.normalized_weight

    def normalized_weight(layer):
        weight, (u, v) = layer.module.weight_bar, last[id(layer)]
        with paddle.no_grad():
            sigma = (weight / original(layer)).mean()
        slope = (u * (weight.reshape([weight.shape[0], -1]) @ v)).sum()
        return weight / (sigma + slope - slope.detach())

    with mock.patch.object(SpectralConv2D, "normalized_weight", normalized_weight):
        yield


def generator_values(attention):
    """The function for a generator's case: content, style, reconstruction, a decode with another style, gradients."""

    def values(config, inputs, weights):
        network = AdaINGenerator(_settings(GeneratorSettings, config["gen"], attention))
        network, given = loaded(network, used(weights)), tensors(inputs)
        network.train()  # the reference iterates its spectral norms in every forward

        def forwards():
            content, style = network.encode(given["x"])
            return content, style, network.decode(content, style), network.decode(content, given["style"])

        with as_overwritten(network, forwards):
            content, style, image, other = forwards()
            found = {"out:content": content, "out:style": style, "out:recon": image, "out:decode_given_style": other}
            found = {key: value.numpy() for key, value in found.items()}
            found |= {f"out:post_uv:{key}": value for key, value in spectral_vectors(network).items()}
            return found | gradients(network, (image * given["r"]).sum(), "grad")

    return values


def discriminator_values(attention):
    """The function for a discriminator's case: logits, the losses of both players, the first one's gradients."""

    def values(config, inputs, weights):
        section, kind = config["dis"], config["dis"]["gan_type"]
        network = MultiScaleDiscriminator(_settings(DiscriminatorSettings, section, attention))
        network, given = loaded(network, used(weights)), tensors(inputs)
        network.train()

        def forwards():
            first, fake = network(given["fake"]), network(given["fake"])  # every forward moves u and v
            return first, discriminator_loss(kind, network(given["real"]), fake)

        with as_overwritten(network, forwards):
            logits, loss = forwards()
            found = {f"out:fake_scale{i}": scale.numpy() for i, scale in enumerate(logits)}
            found |= {"out:dis_loss_2nd_call": loss.numpy()} | gradients(network, loss, "grad")
            found["out:gen_loss_3rd_call"] = generator_loss(kind, network(given["fake"])).numpy()
            return found | {f"out:post_uv:{key}": value for key, value in spectral_vectors(network).items()}

    return values


CASES = {
    "munit_adaingen": generator_values(attention=False),
    "munit_msimagedis": discriminator_values(attention=False),
    "satnet_adaingen": generator_values(attention=True),
    "satnet_msimagedis": discriminator_values(attention=True),
}
