"""From a checked configuration to a system, a run folder and weights: what train, test, predict and export share."""

import os
from pathlib import Path

import numpy as np
import paddle

from engine import checkpoint
from engine import config as configuration
from engine.errors import ConfigError, InputError
from engine.files import write_text
from engine.log import logger
from engine.weights import load_into, read_weights, select_network


def build_system(config):
    """The system a RunConfig names, its weights drawn from the run's seed and its parameter names repeatable."""
    paddle.seed(config.seed)
    np.random.seed(config.seed % 2**32)
    kind = configuration.import_class(config.system, ("system.",), "system")
    with paddle.utils.unique_name.guard():
        return kind(config.recipe)


def settled(config, dataset, checkpoint_folder=None):
    """The configuration with what its system finds in the training set; a resumed run keeps what it found then.

    Raises:
        ConfigError: the length of the run is still open.
    """
    if checkpoint_folder is not None:
        saved = checkpoint.read_meta(Path(checkpoint_folder))["config"]
        config = configuration.replaced(config, dict(_found_then(configuration.as_dict(config), saved)))
    kind = configuration.import_class(config.system, ("system.",), "system")
    config = kind.settle(config, dataset)
    if config.train.steps is None:
        raise ConfigError(f"train.steps: null; {config.system} does not find the length of a run by itself")
    return config


def _found_then(content, saved):
    """(dotted key, saved value) of the recipe and the run's length where the configuration has null."""
    for section in ("recipe", "train"):
        for name, value in content[section].items():
            earlier = saved[section].get(name)
            if value is None and earlier is not None:
                yield f"{section}.{name}", earlier


def build_dataset(section, seed, training):
    """The dataset a `data.train` or `data.validation` section names."""
    return configuration.import_class(section.dataset, ("data_loader.",), "dataset")(section, seed, training)


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


def run_folder(config, config_path):
    """The folder of this run: `output.dir`, or the next number below runs/<name of the YAML>."""
    if config.output.dir is not None:
        return config.output.dir
    parent = Path("runs") / Path(config_path).stem
    taken = [int(path.name) for path in parent.glob("[0-9][0-9][0-9][0-9]")] if parent.is_dir() else []
    return parent / f"{max(taken, default=0) + 1:04d}"


def newest_run(config, config_path):
    """Where `--resume auto` looks: `output.dir`, or the newest numbered folder; it need not exist."""
    if config.output.dir is not None:
        return config.output.dir
    parent = Path("runs") / Path(config_path).stem
    return max(parent.glob("[0-9][0-9][0-9][0-9]"), default=parent / "0001")


def check_writable(folder):
    """Make a folder and try that a file can be written there.

    Raises:
        InputError: it cannot be made or written.
    """
    trial = Path(folder) / f".writable_{os.getpid()}"
    try:
        trial.parent.mkdir(parents=True, exist_ok=True)
        trial.write_bytes(b"")
        trial.unlink()
    except OSError as error:
        raise InputError(f"{folder}: output folder cannot be written ({error.strerror})") from None


def make_run_folder(folder):
    """Make the folder, try that it can be written, and move an earlier run's files in it to `earlier_N`."""
    folder = Path(folder)
    check_writable(folder)
    earlier = [path for path in folder.iterdir() if _belongs_to_run(path)]
    if any(path.name.startswith(("step_", "replaced_")) for path in earlier):
        number = len(list(folder.glob("earlier_*"))) + 1
        kept = folder / f"earlier_{number}"
        kept.mkdir()
        for path in earlier:
            path.rename(kept / path.name)
        logger.info(f"{folder} holds an earlier run; its files are kept in {kept} (--resume {kept} goes on there)")


def _belongs_to_run(path):
    names = (
        "latest.pdparams",
        "best.pdparams",
        "best.json",
        "metrics.jsonl",
        "train.log",
        "visualdl",
        "samples",
        "config.yaml",
    )
    return path.name.startswith(("step_", "replaced_")) or path.name in names


def save_config(config, folder):
    """Write the resolved configuration to `<folder>/config.yaml`."""
    write_text(Path(folder) / "config.yaml", configuration.to_yaml(config))


def with_folder(config, folder):
    """The configuration with `output.dir` filled in."""
    return config.model_copy(update={"output": config.output.model_copy(update={"dir": Path(folder)})})


def resume_point(word, config, config_path):
    """The checkpoint folder `--resume` means, or None where `auto` finds none.

    Args:
        word: "auto", a run folder or a checkpoint folder.

    Raises:
        ConfigError: a named folder holds no checkpoint, or lies elsewhere than `output.dir`.
    """
    if word == "auto":
        return checkpoint.newest_checkpoint(newest_run(config, config_path))
    path = Path(word)
    found = path if (path / "meta.json").is_file() else checkpoint.newest_checkpoint(path)
    if found is None or not found.is_dir():
        raise ConfigError(f"--resume {word}: no checkpoint there; expected a run folder or one of its step_* folders")
    if config.output.dir is not None and config.output.dir.resolve() != found.parent.resolve():
        raise ConfigError(f"--resume {word}: the run is in {found.parent}; output.dir is {config.output.dir}")
    return found
