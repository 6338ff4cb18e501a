"""Convert GFP-GAN between the bilinear form for training and the clean form for release; exact up to rounding.

The bilinear form scales weights by 1 / sqrt(fan-in) and activations by sqrt(2) in every forward pass; the clean form
has all of it in its weights. Every factor can be divided out again, so the way back loses nothing.

Source: TencentARC/GFPGAN scripts/convert_gfpganv_to_clean.py (the factors); the way back is ours.
"""

import math
import re

import numpy as np

SQRT2 = math.sqrt(2.0)
MAPPING_LR = 0.01
ENDS, DOWN, UP = r"conv_body_first|final_conv", r"conv_body_down\.\d+", r"conv_body_up\.\d+"
OUTPUTS, CONDITIONS = r"toRGB\.\d+|final_linear", r"condition_(?:scale|shift)\.\d+"
STYLED, RGB = r"stylegan_decoder\.(?:style_conv1|style_convs\.\d+)", r"stylegan_decoder\.(?:to_rgb1|to_rgbs\.\d+)"
WHOLE = r"stylegan_decoder\.(?:constant_input\.weight|noises\.noise\d+)"
RULES = (  # beginning of the keys, their end in the bilinear and in the clean form, gain, whether the fan-in scales too
    (ENDS, ".0.weight", ".weight", SQRT2, True),
    (ENDS, ".1.bias", ".bias", SQRT2, False),
    (f"{DOWN}|{UP}", ".conv1.0.weight", ".conv1.weight", SQRT2, True),
    (f"{DOWN}|{UP}", ".conv1.1.bias", ".conv1.bias", SQRT2, False),
    (DOWN, ".conv2.1.weight", ".conv2.weight", 1.0, True),
    (DOWN, ".conv2.2.bias", ".conv2.bias", 1.0, False),
    (DOWN, ".skip.1.weight", ".skip.weight", 1.0 / SQRT2, True),
    (UP, ".conv2.weight", ".conv2.weight", 1.0, True),
    (UP, ".conv2.activation.bias", ".conv2.bias", 1.0, False),
    (UP, ".skip.weight", ".skip.weight", 1.0 / SQRT2, True),
    (OUTPUTS, ".weight", ".weight", 1.0, True),
    (OUTPUTS, ".bias", ".bias", 1.0, False),
    (CONDITIONS, ".0.weight", ".0.weight", SQRT2, True),
    (CONDITIONS, ".0.bias", ".0.bias", SQRT2, False),
    (CONDITIONS, ".2.weight", ".2.weight", 1.0, True),
    (CONDITIONS, ".2.bias", ".2.bias", 1.0, False),
    (f"{STYLED}|{RGB}", ".modulated_conv.weight", ".modulated_conv.weight", 1.0, True),
    (f"{STYLED}|{RGB}", ".modulated_conv.modulation.weight", ".modulated_conv.modulation.weight", 1.0, True),
    (f"{STYLED}|{RGB}", ".modulated_conv.modulation.bias", ".modulated_conv.modulation.bias", 1.0, False),
    (STYLED, ".activate.bias", ".bias", SQRT2, False),
    (STYLED, ".weight", ".weight", SQRT2, False),  # of the noise
    (RGB, ".bias", ".bias", 1.0, False),
    (WHOLE, "", "", 1.0, False),
)
MAPPING = re.compile(r"stylegan_decoder\.style_mlp\.(\d+)\.(weight|bias)")


def to_clean(arrays):
    """{key: array} of the bilinear form -> that of the clean form, float32. Source: convert_gfpganv_to_clean.py.

    Raises:
        KeyError: a key that is not GFP-GAN's.
    """
    return dict(_converted(key, array, 1) for key, array in arrays.items())


def to_bilinear(arrays):
    """{key: array} of the clean form -> that of the bilinear form, float32. Source: `to_clean`, inverted.

    Raises:
        KeyError: a key that is not GFP-GAN's.
    """
    return dict(_converted(key, array, -1) for key, array in arrays.items())


def _converted(key, array, direction):
    """(key, array) on the other side; direction 1: to clean, -1: to bilinear."""
    name, factor = _counterpart(key, array.shape, direction)
    changed = (np.float64(array) * factor**direction).astype(np.float32)
    is_bias = key.endswith(".bias") and not key.endswith("modulation.bias")
    if is_bias and name.startswith("stylegan_decoder.style_conv"):
        changed = changed.reshape([1, -1, 1, 1] if direction == 1 else [-1])
    return name, changed


def _counterpart(key, shape, direction):
    """(key on the other side, factor from the bilinear to the clean form)."""
    if found := MAPPING.fullmatch(key):
        index, kind = int(found[1]), found[2]
        other = 2 * index - 1 if direction == 1 else (index + 1) // 2
        scale = shape[-1] ** -0.5 if kind == "weight" else 1.0
        return f"stylegan_decoder.style_mlp.{other}.{kind}", scale * MAPPING_LR * SQRT2
    for beginning, bilinear, clean, gain, is_scaled in RULES:
        ours, theirs = (bilinear, clean) if direction == 1 else (clean, bilinear)
        if found := re.fullmatch(f"({beginning}){re.escape(ours)}", key):
            fan_in = np.prod(shape[-3:]) if len(shape) > 2 else shape[-1]
            return found[1] + theirs, gain * (fan_in**-0.5 if is_scaled else 1.0)
    raise KeyError(f"{key}: no key of GFP-GAN's {'bilinear' if direction == 1 else 'clean'} form")
