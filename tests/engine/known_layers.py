"""Networks of the table of known ones as files hold them: keys and shapes, without memory for values."""

import numpy as np

from engine.weights.known import known_networks
from engine.weights.official_keys import official_names
from model.gpen.network import GPENGenerator


def row(name):
    """The row of that name."""
    return known_networks()[name]


def blank(layer):
    """Arrays of a network's keys and shapes that take no memory."""
    return {key: np.broadcast_to(np.float32(0), tensor.shape) for key, tensor in layer.state_dict().items()}


def official(layer):
    """The same under the official keys, with what torch adds to batch norms."""
    names = official_names(layer)
    arrays = {names[key][0]: array.T if names[key][1] else array for key, array in blank(layer).items()}
    norms = {key.replace("running_mean", "num_batches_tracked") for key in arrays if key.endswith("running_mean")}
    return arrays | dict.fromkeys(norms, np.array(7))


def small_gpen():
    return blank(GPENGenerator(8, style_dim=4, n_mlp=1, narrow=1 / 128))
