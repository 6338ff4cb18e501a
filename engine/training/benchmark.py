"""Speed of training steps against the machine's limit."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import paddle

from engine import config as configuration
from engine import onednn
from engine.measuring import Limit, Row, Timing, measure, weighted
from engine.system import System, build_system, prepare_training
from engine.training.updater import Updater


def rows(
    path: Path,
    overrides: Sequence[tuple[str, Any, str]],
    gflop: Callable[[System], Mapping[str, float]],
    plain: Mapping[str, int],
    lazy: Mapping[str, Mapping[str, int]],
    repeats: int,
) -> Iterator[Row]:
    """Rows of a plain step, of the mean step where some work is done at every n-th only, of a plain one without oneDNN.

    Args:
        path: the YAML of a run, whose batch is an image and its degraded copy.
        overrides: of engine.config.load.
        gflop: system -> {network: work of one forward for one picture}.
        plain: network -> forward passes of a plain step for one picture, a backward counted as two.
        lazy: what is added at every n-th step, the most frequent first: the key of the recipe that holds n, a multiple
            of the one before -> forward passes as in `plain`.
        repeats: of each measurement.
    """
    config = configuration.load(path, overrides)
    recipe: Any = config.recipe
    system, count = build_system(config), config.data.batch_size
    prepare_training(system)
    updater = Updater(config.optimizers, system.trainable, config.train.precision)
    image = paddle.rand([count, 3, recipe.size, recipe.size])
    batch, limit, works = {"image": image, "degraded": image * 0.9}, Limit(), gflop(system)
    periods, step = [getattr(recipe, key) for key in lazy], 1

    def timed(step: int) -> Timing:
        return measure(limit, lambda: system.train_step(batch, step, updater), repeats, warm_up=1)

    timings = [timed(1)]
    with onednn.plain():
        eager = timed(1)
    for period in periods:
        step *= period
        timings.append(timed(step))
    shares = [1 / period for period in periods] + [0]
    weights = [1 - shares[0], *(one - other for one, other in itertools.pairwise(shares))]
    label = f"{path.stem}, {recipe.size} px, batch {count}"

    def work(passes):
        return count * sum(works[name] * times for name, times in passes.items())

    means = (timings[0], weighted(zip(timings, weights, strict=True)))
    added = (0.0, sum(work(passes) / period for passes, period in zip(lazy.values(), periods, strict=True)))
    kinds = ("plain step", "mean step", "plain step by Paddle's own convolutions")
    for name, timing, more in zip(kinds, (*means, eager), (*added, 0.0), strict=True):
        rate = f"{count / timing.seconds:.2f} images/s"
        yield Row("training", f"{label}: {name}", timing, work(plain) + more, rate)
