"""What a checkpoint's shapes say about the network it is of: size, widths and depths, as the builder's arguments.

Every function takes {official key: array} and gives keyword arguments. A file whose shapes follow no table of the
paper is an InputError that names the key.

Source: the shapes themselves; the channel table of yangxy/GPEN face_model/gpen_model.py.
"""

import re

from engine.errors import InputError
from model.shared.stylegan2 import channel_table

MOST = 100  # layers of a kind


def count(arrays, pattern):
    """Number of keys that match a regular expression wholly. InputError above MOST, where no network is meant."""
    found = sum(re.fullmatch(pattern, key) is not None for key in arrays)
    if found > MOST:
        raise InputError(f"{found} keys like {pattern}: more than any known network has")
    return found


def width(arrays, key, axis=0):
    """One size of an array. InputError where the file lacks it, it has fewer dimensions, or no values at all."""
    if key not in arrays or arrays[key].ndim <= axis or not arrays[key].size:
        raise InputError(f"{key} is missing, empty or has too few dimensions")
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


def gfpgan(arrays):
    """GFP-GAN in any form: its decoder's sizes, a code for every layer or one, half or all channels conditioned."""
    prefix = "stylegan_decoder."
    inner = {key.removeprefix(prefix): array for key, array in arrays.items() if key.startswith(prefix)}
    sizes = basicsr_generator(inner)
    each_layer = width(arrays, "final_linear.bias") != sizes["style_dim"]
    half = width(arrays, "condition_scale.0.2.bias") == width(arrays, "condition_scale.0.0.bias")
    return sizes | ({} if each_layer else {"different_w": False}) | ({} if half else {"sft_half": False})


def sphere20a(arrays):
    """SphereFace: factor of the channels, and the embedding's size where they are not the published ones."""
    channels, embedding = width(arrays, "conv1_1.weight") / 64, width(arrays, "fc5.bias")
    return ({} if channels == 1 else {"width": channels}) | ({} if embedding == 512 else {"embedding_size": embedding})


def partialconv(arrays):
    """A PartialConv U-Net under our keys: depth, channels, which convolutions have a bias, residual in the encoder."""
    layers = count(arrays, r"enc_\d+\.conv\.weight")
    bias = "all" if "enc_2.conv.bias" in arrays else "unnormalised" if "enc_1.conv.bias" in arrays else "last"
    found = {"size": 2 << layers, "layers": layers, "width": width(arrays, "enc_1.conv.weight"), "bias": bias}
    return found | ({"encoder_residual": "gamma"} if "enc_2.gamma" in arrays else {})


def adain_generator(arrays):
    """A generator of MUNIT or SATNet: widths and depths, with or without attention."""
    downs = count(arrays, r"enc_content\.model\.\d+\.conv\.weight") - 1
    return {
        "dim": width(arrays, "enc_content.model.0.conv.weight"), "mlp_dim": width(arrays, "mlp.model.0.fc.weight"),
        "style_dim": width(arrays, "mlp.model.0.fc.weight", 1), "n_downsample": downs,
        "n_res": count(arrays, rf"enc_content\.model\.{downs + 1}\.model\.\d+\.model\.0\.conv\.weight"),
        "attention": "dec.model.1.gamma" in arrays,
    }  # fmt: skip


def multi_scale_discriminator(arrays):
    """A discriminator of MUNIT or SATNet: width, layers, scales, spectral norm and attention."""
    return {
        "dim": width(arrays, "cnns.0.0.conv.weight"),
        "n_layer": count(arrays, r"cnns\.0\.\d+\.conv\.(module\.)?bias"),
        "num_scales": count(arrays, r"cnns\.\d+\.0\.conv\.weight"),
        "norm": "sn" if "cnns.0.1.conv.module.weight_bar" in arrays else "none",
        "attention": count(arrays, r"cnns\.0\.\d+\.gamma") == 1,
        "init": "gaussian",  # of weights that are about to be replaced
    }  # fmt: skip


def maruru_unet(arrays):
    """The U-Net of maruru-hub/PartialConv-paddle under our keys: depth, channels, residual blocks."""
    layers = count(arrays, r"encoder\.ec_\d+\.conv\.weight")
    blocks = count(arrays, r"encoder\.middle\.\d+\.conv_block\.1\.weight")
    return {"size": 4 << layers, "layers": layers, "width": width(arrays, "encoder.ec_1.conv.weight"), "blocks": blocks}


def completion_network(arrays):
    """GLCIC's completion network: width and input channels."""
    return {"width": width(arrays, "conv1.weight") / 64, "in_channels": width(arrays, "conv1.weight", 1)}


def context_discriminator(arrays):
    """GLCIC's discriminator: width, and for both branches the largest square picture that fits its linear layer."""

    def side(branch):
        inputs = arrays[f"{branch}.linear6.weight"].size / width(arrays, f"{branch}.linear6.bias")
        return (32 * max(1, round((inputs / width(arrays, f"{branch}.conv5.weight")) ** 0.5)),) * 2

    return {
        "local_size": side("model_ld"),
        "global_size": side("model_gd"),
        "width": width(arrays, "model_ld.conv1.weight") / 64,
    }


def landmark_predictor(arrays):
    """LaFIn's landmark predictor: width and number of points."""
    return {"width": width(arrays, "features.0.0.weight") / 32, "num_points": width(arrays, "fc_landmark.bias") // 2}
