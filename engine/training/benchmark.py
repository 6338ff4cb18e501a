"""Speed of training steps against the machine's limit."""

import itertools
from collections.abc import Iterator
from typing import Any

import paddle

from engine import onednn
from engine.measuring import Limit, Row, Timing, dense_gflop, measure, weighted
from engine.run_config import RunConfig
from engine.system import build_system, prepare_training
from engine.training.updater import Updater


def rows(config: RunConfig, title: str, repeats: int) -> Iterator[Row]:
    """Rows of a plain step, of the mean step where some work is done at every n-th only, of a plain one without oneDNN.

    Args:
        config: of a system with `passes`, whose batch is an image and its degraded copy.
        title: how the rows begin.
        repeats: of each measurement.
    """
    recipe: Any = config.recipe
    system, count = build_system(config), config.data.batch_size
    prepare_training(system)
    updater = Updater(config.optimizers, system.trainable, config.train.precision)
    image = paddle.rand([count, 3, recipe.size, recipe.size])
    batch, limit = {"image": image, "degraded": image * 0.9}, Limit()
    (exported,) = system.inference(system.networks).values()
    layers = system.networks | dict.fromkeys(system.averaged, exported.built())
    works = {name: dense_gflop(layer, [1, *image.shape[1:]]) for name, layer in layers.items()}
    plain, *lazy = system.passes.values()
    periods, step = [getattr(recipe, key) for key in system.passes if key], 1

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
    label = f"{title}, {recipe.size} px, batch {count}"

    def work(passes):
        return count * sum(works[name] * times for name, times in passes.items())

    means = (timings[0], weighted(zip(timings, weights, strict=True)))
    added = (0.0, sum(work(passes) / period for passes, period in zip(lazy, periods, strict=True)))
    kinds = ("plain step", "mean step", "plain step by Paddle's own convolutions")
    for name, timing, more in zip(kinds, (*means, eager), (*added, 0.0), strict=True):
        rate = f"{count / timing.seconds:.2f} images/s"
        yield Row("training", f"{label}: {name}", timing, work(plain) + more, rate)
