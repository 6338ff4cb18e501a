"""One optimizer step: the only place where precision, gradient clipping and data parallelism meet."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import paddle
from paddle import Tensor

from engine import distributed
from engine.run_config import OptimizerConfig

SCALER = "scaler"
_AMP_TYPES: dict[str, Any] = {"fp16": "float16", "bf16": "bfloat16"}


def learning_rate(config: OptimizerConfig, step: int) -> float:
    """Learning rate at `step`: lr times gamma for every milestone reached, times the factor of a linear decay.

    Needs no state, so resuming is exact.
    """
    rate = config.lr * config.gamma ** sum(step >= milestone for milestone in config.milestones)
    if config.decay is None:
        return rate
    start, steps = config.decay.start, config.decay.steps
    length = steps - start if config.decay.kind == "linear" else steps
    return rate * max(0.0, 1 - max(0, step - start) / length)


def build_optimizer(config: OptimizerConfig, parameters: Sequence[Tensor]) -> Any:
    """The Paddle optimizer an OptimizerConfig describes, every number passed on explicitly."""
    clip = None if config.clip_norm is None else paddle.nn.ClipGradByGlobalNorm(config.clip_norm)
    decay = paddle.regularizer.L2Decay(config.weight_decay) if config.weight_decay else None
    common: dict[str, Any] = {
        "learning_rate": config.lr,
        "parameters": parameters,
        "grad_clip": clip,
        "weight_decay": decay,
    }
    if config.kind == "momentum":
        return paddle.optimizer.Momentum(momentum=config.momentum, **common)
    if config.kind == "adam":
        return paddle.optimizer.Adam(beta1=config.beta1, beta2=config.beta2, epsilon=config.epsilon, **common)
    return paddle.optimizer.Adadelta(rho=config.rho, epsilon=config.epsilon, **common)


class Updater:
    """Steps optimizers from losses: `update("generator", loss)` or `update(("encoder", "decoder"), loss)`."""

    def __init__(
        self, configs: Mapping[str, OptimizerConfig], trainable: Mapping[str, Sequence[Tensor]], precision: str = "fp32"
    ) -> None:
        """Build one optimizer for each entry of `trainable`.

        Args:
            configs: optimizer name -> OptimizerConfig.
            trainable: optimizer name -> list of parameters.
            precision: "fp32", "fp16" or "bf16"; the type of autocast. On CPU autocast changes nothing.
        """
        self.configs = configs
        self.parameters = trainable
        self.optimizers = {name: build_optimizer(configs[name], parameters) for name, parameters in trainable.items()}
        self.precision = precision
        self.scaler = paddle.amp.GradScaler(enable=precision == "fp16")

    def set_learning_rate(self, step: int) -> dict[str, float]:
        """Set every optimizer's learning rate for `step`; returns name -> value."""
        rates = {name: learning_rate(self.configs[name], step) for name in self.optimizers}
        for name, rate in rates.items():
            self.optimizers[name].set_lr(rate)
        return rates

    @contextmanager
    def autocast(self) -> Iterator[None]:
        """Run the block's forward passes in the run's precision."""
        if self.precision == "fp32":
            yield
            return
        with paddle.amp.auto_cast(dtype=_AMP_TYPES[self.precision]):
            yield

    @contextmanager
    def float32(self) -> Iterator[None]:
        """Leave autocast inside the block: for gradient penalties."""
        with paddle.amp.auto_cast(enable=False):
            yield

    def __call__(self, names: str | Sequence[str], loss: Tensor, reaches_all: bool = False) -> None:
        """One step of the named optimizers on `loss`, a scalar. Their gradients are cleared first, so none leaks in.

        A parameter that the loss does not reach is skipped: neither its moments nor Adam's count of its steps move.
        `reaches_all` gives it the gradient 0 instead, as where the reference adds 0 times something to its loss.
        """
        names = (names,) if isinstance(names, str) else names
        with self.float32():
            for name in names:
                self.optimizers[name].clear_grad(set_to_zero=False)
            self.scaler.scale(loss).backward()
            for name in names:
                distributed.average_gradients(self.parameters[name])
                for parameter in self.parameters[name] if reaches_all else ():
                    if parameter.grad is None:
                        parameter.grad = paddle.zeros_like(parameter)
                with paddle.utils.unique_name.guard():  # accumulators get the same names in a resumed process
                    self.scaler.step(self.optimizers[name])
            self.scaler.update()

    def state(self) -> dict[str, np.ndarray]:
        """Accumulators as `<optimizer>/<parameter number>/<name>`, the loss scale as `scaler/<name>` -> array."""
        scaler = {f"{SCALER}/{key}": np.asarray(value) for key, value in self.scaler.state_dict().items()}
        return {key: tensor.numpy() for key, tensor in self._accumulators()} | scaler

    def _accumulators(self):
        for name, optimizer in self.optimizers.items():
            state = optimizer.state_dict()
            for number, parameter in enumerate(self.parameters[name]):
                prefix = parameter.name + "_"
                for key, tensor in state.items():
                    if key.startswith(prefix) and isinstance(tensor, paddle.Tensor):
                        yield f"{name}/{number}/{key.removeprefix(prefix)}", tensor

    def load_state(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Restore what `state` returned, into freshly built optimizers of the same parameters."""
        scaler = {key.partition("/")[2]: array for key, array in arrays.items() if key.startswith(f"{SCALER}/")}
        if scaler:  # a run in fp16; Paddle takes the scale as an array of one, the rest as numbers
            scale: Any = {"scale": scaler.pop("scale").reshape(-1)}
            self.scaler.load_state_dict(scale | {key: array.item() for key, array in scaler.items()})
        arrays = {key: array for key, array in arrays.items() if not key.startswith(f"{SCALER}/")}
        for name, optimizer in self.optimizers.items():
            state = {}
            for key, array in arrays.items():
                owner, number, suffix = key.split("/")
                if owner == name:
                    parameter = self.parameters[name][int(number)]
                    state[f"{parameter.name}_{suffix}"] = paddle.to_tensor(array)
            optimizer.set_state_dict(state)
