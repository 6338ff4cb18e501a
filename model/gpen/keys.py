"""GPEN in published files: how to recognise its networks and to read sizes from their shapes.

Source: the state_dicts of yangxy/GPEN face_model/gpen_model.py, and its channel table.
"""

from engine.weights.known import Network
from engine.weights.shapes import count, width
from model.shared.keys import channel_factors, discriminator

SMALL = {"size": 8, "style_dim": 4, "n_mlp": 1, "narrow": 1 / 128}


def decoder(arrays, prefix=""):
    """GPEN's decoder: size, style, mapping layers, factors, whether noise is concatenated."""
    levels, least = count(arrays, rf"{prefix}to_rgbs\.\d+\.bias"), width(arrays, f"{prefix}input.input", 1)
    observed = {4: least} | {8 << i: width(arrays, f"{prefix}convs.{2 * i}.conv.weight", 1) for i in range(levels)}
    return {
        "size": 4 << levels, "style_dim": width(arrays, f"{prefix}conv1.conv.modulation.weight", 1),
        "n_mlp": count(arrays, rf"{prefix}style\.\d+\.weight"), **channel_factors(observed),
        "is_concat": width(arrays, f"{prefix}to_rgb1.conv.weight", 2) == 2 * least,
    }  # fmt: skip


def generator(arrays):
    """GPEN's generator: its decoder's sizes and, where the encoder is of another, `in_size`."""
    sizes, in_size = decoder(arrays, "generator."), 2 << count(arrays, r"ecd\d+\.0\.\d\.weight")
    return sizes | ({"in_size": in_size} if in_size != sizes["size"] else {})


NETWORKS = (
    Network(
        "gpen_generator", "GPEN generator", "model.gpen.network.GPENGenerator",
        ("ecd0.0.0.weight", "generator.input.input", "final_linear.0.weight"), generator, SMALL,
    ),
    Network(
        "gpen_discriminator", "StyleGAN2 discriminator as of GPEN and rosinality",
        "model.gpen.network.GPENDiscriminator",
        ("convs.0.0.weight", "convs.1.conv1.0.weight", "final_conv.0.weight"), discriminator,
        {"size": 8, "narrow": 1 / 128},
    ),
    Network(
        "gpen_decoder", "GPEN's StyleGAN2 decoder, without an encoder", "model.gpen.network.StyleGAN2Decoder",
        ("input.input", "conv1.conv.weight", "to_rgb1.conv.weight"), decoder, SMALL, absent=("noises.noise_0",),
    ),
)  # fmt: skip
