"""The objects a checked configuration names: its system and its data sets."""

from typing import Any

import numpy as np
import paddle

from engine import config as configuration
from engine.run_config import RunConfig
from engine.system import Dataset, System


def build_system(config: RunConfig) -> System:
    """The system a RunConfig names, its weights drawn from the run's seed and its parameter names repeatable."""
    paddle.seed(config.seed)
    np.random.seed(config.seed % 2**32)
    kind = configuration.import_class(config.system, ("system.",), "system")
    with paddle.utils.unique_name.guard():
        system = kind(config.recipe)
        names, _ = paddle.utils.unique_name.switch()  # what has named its parameters so far
    system.begun = names, paddle.get_rng_state(), np.random.get_state()
    return system


def prepare_training(system: System) -> None:
    """Let a system build what training alone needs; names and random draws go on where those of its networks ended."""
    names, drawn, numpy_drawn = system.begun
    if drawn is not None:
        paddle.set_rng_state(drawn)
        np.random.set_state(numpy_drawn)
    with paddle.utils.unique_name.guard(names):
        system.prepare_training()


def build_dataset(section: Any, seed: int, training: bool) -> Dataset:
    """The dataset a `data.train` or `data.validation` section names."""
    return configuration.import_class(section.dataset, ("data_loader.",), "dataset")(section, seed, training)
