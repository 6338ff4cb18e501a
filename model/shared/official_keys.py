"""Names and layouts of PyTorch checkpoints against those of Paddle layers: the one place that knows the differences.

* BatchNorm: running_mean, running_var -> _mean, _variance; num_batches_tracked has no counterpart.
* PReLU: weight -> _weight.
* Linear: the weight is transposed, (out, in) -> (in, out). `EqualLinear` keeps (out, in) and needs nothing.

Source: the state_dict of torch.nn and paddle.nn layers.
"""

import numpy as np
from paddle import nn

NORMS = (nn.BatchNorm, nn.BatchNorm1D, nn.BatchNorm2D, nn.SyncBatchNorm)


def official_names(layer):
    """How the official checkpoint of `layer` names its entries.

    Returns:
        dict: our state_dict key -> (official key, whether the array is transposed).

    Source: ours.
    """
    names = {key: (key, False) for key in layer.state_dict()}
    for prefix, child in layer.named_sublayers(include_self=True):
        path = f"{prefix}." if prefix else ""
        if isinstance(child, NORMS):
            names[f"{path}_mean"] = (f"{path}running_mean", False)
            names[f"{path}_variance"] = (f"{path}running_var", False)
        elif isinstance(child, nn.PReLU):
            names[f"{path}_weight"] = (f"{path}weight", False)
        elif isinstance(child, nn.Linear):
            names[f"{path}weight"] = (f"{path}weight", True)
    return names


def from_official(layer, arrays):
    """The arrays of an official checkpoint under our keys and in our layout.

    Args:
        layer: the network they are for.
        arrays: dict official key -> array. What `layer` does not have is passed on under its own name, so that a strict
            loader reports it; num_batches_tracked is dropped.

    Returns:
        dict our key -> array; keys that `arrays` lacks are absent.

    Source: ours.
    """
    ours = {official: (key, transposed) for key, (official, transposed) in official_names(layer).items()}
    converted = {}
    for official, array in arrays.items():
        if official.endswith("num_batches_tracked"):
            continue
        key, transposed = ours.get(official, (official, False))
        converted[key] = np.ascontiguousarray(array.T) if transposed else array
    return converted


def from_either(layer, arrays):
    """The arrays of a file that has our own keys and layout, or an official checkpoint's.

    A layer without batch normalisation or PReLU has the same keys in both; then shapes that fit are ours.

    Args:
        layer, arrays: as for `from_official`.

    Source: ours.
    """
    tensors = layer.state_dict()
    if arrays.keys() != tensors.keys():
        return from_official(layer, arrays)
    fits = all(list(arrays[key].shape) == list(tensors[key].shape) for key in tensors)
    renamed = any(key != official for key, (official, _) in official_names(layer).items())
    return arrays if fits or renamed else from_official(layer, arrays)
