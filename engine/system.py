"""What a paper has to provide: networks, losses, update rule, what is exported; and how one is built for a run."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
import paddle
from paddle import Tensor, nn

from engine import config as configuration
from engine.errors import InputError
from engine.ports import BLENDS, Blend, Exported, Fit, Hole, Port, Template
from engine.run_config import RunConfig
from engine.settings import Settings

__all__ = [  # what a system needs, in one place
    "BLENDS", "Batch", "Blend", "Dataset", "Exported", "Fit", "Hole", "Networks", "Port", "System", "Template",
    "Tensors", "Update", "build_dataset", "build_system", "choose_device", "evaluating", "frozen", "prefixed",
    "prepare_training", "total",
]  # fmt: skip
Batch = Mapping[str, Any]  # images and masks as tensors, names as lists
Networks = Mapping[str, nn.Layer]
Tensors = dict[str, Tensor]


class Dataset(Protocol):
    """Protocol of a YAML file's `dataset`."""

    def __len__(self) -> int:
        """Number of samples of an epoch."""
        ...

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Any]:
        """Sample of (epoch, index): arrays [C, H, W], its name, labels."""
        ...


class Update(Protocol):
    """Protocol of a training step's `update`: `update("generator", loss)` is one step of an optimizer."""

    def __call__(self, names: str | Sequence[str], loss: Tensor, reaches_all: bool = False) -> None:
        """One step of the named optimizers on a scalar; `reaches_all`: parameters without a gradient step with 0."""
        ...

    def float32(self) -> AbstractContextManager[None]:
        """Leave autocast inside the block: for gradient penalties."""
        ...


class System:
    """One paper: its networks, its losses and its update rule.

    A plain class. Attributes a subclass sets:
        networks: name -> layer; checkpointed under that name, frozen ones included.
        state: name -> tensor; further values that a resumed run needs.
        trainable: optimizer name -> list of parameters.
        averaged: names of networks that get an exponential moving average.
        static: names of networks whose forward may be captured by `train.to_static`: first gradients only.
        scored: pictures, of the batch or of `generate`, that are compared with the batch's `image`.
        shown: columns of a preview, left to right; none: no preview.
        needed: names of networks that a weights file must hold for every use but training.
        costly: those of `measures` that a validation computes only where `train.measures` names them.
        begun: where names and random draws stood when the networks were built; `build_system` notes it.
        passes: for benchmarks, "" -> {network: forwards per picture of a training step, a backward counted as two};
            then key of an interval in the recipe -> what its steps add, each interval a multiple of the one before.
        log_header: facts a log and a checkpoint must state, e.g. {"identity": "off"}.
        smoke: configuration overrides that make the smallest legal run, for tests.
    """

    class Config(Settings):
        """The paper's own numbers: the `recipe` section of a YAML file.

        Its `dialects`, a ClassVar: script -> engine.cli.Dialect, what the paper's own project says on the command
        line. Where MODULE_recipe.py defines NAMERecipe, a command line is read without MODULE and so without Paddle.
        """

    networks: dict
    state: dict
    trainable: dict
    averaged: tuple = ()
    static: tuple = ()
    scored: tuple = ()
    shown: tuple = ()
    needed: tuple = ()
    costly: tuple = ()
    begun: tuple = (None, None, None)
    passes: dict = {}
    log_header: dict = {}
    smoke: dict = {}

    def weights_loaded(self) -> None:
        """Called when a file's weights have been loaded into `networks`, to say what they differ in from the recipe."""

    @classmethod
    def settle(cls, config: RunConfig, dataset: Dataset) -> RunConfig:
        """The run's configuration with what depends on the training set filled in; called once, before it is frozen.

        Args:
            config: RunConfig.
            dataset: the training set.
        """
        return config

    @classmethod
    def settle_for(cls, config: RunConfig, path: str | Path) -> RunConfig:
        """The run's configuration with what depends on the weights that training starts from; before it is frozen."""
        return config

    def prepare_training(self) -> None:
        """Build and read what training alone needs: critics, the networks inside losses, `trainable`, `log_header`.

        The Trainer calls it before all else; whoever predicts, tests or exports never does, so a file of the generator
        alone is enough there. Networks it adds to `networks` come after those that were there.
        """

    def train_step(self, batch: Batch, step: int, update: Update) -> Tensors:
        """One training step: losses, and `update(optimizer_names, loss)` for every optimizer step.

        Args:
            batch: dict of tensors, images RGB in [0, 1].
            step: number of steps already done.
            update: the Updater.

        Returns:
            dict of scalar tensors for the log; keys `<network>/<term>`, weighted totals `<network>/loss`.
        """
        raise NotImplementedError(f"{type(self).__name__} defines no train_step")

    def generate(self, batch: Batch, networks: Networks) -> Tensors:
        """Pictures for evaluation and preview: dict of [N, 3, H, W] in [0, 1]."""
        raise NotImplementedError(f"{type(self).__name__} defines no generate")

    def measures(self) -> dict[str, Callable]:
        """The system's own metrics: {name: function of MetricWeights that gives a `metric.scorer.Scorer`}.

        Such a function raises `metric.scorer.Missing` where weights are not there. Pictures in `scored` need none of
        these to be compared with the true ones.
        """
        return {}

    def inference(self, networks: Networks) -> dict[str, Exported]:
        """Graphs to export: dict of graph name -> Exported."""
        raise NotImplementedError(f"{type(self).__name__} defines no inference")


def choose_device(device: str) -> None:
    """Compute on "cpu", "gpu", or with "auto" on a GPU where there is one; of several on the one the launcher gave.

    Raises:
        InputError: "gpu" was asked for and there is none.
    """
    has_gpu = paddle.device.is_compiled_with_cuda() and paddle.device.cuda.device_count() > 0
    if device == "gpu" and not has_gpu:
        build = "finds none" if paddle.device.is_compiled_with_cuda() else "is a CPU build"
        raise InputError(f"--device gpu: no GPU, the installed Paddle {build}; expected a GPU or --device cpu")
    paddle.set_device("gpu" if has_gpu and device != "cpu" else "cpu")


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


@contextmanager
def evaluating(networks: Networks) -> Iterator[Networks]:
    """Networks in evaluation mode and without gradients inside the block; their modes come back after it."""
    modes = {name: network.training for name, network in networks.items()}
    for network in networks.values():
        network.eval()
    try:
        with paddle.no_grad():
            yield networks
    finally:
        for name, network in networks.items():
            network.train() if modes[name] else network.eval()


@contextmanager
def frozen(*networks: nn.Layer) -> Iterator[None]:
    """No gradients for the parameters of these networks inside the block; saves time, never needed for correctness."""
    parameters = [p for network in networks for p in network.parameters() if not p.stop_gradient]
    for parameter in parameters:
        parameter.stop_gradient = True
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.stop_gradient = False


def total(terms: Tensors, weights: Mapping[str, float]) -> Tensor:
    """Weighted sum of loss terms.

    Args:
        terms: name -> scalar tensor.
        weights: name -> factor; every term needs one.
    """
    return cast(Tensor, sum(terms[name] * weights[name] for name in terms))


def prefixed(prefix: str, terms: Tensors) -> Tensors:
    """The same terms with names `<prefix>/<term>`, detached, ready for the log."""
    return {f"{prefix}/{name}": value.detach() for name, value in terms.items()}
