"""The YAML file of an ablation: one configuration, the changes of its variants, their scores.

    config: configs/landmark_lite.yaml
    seeds: [0, 1, 2]
    overrides: {train.validate_every: 0}        for all runs
    variants:                                   the first is what the others are compared with
      none: {recipe.landmark: none}
      loss: {recipe.landmark: loss}
    scores:                                     columns, in this order
      psnr/composite: {better: higher, title: PSNR (dB), digits: 2}
      fid_proxy/photo: {better: lower}
    baselines:                                  rows for what needs no training: column -> the score that stands there
      mean pixel: {psnr/composite: psnr/masked}
    judges:                                     networks of another system that score the pictures
      stranger: {config: configs/landmark_predictor_lite.yaml, seed: 1}
    pictures: {shown: composite, beside: [masked, image], count: 6}

A score is `metric/picture` for the metrics of `PAIRED` and the pictures the system lists as `scored`; `measure/name`
for its own `measures`; `judge/score/picture` for a judge, whose picture may also be the true one, `image`.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from engine import config as configuration
from engine.errors import ConfigError
from engine.files import read_yaml
from engine.run_config import RunConfig
from engine.settings import Settings
from engine.system import System, build_system
from metric.evaluation import registry

PAIRED = ("psnr", "ssim", "mse", "l1", *registry.HOLES)
OWN_KEYS = ("seed", "output.dir")  # set by the tool
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")]


class ScoreSettings(Settings):
    """One column: which way is better, its title (the score's name where there is none), decimals."""

    better: Literal["higher", "lower"]
    title: str | None = None
    digits: int = Field(default=4, ge=0)


class JudgeSettings(Settings):
    """A system that sees the pictures as its `image`, nothing covered, and whose `measured` metrics are the scores.

    `weights`: a file. Without it the judge is trained first, by `config` with `overrides` and `seed`. `paired`: keys of
    the batch -> what the judge makes of the true picture, to stand there in further scores,
    `judge/score_paired/picture`: its error in the true picture then is no part of them.
    """

    config: Path
    overrides: dict[str, Any] = {}
    seed: int = Field(default=0, ge=0)
    weights: Path | None = None
    paired: dict[str, str] = {}


class PictureSettings(Settings):
    """pictures.png: the first `count` held-out inputs, `shown` of each variant, `beside` left of them."""

    shown: str
    beside: tuple[str, ...] = ()
    count: int = Field(default=6, gt=0)


class Experiment(Settings):
    """See the module."""

    config: Path
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field(min_length=1)
    overrides: dict[str, Any] = {}
    variants: dict[Name, dict[str, Any]] = Field(min_length=2)
    scores: dict[str, ScoreSettings] = Field(min_length=1)
    baselines: dict[str, dict[str, str]] = {}
    judges: dict[Name, JudgeSettings] = {}
    pictures: PictureSettings | None = None

    @field_validator("seeds")
    @classmethod
    def _each_once(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) < len(seeds):
            raise ValueError(f"a seed is given twice in {list(seeds)}")
        return seeds

    @model_validator(mode="after")
    def _own_keys(self):
        for name, overrides in {"overrides": self.overrides, **self.variants}.items():
            for key in overrides:
                if key in OWN_KEYS:
                    raise ValueError(f"{name} sets {key}, which is set for every run")
                if name != "overrides" and key.startswith("data.validation"):
                    raise ValueError(f"variant {name} sets {key}; all variants are scored on one held-out set")
        for row, cells in self.baselines.items():
            for column in cells:
                if column not in self.scores:
                    raise ValueError(f"baseline '{row}' fills the column '{column}', which is not in scores")
        return self

    def wanted(self) -> list[str]:
        """Every score that is needed, those of the baselines included."""
        return [*self.scores, *(key for cells in self.baselines.values() for key in cells.values())]


def read_experiment(path: Path, overrides: Iterable[tuple[str, Any]] = ()) -> Experiment:
    """Read and check an experiment file, every variant's configuration included.

    Args:
        path: the file.
        overrides: (key, value) pairs of the command line; they come after the file's `overrides`.

    Returns:
        Experiment. ConfigError in one line for anything wrong.
    """
    content = read_yaml(path)
    if given := dict(overrides):
        content["overrides"] = (content.get("overrides") or {}) | given
    experiment = configuration.validate(Experiment, content, str(path), "")
    for name in experiment.variants:
        config = variant_config(experiment, name, experiment.seeds[0], path)
    _check_scores(experiment, build_system(config), path)
    return experiment


def base_config(experiment: Experiment) -> RunConfig:
    """The configuration with what is common to all runs; its validation set is the held-out set."""
    return configuration.load(experiment.config, _labelled(experiment.overrides, "experiment.overrides"))


def variant_config(experiment: Experiment, name: str, seed: int, source: str | Path = "experiment") -> RunConfig:
    """The configuration of one run."""
    overrides = _labelled(experiment.overrides, f"{source}.overrides")
    overrides += _labelled(experiment.variants[name], f"{source}.variants.{name}")
    return configuration.load(experiment.config, [*overrides, ("seed", seed, "seeds")])


def judge_config(judge: JudgeSettings, source: str = "judge") -> RunConfig:
    """The configuration by which a judge is trained or built."""
    return configuration.load(judge.config, [*_labelled(judge.overrides, source), ("seed", judge.seed, source)])


def _labelled(overrides, label):
    return [(key, value, f"{label}.{key}") for key, value in overrides.items()]


def _check_scores(experiment: Experiment, system: System, path: Path) -> None:
    """ConfigError for a score or a picture the system does not give; names inside a measure are its own affair."""
    for name, judge in experiment.judges.items():
        judging = build_system(judge_config(judge, f"{path}.judges.{name}"))
        if not judging.measures():
            raise ConfigError(f"{path}.judges.{name}: {type(judging).__name__} has no measures")
    measures = [*system.measures(), *experiment.judges]
    for key in experiment.wanted():
        metric, _, rest = key.partition("/")
        if not (rest in system.scored if metric in PAIRED else rest and metric in measures):
            raise ConfigError(
                f"{path}.scores: '{key}' is not known; expected one of {', '.join(PAIRED)} of "
                f"{', '.join(system.scored) or 'nothing'}, or NAME/SCORE of {', '.join(measures) or 'no measure'}"
            )
    for kind in [experiment.pictures.shown, *experiment.pictures.beside] if experiment.pictures else ():
        if kind not in system.shown:
            raise ConfigError(f"{path}.pictures: '{kind}' is not known; expected one of {', '.join(system.shown)}")
