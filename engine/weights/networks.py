"""A system's networks with the weights of a file."""

from pathlib import Path

from engine.errors import InputError
from engine.log import logger
from engine.weights.files import load_into, read_weights, select_network


def load_networks(system, path, names=None):
    """Load weights into a system's networks, strictly; those the file lacks stay as they are.

    Args:
        system: the System.
        path: weights file.
        names: networks that have to be in the file; None: at least one of all.

    Returns:
        names of the networks that were loaded. InputError where the file lacks a needed one or does not fit.
    """
    arrays = system.adapted(read_weights(path))
    if names is None and not any("/" in key for key in arrays):
        names = [max(system.networks, key=lambda name: len(system.networks[name].state_dict().keys() & arrays.keys()))]
    loaded = []
    for name in names or system.networks:
        part = select_network(arrays, name, path, required=bool(names))
        if part is not None:
            load_into(system.networks[name], part, f"{path} ({name})")
            loaded.append(name)
    if not loaded:
        raise InputError(f"{path}: holds none of the networks {sorted(system.networks)}")
    return loaded


def trained_networks(system, path, config_path):
    """A system's networks with weights from `path`, in evaluation mode.

    Raises:
        InputError: no path was given: random weights never pass for trained ones.
    """
    if path is None:
        shipped = Path("weights/lite") / f"{Path(config_path).stem}.pdparams"
        hint = f", for example {shipped}" if shipped.exists() else ""
        raise InputError(f"--pretrained: no weights given; expected a file of trained weights{hint}")
    loaded = load_networks(system, path, system.averaged or None)
    if missing := [name for name in system.needed if name not in loaded]:
        raise InputError(f"{path}: holds {', '.join(loaded)} but not {', '.join(missing)}, which is needed here")
    logger.info(f"weights: {path} ({', '.join(loaded)})")
    for network in system.networks.values():
        network.eval()
    return system.networks
