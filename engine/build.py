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
        return kind(config.recipe)


def build_dataset(section: Any, seed: int, training: bool) -> Dataset:
    """The dataset a `data.train` or `data.validation` section names."""
    return configuration.import_class(section.dataset, ("data_loader.",), "dataset")(section, seed, training)
