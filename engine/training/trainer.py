"""The training loop every system shares: learning rate, step, average, log, preview, validation, checkpoint, resume.

Randomness and schedules are functions of the step number: each step seeds the generators from (seed, step), so a
resumed run draws what an uninterrupted one would.
"""

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import paddle

from engine import config as configuration
from engine import distributed
from engine.errors import ConfigError, InputError, WorkerDied
from engine.log import logger
from engine.run_config import RunConfig
from engine.system import evaluating, prepare_training
from engine.training import checkpoint, resume, static_graphs
from engine.training.ema import EMA
from engine.training.run_folder import git_commit
from engine.training.run_log import RunLog
from engine.training.stopping import Stopped, Stops
from engine.training.updater import Updater
from engine.training.validation import best_so_far, keep_best, preview_grid
from engine.weights.files import load_into
from engine.weights.networks import load_networks


def due(step: int, every: int) -> bool:
    """True where something that happens every `every` steps (0: never) happens after `step` steps."""
    return every > 0 and step % every == 0


class Trainer:
    """Runs a system from its first or resumed step to its last."""

    def __init__(
        self,
        config: RunConfig,
        system: Any,
        folder: Path | str,
        batches: Any,
        evaluate: Callable[[dict[str, Any]], dict[str, float]] | None = None,
        preview_batch: Callable[[], dict[str, Any]] | None = None,
    ) -> None:
        """Build optimizers and averages.

        Args:
            config: everything the run depends on.
            system: a System.
            folder: run folder; made if it is not there.
            batches: object with `epoch(step)` and `iterate(first_step, last_step)`, an iterator of batches.
            evaluate: of a validation, or None.
            preview_batch: for preview pictures, or None.
        """
        self.config, self.system, self.folder = config, system, Path(folder)
        self.batches: Any = batches
        self.evaluate: Any = evaluate
        self.preview_batch: Any = preview_batch
        prepare_training(system)
        self._check_optimizers()
        self.updater = Updater(config.optimizers, system.trainable, config.train.precision)
        averaged = {name: system.networks[name] for name in system.averaged}
        self.ema = EMA(averaged, config.ema.decay if config.ema else 0.0)
        if config.train.to_static:
            static_graphs.capture(system.networks, system.static)
        self.step = config.train.start_step
        self.saved_step: int | None = None
        self.changes: list[dict[str, Any]] = []
        self.notes: list[str] = []
        self.window: dict[str, tuple[float, int]] = {}
        self.pending: list[tuple[int, list[str], list[str], paddle.Tensor]] = []
        self.stops = Stops()
        self.data = resume.data_fingerprints(config)

    def _check_optimizers(self):
        wanted, found = set(self.system.trainable), set(self.config.optimizers)
        if wanted != found:
            raise ConfigError(f"optimizers: {self.config.system} needs {sorted(wanted)}, found {sorted(found)}")
        if self.system.averaged and self.config.ema is None:
            raise ConfigError(f"ema: missing; {self.config.system} averages {list(self.system.averaged)}")

    def evaluated_networks(self) -> dict[str, Any]:
        """Networks for evaluation: the averaged one where there is one."""
        return self.system.networks | self.ema.networks

    def load_pretrained(self, path: Path | str) -> None:
        """Start from weights: every network the file holds is loaded strictly, the others keep their initial values."""
        loaded = load_networks(self.system, path)
        self.ema.restart(self.system.networks)
        fresh = [name for name in self.system.networks if name not in loaded]
        logger.info(f"{path}: loaded {', '.join(loaded)}" + (f"; from scratch: {', '.join(fresh)}" if fresh else ""))

    def resume(self, path: Path | str, with_changes: bool = False) -> None:
        """Continue from a checkpoint folder. ConfigError names a key that must not differ (engine.training.resume).

        Args:
            path: the folder.
            with_changes: other keys may differ too; what does is told and kept in later checkpoints.
        """
        saved = checkpoint.load_checkpoint(path)
        meta = resume.saved_run(path, self.config)
        lines = resume.changes(path, meta, self.config, self.data, with_changes)
        self.changes = meta.get("changes", []) + ([{"step": saved.step, "changed": lines}] if lines else [])
        for name, network in self.system.networks.items():
            load_into(network, saved.networks[name], f"{path}/{name}.pdparams")
        for name, network in self.ema.networks.items():
            load_into(network, saved.ema[name], f"{path}/{name}_ema.pdparams")
        self.updater.load_state(_part(saved.train_state, "optimizer/"))
        for name, array in _part(saved.train_state, "state/").items():
            self.system.state[name] = paddle.to_tensor(array)
        self.step, self.window = saved.step, {name: tuple(pair) for name, pair in meta["window"].items()}
        self.saved_step = saved.step
        self.notes = [f"resumed from {path} at step {self.step}", *(f"changed here: {line}" for line in lines)]

    def run(self) -> None:
        """Train to the configured number of steps. Stopped after a signal; InputError for a non-finite loss."""
        train = self.config.train
        distributed.broadcast_parameters(self.system.networks)
        distributed.broadcast_parameters(self.ema.networks)  # under the same names, so not in one dict
        samples = self.config.output.samples or self.folder / "samples"
        self.out = RunLog(self.folder, Path(samples), self.step, train.steps)
        for note in self.notes:
            logger.info(note)
        if train.precision != "fp32" and paddle.get_device().startswith("cpu"):
            logger.info(f"precision {train.precision}: autocast is a no-op on a CPU; this run computes in float32")
        try:
            with self.stops.listening():
                if self.saved_step is not None:
                    self._complete_saved()
                self._loop(train)
            if train.to_static:
                logger.info(f"to_static: {static_graphs.compiled()} graphs compiled")
        finally:
            self.out.close()

    def _complete_saved(self):
        """Do what a kill after the save of this step left undone: `latest`, preview, validation."""
        if distributed.is_main():
            if self.config.train.best is not None:
                best_so_far(self.folder, self.config.train.best)
            arrays = _arrays(self.evaluated_networks())
            checkpoint.finish_save(self.folder, self.step, arrays, self.config.train.keep)
        if self.step > self.config.train.start_step:
            self._look(only_missing=True)

    def _loop(self, train):
        iterator = iter(self.batches.iterate(self.step, train.steps))
        reader_cost, samples, steps, began = 0.0, 0, 0, time.perf_counter()
        while self.step < train.steps:
            fetched = time.perf_counter()
            batch = self._fetch(iterator)
            self._leave_if_asked()
            reader_cost += time.perf_counter() - fetched
            samples, steps = samples + len(batch["name"]), steps + 1
            rates = self.updater.set_learning_rate(self.step)
            self._one_step(batch)
            self.out.advance()
            if due(self.step, train.log_every) or self.step == train.steps:
                scalars = self._flush()
                cost = (time.perf_counter() - began) / steps
                timing = {"reader_cost": reader_cost / steps, "batch_cost": cost, "samples": samples // steps}
                self.out.training(self.step, self.batches.epoch(self.step), scalars, rates, timing)
                self.window = {}
                reader_cost, samples, steps, began = 0.0, 0, 0, time.perf_counter()
            if due(self.step, train.save_every) or self.step == train.steps:
                self.save()
            self._look()
        self._leave_if_asked()
        if self.saved_step != self.step:
            self.save()

    def _fetch(self, iterator):
        """The next batch; None where a data worker died, which ends the run before its step."""
        try:
            return next(iterator)
        except WorkerDied as died:
            self.stops.stopped = self.stops.stopped or Stopped(str(died), 1)
            return None

    def _leave_if_asked(self):
        """Between two steps: save and stop, all ranks together, where one was asked to."""
        if distributed.any_rank(self.stops.stopped is not None):
            if self.saved_step != self.step:
                self.save()
            raise self.stops.stopped or Stopped("another process", 1)

    def _look(self, only_missing=False):
        """Preview and validate where they are due; rank 0 looks, the others wait. Both are given up for a signal."""
        train = self.config.train
        previews = self.preview_batch is not None and (due(self.step, train.preview_every) or self.step == train.steps)
        validates = self.evaluate is not None and due(self.step, train.validate_every)
        if distributed.is_main() and previews and not (only_missing and self.out.picture_path(self.step).exists()):
            self.preview()
        if distributed.is_main() and validates and not (only_missing and self.step in self.out.validated):
            self.validate()
        if validates or previews:
            distributed.wait()

    def _one_step(self, batch):
        """Seed, compute, update the averages; keep the scalars on the device until the next record."""
        self._seed()
        with self.updater.autocast():
            scalars = self.system.train_step(batch, self.step, self.updater)
        self.ema.update(self.system.networks)
        self.step += 1
        values = paddle.stack([value.reshape([]).astype("float32") for value in scalars.values()])
        self.pending.append((self.step, batch["name"], list(scalars), values))

    def _seed(self):
        paddle.seed((self.config.seed * 1_000_003 + self.step) % 2**31)

    def _flush(self):
        """Read the scalars of the steps since the last call, stop at a non-finite one, return the window's means.

        Values are means over the ranks, so every rank stops at the same step and a resume needs no other rank's window.
        """
        values = paddle.concat([values for *_, values in self.pending]).numpy().tolist() if self.pending else []
        values = iter(distributed.mean_over_ranks(values))
        for step, names, terms, _ in self.pending:
            for term, value in zip(terms, values, strict=False):
                if not math.isfinite(value):
                    raise InputError(self._non_finite(step, term, value, names))
                total, count = self.window.get(term, (0.0, 0))
                self.window[term] = (total + value, count + 1)
        self.pending = []
        return {term: total / count for term, (total, count) in self.window.items()}

    def _non_finite(self, step, term, value, names):
        newest = checkpoint.newest_checkpoint(self.folder)
        kept = f"the newest checkpoint is {newest}" if newest else "no checkpoint was saved before"
        return f"step {step}: {term} is {value}; files of that step: {', '.join(names)}; {kept}"

    def save(self) -> None:
        """Write a checkpoint after checking that every loss so far was finite."""
        self._flush()
        if distributed.is_main():
            arrays = {f"optimizer/{key}": array for key, array in self.updater.state().items()}
            arrays |= {f"state/{name}": tensor.numpy() for name, tensor in self.system.state.items()}
            meta = {
                "config": configuration.as_dict(self.config),
                "config_hash": configuration.digest(self.config),
                "window": self.window,
                "data": self.data,
                "changes": self.changes,
                "system": self.config.system,
                "git_commit": git_commit(),
                "paddle_version": paddle.__version__,
                **self.system.log_header,
            }
            path = checkpoint.save_checkpoint(
                self.folder,
                self.step,
                _arrays(self.system.networks),
                _arrays(self.ema.networks),
                arrays,
                meta,
                self.config.train.keep,
            )
            logger.info(f"saved {path}")
        self.saved_step = self.step
        distributed.wait()

    def preview(self) -> None:
        """Save a grid of the system's pictures for the first validation batch."""
        self._seed()
        networks = self.evaluated_networks()
        grid = self.stops.unless_asked(lambda: preview_grid(self.system, self.preview_batch(), networks))
        if grid is not None:
            self.out.picture(self.step, grid)

    def validate(self) -> None:
        """Evaluate the averaged networks, keep them if they are the best, record the numbers."""
        self._seed()
        with evaluating(self.evaluated_networks()) as networks:
            scores = self.stops.unless_asked(lambda: self.evaluate(networks))
        if scores is None:
            return
        if self.config.train.best is not None:
            keep_best(self.folder, self.config.train.best, self.step, scores, _arrays(self.evaluated_networks()))
        self.out.record(self.step, {f"validation/{name}": value for name, value in scores.items()})
        logger.info(f"validation at step {self.step}: " + ", ".join(f"{k} {v:.4f}" for k, v in scores.items()))


def _arrays(networks):
    return {
        name: {key: tensor.numpy() for key, tensor in network.state_dict().items()}
        for name, network in networks.items()
    }


def _part(arrays, prefix):
    return {key.removeprefix(prefix): array for key, array in arrays.items() if key.startswith(prefix)}
