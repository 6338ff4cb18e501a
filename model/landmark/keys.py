"""GLCIC in published files, and the landmark project's form of it.

Source: the state_dicts of otenim/GLCIC-PyTorch models.py, and the phase_3 files of the landmark project against them.
"""

import numpy as np

from engine.weights.known import Network
from engine.weights.shapes import width

BRANCHES = {"model_local_discriminator.": "model_ld.", "model_global_discriminator.": "model_gd."}


def official_discriminator_keys(arrays):
    """A discriminator of the landmark project's phase_3 files under the official keys.

    There the branches are called model_local_discriminator and model_global_discriminator, and the last linear layer
    sees [global, local]; its two halves are exchanged.

    Args:
        arrays: {key: array} in PyTorch's layout; other names pass unchanged.

    Returns:
        {key: array}; a file that already has the official keys comes back as it is.
    """
    if not any(key.startswith(tuple(BRANCHES)) for key in arrays):
        return arrays
    renamed = {}
    for key, array in arrays.items():
        for old, new in BRANCHES.items():
            key = new + key.removeprefix(old) if key.startswith(old) else key
        renamed[key] = array
    of_global, of_local = np.split(renamed["linear1.weight"], 2, axis=1)
    renamed["linear1.weight"] = np.concatenate([of_local, of_global], axis=1)
    return renamed


def with_landmark_channel(network, arrays):
    """Weights of a four-channel completion network for one with further inputs, to which it does not react yet.

    Args:
        network: CompletionNetwork.
        arrays: {key: array}; changed only where conv1.weight has fewer input channels than the network's.
    """
    weight, wanted = arrays.get("conv1.weight"), network.conv1.weight.shape
    if weight is None or weight.ndim != 4 or weight.shape[1] >= wanted[1]:
        return arrays
    blank = np.zeros((weight.shape[0], wanted[1] - weight.shape[1], *weight.shape[2:]), weight.dtype)
    return arrays | {"conv1.weight": np.concatenate([weight, blank], axis=1)}


def completion_network(arrays):
    """GLCIC's completion network: width and input channels."""
    return {"width": width(arrays, "conv1.weight") / 64, "in_channels": width(arrays, "conv1.weight", 1)}


def context_discriminator(arrays):
    """GLCIC's discriminator: width, and for both branches the largest square picture that fits its linear layer."""

    def side(branch):
        inputs = width(arrays, f"{branch}.linear6.weight", 1) * width(arrays, f"{branch}.linear6.weight")
        inputs /= width(arrays, f"{branch}.linear6.bias")
        return (32 * max(1, round((inputs / width(arrays, f"{branch}.conv5.weight")) ** 0.5)),) * 2

    channels = width(arrays, "model_ld.conv1.weight")
    return {"local_size": side("model_ld"), "global_size": side("model_gd"), "width": channels / 64}


NETWORKS = (
    Network(
        "glcic_completion", "GLCIC completion network", "model.landmark.network.CompletionNetwork",
        ("conv1.weight", "conv10.weight", "deconv13.weight", "conv17.weight"), completion_network, {"width": 1 / 16},
        completed=with_landmark_channel,
    ),
    Network(
        "glcic_discriminator", "GLCIC context discriminator", "model.landmark.network.ContextDiscriminator",
        (("model_ld.conv1.weight", "model_gd.conv1.weight"),
         ("model_local_discriminator.conv1.weight", "model_global_discriminator.conv1.weight")),
        context_discriminator, {"local_size": (32, 32), "global_size": (64, 64), "width": 1 / 16},
        renamed=lambda arrays: dict(official_discriminator_keys(arrays)),
    ),
)  # fmt: skip
