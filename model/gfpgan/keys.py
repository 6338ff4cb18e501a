"""GFP-GAN in published files: three generators, of which two have the same keys, and the critic of a facial part.

Source: the state_dicts of TencentARC/GFPGAN archs/gfpganv1_arch.py, gfpganv1_clean_arch.py, gfpgan_bilinear_arch.py.
"""

from engine.errors import InputError
from engine.weights.known import Network
from engine.weights.shapes import width
from model.gfpgan import conversion
from model.shared import keys as stylegan2

ORIGINAL = ("conv_body_down.0.skip.1.weight", "condition_scale.0.0.weight", "stylegan_decoder.constant_input.weight")
CLEAN = ("conv_body_down.0.skip.weight", "condition_scale.0.0.weight", "stylegan_decoder.constant_input.weight")
SMALL = {"size": 8, "style_dim": 4, "n_mlp": 1, "channel_multiplier": 2, "narrow": 1 / 64}


def generator(arrays):
    """GFP-GAN in any form: its decoder's sizes, a code for every layer or one, half or all channels conditioned."""
    prefix = "stylegan_decoder."
    inner = {key.removeprefix(prefix): array for key, array in arrays.items() if key.startswith(prefix)}
    sizes = stylegan2.generator(inner)
    each_layer = width(arrays, "final_linear.bias") != sizes["style_dim"]
    half = width(arrays, "condition_scale.0.2.bias") == width(arrays, "condition_scale.0.0.bias")
    return sizes | ({} if each_layer else {"different_w": False}) | ({} if half else {"sft_half": False})


def in_form(wanted, convert):
    """Function that gives the arrays of a generator with the keys `wanted`: as they are, or by `convert`."""

    def renamed(arrays):
        try:
            return dict(arrays) if wanted[0] in arrays else convert(arrays)
        except KeyError as error:
            raise InputError(str(error.args[0])) from None

    return renamed


NETWORKS = (
    Network(
        "gfpgan_v1", "GFP-GAN generator, version 1 or bilinear", "model.gfpgan.network.GFPGANOriginal", ORIGINAL,
        generator, SMALL, note="the two forms have the same keys: --as gfpgan_bilinear names the other",
    ),
    Network(
        "gfpgan_clean", "GFP-GAN generator, clean (versions 1.2, 1.3, 1.4)", "model.gfpgan.clean.GFPGANClean", CLEAN,
        generator, SMALL, on_demand=(ORIGINAL,), renamed=in_form(CLEAN, conversion.to_clean),
    ),
    Network(
        "gfpgan_bilinear", "GFP-GAN generator, bilinear", "model.gfpgan.network.GFPGANBilinear", ORIGINAL,
        generator, SMALL, on_demand=(CLEAN,), renamed=in_form(ORIGINAL, conversion.to_bilinear),
    ),
    Network(
        "gfpgan_component", "GFP-GAN critic of a facial part", "model.gfpgan.component.FacialComponentDiscriminator",
        ("conv1.0.weight", "conv4.1.weight", "conv5.0.weight", "final_conv.0.bias"),
    ),
)  # fmt: skip
