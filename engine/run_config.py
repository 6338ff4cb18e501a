"""The sections of a run's YAML file, typed; `recipe` and the data sets bring their own."""

from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, Field, SerializeAsAny, model_validator

from engine.settings import Settings


class DecayConfig(Settings):
    """A learning rate that falls on a line from step `start` on, down from 1.

    linear: factor 1 - (step - start) / (steps - start), 0 at `steps`. linear_seed: divided by `steps` instead, as
    SATNet's released code does, which ends at 0.889 for start 400000 of 450000.
    """

    kind: Literal["linear", "linear_seed"]
    start: int = Field(ge=0)
    steps: int = Field(gt=0)

    @model_validator(mode="after")
    def _ends_later(self):
        if self.steps <= self.start:
            raise ValueError(f"steps is {self.steps}; expected more than start, {self.start}")
        return self


class OptimizerConfig(Settings):
    """One optimizer. Every number is written in the YAML; none is left to the framework's default."""

    kind: Literal["adam", "adadelta", "momentum"]
    lr: float = Field(gt=0)
    beta1: float = Field(default=0.9, ge=0, lt=1)
    beta2: float = Field(default=0.999, ge=0, lt=1)
    epsilon: float = Field(default=1e-8, gt=0)
    rho: float = Field(default=0.9, ge=0, lt=1)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    weight_decay: float = Field(default=0.0, ge=0)  # L2: added to the gradient, as torch does
    milestones: tuple[int, ...] = ()
    gamma: float = Field(default=0.5, gt=0)
    decay: DecayConfig | None = None
    clip_norm: float | None = Field(default=None, gt=0)


class EMAConfig(Settings):
    """Moving average of the networks a system lists in `averaged`: average = decay * average + (1 - decay) * new."""

    decay: float = Field(ge=0, lt=1)


class Unread(Settings):
    """A data section as a program leaves it that makes no data set; `engine.config.with_data` reads it after all."""

    model_config = ConfigDict(extra="allow")


class DataConfig(Settings):
    """Training and validation sets; batch size is a process's, so data-parallel runs multiply it."""

    train: SerializeAsAny[Settings]
    validation: SerializeAsAny[Settings]
    batch_size: int = Field(gt=0)
    num_workers: int | None = Field(default=None, ge=0)


class BestConfig(Settings):
    """Validation score that chooses the weights of best.pdparams, e.g. texture_distance/caricature."""

    score: str
    better: Literal["lower", "higher"]


class TrainConfig(Settings):
    """Length of a run and how often things happen, in steps; 0 means never.

    `steps` may be null where the system finds it from the training set. `measures` names costly measures of the system
    that a validation computes too.
    """

    steps: int | None = Field(ge=0)
    start_step: int = Field(default=0, ge=0)
    precision: Literal["fp32", "fp16", "bf16"] = "fp32"
    to_static: bool = False
    log_every: int = Field(default=100, gt=0)
    save_every: int = Field(default=10000, ge=0)
    validate_every: int = Field(default=0, ge=0)
    preview_every: int = Field(default=1000, ge=0)
    keep: int = Field(default=3, gt=0)
    measures: tuple[str, ...] = ()
    best: BestConfig | None = None


class OutputConfig(Settings):
    """Folders of a run. Without `dir` a numbered folder below runs/; without `samples` the run's own samples/."""

    dir: Path | None = None
    samples: Path | None = None


class RunConfig(Settings):
    """Everything a run depends on. `recipe` is the system's own Config, `data.*` that of the dataset's class."""

    system: str
    seed: int = Field(default=0, ge=0, lt=2**32)
    data: DataConfig
    optimizers: dict[str, OptimizerConfig]
    ema: EMAConfig | None = None
    recipe: SerializeAsAny[Settings]
    train: TrainConfig
    output: OutputConfig = OutputConfig()
    flags: dict[str, str | tuple[str, ...]] = {}
    flags_imply: dict[str, str] = {}
