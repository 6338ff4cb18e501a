"""Names and layouts of PyTorch checkpoints against those of Paddle layers; all differences are here.

* BatchNorm: running_mean, running_var -> _mean, _variance; num_batches_tracked has no counterpart.
* PReLU: weight -> _weight.
* Linear: the weight is transposed, (out, in) -> (in, out). `EqualLinear` keeps (out, in) and needs nothing.

Source: the state_dict of torch.nn and paddle.nn layers.
"""

from collections.abc import Mapping

import numpy as np
from paddle import nn

NORMS = (nn.BatchNorm, nn.BatchNorm1D, nn.BatchNorm2D, nn.SyncBatchNorm)


def official_names(layer: nn.Layer) -> dict[str, tuple[str, bool]]:
    """Names of the entries in the official checkpoint of `layer`.

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


def is_ours(layer: nn.Layer, arrays: Mapping[str, np.ndarray], is_official: bool = True) -> bool:
    """Whether arrays have our keys and layout rather than the official ones: whether more of them agree so.

    Args:
        layer: the network they are for.
        arrays: {key: array}.
        is_official: what they are where both agree (no entry differs, or square Linear weights only).

    Source: ours.
    """
    found = {key: tuple(array.shape) for key, array in arrays.items()}
    shapes = {key: tuple(tensor.shape) for key, tensor in layer.state_dict().items()}
    names = official_names(layer)
    official = {names[key][0]: shape[::-1] if names[key][1] else shape for key, shape in shapes.items()}
    ours, theirs = (len(form.items() & found.items()) for form in (shapes, official))
    return ours > theirs or (ours == theirs and not is_official)


def from_official(layer: nn.Layer, arrays: Mapping[str, np.ndarray], is_official: bool = True) -> dict[str, np.ndarray]:
    """The arrays of an official checkpoint under our keys and in our layout; those that `is_ours` as they are.

    Args:
        layer: the network they are for.
        arrays: dict official key -> array. What `layer` does not have is passed on under its own name, so that a strict
            loader reports it; num_batches_tracked is dropped.
        is_official: as of `is_ours`.

    Returns:
        dict our key -> array; keys that `arrays` lacks are absent.

    Source: ours.
    """
    if is_ours(layer, arrays, is_official):
        return dict(arrays)
    ours = {official: (key, transposed) for key, (official, transposed) in official_names(layer).items()}
    converted = {}
    for official, array in arrays.items():
        if official.endswith("num_batches_tracked"):
            continue
        key, transposed = ours.get(official, (official, False))
        converted[key] = np.ascontiguousarray(array.T) if transposed else array
    return converted


def to_official(layer: nn.Layer, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The inverse of `from_official`: our arrays under the official keys and in the official layout.

    num_batches_tracked stays absent: torch makes it up where a strict load misses it.

    Args:
        layer: the network the arrays are of.
        arrays: dict our key -> array, one for every entry of `layer`.

    Returns:
        dict official key -> array.

    Source: ours.
    """
    names = official_names(layer)
    converted = {}
    for key, array in arrays.items():
        official, transposed = names[key]
        converted[official] = np.ascontiguousarray(array.T) if transposed else array
    return converted
