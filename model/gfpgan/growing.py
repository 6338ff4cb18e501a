"""Grow a trained GFP-GAN generator to twice the size: it restores as well as before from the first step.

Source: ours, after the progressive growing of Karras et al. 2018, section 2.
"""

import math

import numpy as np

from engine.errors import InputError
from model.shared.stylegan2 import SQRT2

SLOPE_GAIN = 1.2 * SQRT2  # sqrt(2) lrelu(x) - sqrt(2) lrelu(-x), slope 0.2, is this times x
HALVING = np.float32([-0.5, 2.0, -0.5])  # after the blur [1, 3, 3, 1] / 8 the least-squares fit to a mean of two
LATENTS = ("final_linear.weight", "final_linear.bias")


def grown(small, large):
    """Weights for a generator of twice the size, of form "original".

    The encoder's new levels hand the mean of 2 x 2 pixels on, nearly as the small network's first layer saw it; the
    picture's new level adds nothing yet, so that the large network gives the small one's picture, enlarged.

    Args:
        small: {key: array} of the trained generator.
        large: {key: array} of the new one as it was drawn; its shapes say what fits.

    Returns:
        {key: array} with the keys and shapes of `large`.

    Raises:
        InputError: a layer that both have differs in shape, or one has no counterpart: other widths, styles or sizes.
    """
    out = {key: np.array(value, np.float32) for key, value in large.items()}
    for key, value in small.items():
        name = _moved(key)
        if key in LATENTS:
            value = np.concatenate([value, value[-2 * _style(small) :]])
        elif key.startswith("conv_body_first"):
            continue
        if name not in out or out[name].shape != value.shape:
            wanted = f"expected {list(out[name].shape)}" if name in out else "the network to grow has no such layer"
            raise InputError(f"{key}: found {list(value.shape)}, {wanted}; it has to be half of its size, as wide")
        out[name] = np.array(value, np.float32)
    out |= _passing(out, small["conv_body_first.0.weight"], small["conv_body_first.1.bias"])
    last = max(key for key in out if key.startswith("stylegan_decoder.to_rgbs.") and key.endswith("conv.weight"))
    out[last] *= 0
    return out


def _style(small):
    return small["stylegan_decoder.style_mlp.1.weight"].shape[0]


def _moved(key):
    """A key of the small network in the large one: the encoder counts its levels from the picture."""
    parts = key.split(".")
    if parts[0] == "conv_body_down":
        parts[1] = str(int(parts[1]) + 1)
    return ".".join(parts)


def _passing(large, weight, bias):
    """First layer and first block that pass the picture on as pairs (x, -x), halve it and do the old first layer."""
    found = {key: np.zeros_like(value) for key, value in large.items() if key.startswith("conv_body_down.0.")}
    first, inner = np.zeros_like(large["conv_body_first.0.weight"]), found["conv_body_down.0.conv1.0.weight"]
    outer = found["conv_body_down.0.conv2.1.weight"]
    taps, side = np.outer(HALVING, HALVING), len(inner)
    for colour in range(3):
        for place, sign in ((2 * colour, 1), (2 * colour + 1, -1)):
            first[place, colour] = sign * math.sqrt(3)
            pair = sign * math.sqrt(9 * side) / SLOPE_GAIN
            inner[2 * colour, place, 1, 1], inner[2 * colour + 1, place, 1, 1] = pair, -pair
            outer[:, place] = SQRT2 * pair * weight[:, colour] / math.sqrt(3) * taps
    found["conv_body_down.0.conv2.2.bias"] = SQRT2 * np.array(bias, np.float32)
    return found | {"conv_body_first.0.weight": first, "conv_body_first.1.bias": 0 * large["conv_body_first.1.bias"]}
