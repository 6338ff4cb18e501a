"""Inputs and frozen weights of recorded runs, from numpy alone, so that both sides are fed the same arrays.

Source: the format's description in the README of the reference folder; written anew.
"""

import zlib

import numpy as np

from engine.weights.official_keys import official_names

KINDS = {"image": 1, "degraded": 2, "noise": 3, "gnoise": 4}
PARTS = ((0.38, 0.48, 0.09), (0.62, 0.48, 0.09), (0.5, 0.73, 0.13))  # centre and half side, of the picture's side


def normal(seed, kind, index, shape):
    """The index-th draw of N(0, 1): "noise" of path lengths, "gnoise" of a decoder's layers."""
    return np.random.default_rng([seed, KINDS[kind], index]).standard_normal(shape)


def pictures(seed, step, shape):
    """Smooth pictures [N, 3, H, W] in [0, 1] of a step."""
    drawn = np.random.default_rng([seed, KINDS["image"], step])
    count, _, height, width = shape
    y, x = np.mgrid[:height, :width] / height
    out = np.zeros(shape)
    for sample in out:
        for channel in sample:
            a = drawn.uniform(-1, 1, 6)
            channel[:] = 0.5 + 0.2 * a[0] * np.sin(6.28 * (2 * a[1] * x + 2 * a[2] * y))
            channel += 0.2 * a[3] * np.cos(6.28 * (3 * a[4] * x * y + a[5]))
    return np.clip(out + 0.02 * drawn.standard_normal(shape), 0, 1)


def degraded(seed, step, shape):
    """The same pictures in blocks of 4 x 4 pixels, with noise."""
    blocks = pictures(seed, step, shape)[:, :, ::4, ::4].repeat(4, 2).repeat(4, 3)
    own = np.random.default_rng([seed, KINDS["degraded"], step])
    return np.clip(blocks + 0.05 * own.standard_normal(shape), 0, 1)


def boxes(seed, step, batch, size):
    """Boxes [N, 3, 4] of left eye, right eye and mouth of a step."""
    drawn, out = np.random.default_rng([seed, 9, step]), np.zeros((batch, 3, 4))
    for sample in out:
        for box, (cx, cy, half) in zip(sample, PARTS, strict=True):
            x, y = (np.array([cx, cy]) + drawn.uniform(-0.02, 0.02, 2)) * size
            side = half * size * drawn.uniform(0.8, 1.2)
            box[:] = x - side, y - side, x + side, y + side
    return np.round(out, 2)


def holes(seed, step, shape):
    """Masks [N, 1, H, W] of a step, 1 in a rectangle that leaves at least an eighth of each side."""
    drawn, out = np.random.default_rng([seed, 10, step]), np.zeros((shape[0], 1, *shape[2:]))
    for sample in out:
        top, left = (int(drawn.integers(0, side // 2)) for side in shape[2:])
        height, width = (int(drawn.integers(side // 8, 3 * side // 8)) for side in shape[2:])
        sample[0, top : top + height, left : left + width] = 1
    return out


def people(seed, step, batch, classes):
    """Who is on the pictures of a step, int64 [N]."""
    return np.random.default_rng([seed, 11, step]).integers(0, classes, batch)


def fill(key, shape, gain):
    """The weight of a frozen loss network by its official key and PyTorch shape."""
    drawn = np.random.default_rng(zlib.crc32(key.encode()))
    if key.endswith("running_var"):
        return drawn.uniform(0.8, 1.2, shape).astype(np.float32)
    if key.endswith(("running_mean", "bias")):
        return ((0.1 if key.endswith("mean") else 0.05) * drawn.standard_normal(shape)).astype(np.float32)
    if len(shape) <= 1:
        low, high = (0.2, 0.3) if "prelu" in key or shape == (1,) else (0.7, 1.0)
        return drawn.uniform(low, high, shape).astype(np.float32)
    return (np.sqrt(gain / np.prod(shape[1:])) * drawn.standard_normal(shape)).astype(np.float32)


def filled(layer, gain):
    """{our key: array} of a frozen loss network."""
    names, found = official_names(layer), {}
    for key, tensor in layer.state_dict().items():
        official, transposed = names[key]
        shape = tuple(tensor.shape)[::-1] if transposed else tuple(tensor.shape)
        array = fill(official, shape, gain)
        found[key] = np.ascontiguousarray(array.T) if transposed else array
    return found
