"""StyleGAN2 in published files: BasicSR's and rosinality's names, and sizes from the shapes.

Source: the state_dicts of XPixelGroup/BasicSR archs/stylegan2_arch.py and rosinality/stylegan2-pytorch model.py.
"""

import re

from engine.errors import InputError
from engine.weights.known import Network
from engine.weights.shapes import count, width

ROSINALITY = (
    (r"^style\.", "style_mlp."), (r"^input\.input$", "constant_input.weight"), (r"^(conv1|convs)\.", r"style_\1."),
    (r"\.conv\.", ".modulated_conv."), (r"\.noise\.weight$", ".weight"), (r"^noises\.noise_", "noises.noise"),
)  # fmt: skip


def channel_factors(observed):
    """The channel table's two factors from channels at some resolutions.

    Args:
        observed: {resolution: channels}, 4 among them.

    Returns:
        {"channel_multiplier", "narrow"}; the multiplier is 2 where no resolution above 32 tells it.

    Raises:
        InputError: no factors give these channels.
    """
    from model.shared.stylegan2 import channel_table

    least = observed[4]
    rounded = (round((least + 0.5) / 512, digits) for digits in range(1, 5))
    narrows = [least / 512, *(narrow for narrow in rounded if int(512 * narrow) == least)]
    for multiplier in (2, 1, 4, 0.5, 8):
        for narrow in narrows:
            table = channel_table(multiplier, narrow)
            if all(table.get(resolution) == channels for resolution, channels in observed.items()):
                return {"channel_multiplier": multiplier, "narrow": narrow}
    raise InputError(f"channels {observed} by resolution follow no StyleGAN2 table")


def discriminator(arrays, body="convs"):
    """A StyleGAN2 discriminator: image size and the table's factors. `body`: the name its blocks have."""
    blocks = count(arrays, rf"{body}\.\d+\.conv1\.0\.weight")
    size, observed = 4 << blocks, {4: width(arrays, "final_conv.0.weight")}
    observed |= {size >> i: width(arrays, f"{body}.{i + 1}.conv1.0.weight") for i in range(blocks)}
    return {"size": size, **channel_factors(observed)}


def generator(arrays):
    """StyleGAN2's generator under BasicSR's names: size, style, mapping layers and factors."""
    levels = count(arrays, r"to_rgbs\.\d+\.bias")
    observed = {4: width(arrays, "constant_input.weight", 1)}
    observed |= {8 << i: width(arrays, f"style_convs.{2 * i}.modulated_conv.weight", 1) for i in range(levels)}
    return {
        "size": 4 << levels, "style_dim": width(arrays, "style_conv1.modulated_conv.modulation.weight", 1),
        "n_mlp": count(arrays, r"style_mlp\.\d+\.weight"), **channel_factors(observed),
    }  # fmt: skip


def from_rosinality(arrays):
    """The StyleGAN2 generator of rosinality's code (and of pSp, e4e, GPEN's own training) under BasicSR's names."""
    if "constant_input.weight" in arrays:
        return dict(arrays)
    renamed = {}
    for key, array in arrays.items():
        for pattern, replacement in ROSINALITY:
            key = re.sub(pattern, replacement, key)
        if not key.endswith(".kernel"):
            renamed[key] = array
    return renamed


NETWORKS = (
    Network(
        "stylegan2_generator", "StyleGAN2 generator", "model.shared.basicsr_stylegan2.StyleGAN2Generator",
        (("constant_input.weight", "style_conv1.modulated_conv.weight", "style_conv1.activate.bias"),
         ("input.input", "conv1.conv.weight", "noises.noise_0")),
        generator, {"size": 8, "style_dim": 4, "n_mlp": 1, "narrow": 1 / 128}, renamed=from_rosinality,
    ),
    Network(
        "stylegan2_discriminator", "StyleGAN2 discriminator as of BasicSR (GFP-GAN)",
        "model.shared.basicsr_stylegan2.StyleGAN2Discriminator",
        ("conv_body.0.0.weight", "conv_body.1.conv1.0.weight"),
        lambda arrays: discriminator(arrays, "conv_body"), {"size": 8, "narrow": 1 / 128},
    ),
)  # fmt: skip
