"""What a checkpoint's shapes say about the network it is of: size, widths and depths, as the builder's arguments.

Every function takes {official key: array} and gives keyword arguments. A file whose shapes follow no table of the
paper is an InputError that names the key.

Source: the shapes themselves; the channel table of yangxy/GPEN face_model/gpen_model.py.
"""

import re

from engine.errors import InputError
from model.shared.stylegan2 import channel_table


def count(arrays, pattern):
    """Number of keys that match a regular expression wholly."""
    return sum(re.fullmatch(pattern, key) is not None for key in arrays)


def width(arrays, key, axis=0):
    """One size of an array. InputError where the file lacks it, or it has fewer dimensions."""
    if key not in arrays or arrays[key].ndim <= axis:
        raise InputError(f"{key} is missing or has too few dimensions")
    return arrays[key].shape[axis]


def channel_factors(observed):
    """The channel table's two factors from channels at some resolutions.

    Args:
        observed: {resolution: channels}, 4 among them.

    Returns:
        {"channel_multiplier", "narrow"}; the multiplier is 2 where no resolution above 32 tells it.

    Raises:
        InputError: no factors give these channels.
    """
    least = observed[4]
    rounded = (round((least + 0.5) / 512, digits) for digits in range(1, 5))
    narrows = [least / 512, *(narrow for narrow in rounded if int(512 * narrow) == least)]
    for multiplier in (2, 1, 4, 0.5, 8):
        for narrow in narrows:
            table = channel_table(multiplier, narrow)
            if all(table.get(resolution) == channels for resolution, channels in observed.items()):
                return {"channel_multiplier": multiplier, "narrow": narrow}
    raise InputError(f"channels {observed} by resolution follow no StyleGAN2 table")


def gpen_decoder(arrays, prefix=""):
    """GPEN's decoder: size, style, mapping layers, factors, whether noise is concatenated."""
    levels, least = count(arrays, rf"{prefix}to_rgbs\.\d+\.bias"), width(arrays, f"{prefix}input.input", 1)
    observed = {4: least} | {8 << i: width(arrays, f"{prefix}convs.{2 * i}.conv.weight", 1) for i in range(levels)}
    return {
        "size": 4 << levels, "style_dim": width(arrays, f"{prefix}conv1.conv.modulation.weight", 1),
        "n_mlp": count(arrays, rf"{prefix}style\.\d+\.weight"), **channel_factors(observed),
        "is_concat": width(arrays, f"{prefix}to_rgb1.conv.weight", 2) == 2 * least,
    }  # fmt: skip


def gpen_generator(arrays):
    """GPEN's generator: its decoder's sizes and, where the encoder is of another, `in_size`."""
    sizes, in_size = gpen_decoder(arrays, "generator."), 2 << count(arrays, r"ecd\d+\.0\.\d\.weight")
    return sizes | ({"in_size": in_size} if in_size != sizes["size"] else {})


def stylegan2_discriminator(arrays, body="convs"):
    """A StyleGAN2 discriminator: image size and the table's factors. `body`: the name its blocks have."""
    blocks = count(arrays, rf"{body}\.\d+\.conv1\.0\.weight")
    size, observed = 4 << blocks, {4: width(arrays, "final_conv.0.weight")}
    observed |= {size >> i: width(arrays, f"{body}.{i + 1}.conv1.0.weight") for i in range(blocks)}
    return {"size": size, **channel_factors(observed)}


def basicsr_generator(arrays):
    """StyleGAN2's generator under BasicSR's names: size, style, mapping layers and factors."""
    levels = count(arrays, r"to_rgbs\.\d+\.bias")
    observed = {4: width(arrays, "constant_input.weight", 1)}
    observed |= {8 << i: width(arrays, f"style_convs.{2 * i}.modulated_conv.weight", 1) for i in range(levels)}
    return {
        "size": 4 << levels, "style_dim": width(arrays, "style_conv1.modulated_conv.modulation.weight", 1),
        "n_mlp": count(arrays, r"style_mlp\.\d+\.weight"), **channel_factors(observed),
    }  # fmt: skip
