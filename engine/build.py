"""The objects a checked configuration names: its system and its data sets."""

import numpy as np
import paddle

from engine import config as configuration


def build_system(config):
    """The system a RunConfig names, its weights drawn from the run's seed and its parameter names repeatable."""
    paddle.seed(config.seed)
    np.random.seed(config.seed % 2**32)
    kind = configuration.import_class(config.system, ("system.",), "system")
    with paddle.utils.unique_name.guard():
        return kind(config.recipe)


def build_dataset(section, seed, training):
    """The dataset a `data.train` or `data.validation` section names."""
    return configuration.import_class(section.dataset, ("data_loader.",), "dataset")(section, seed, training)
