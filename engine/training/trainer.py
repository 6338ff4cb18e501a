"""The training loop every system shares: learning rate, step, average, log, preview, validation, checkpoint, resume.

Randomness and schedules are functions of the step number: each step seeds the generators from (seed, step), so a
resumed run draws what an uninterrupted one would.
"""

import json
import math
import signal
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import paddle

from engine import config as configuration
from engine import distributed, images
from engine.errors import ConfigError, InputError
from engine.files import write_text
from engine.log import RunLog, logger
from engine.system import evaluating
from engine.training import checkpoint, static_graphs
from engine.training.ema import EMA
from engine.training.updater import Updater
from engine.weights.files import load_into
from engine.weights.networks import load_networks


def due(step, every):
    """True where something that happens every `every` steps (0: never) happens after `step` steps."""
    return every > 0 and step % every == 0


class Stopped(Exception):
    """The run was asked to stop; its checkpoint is saved. `status` is the process's exit status."""

    def __init__(self, number):
        """Take the signal's number."""
        super().__init__(signal.Signals(number).name)
        self.status = 128 + number


class Trainer:
    """Runs a system from its first or resumed step to its last."""

    def __init__(self, config, system, folder, batches, evaluate=None, preview_batch=None):
        """Build optimizers and averages.

        Args:
            config: RunConfig.
            system: the System.
            folder: run folder; made if it is not there.
            batches: object with `epoch(step)` and `iterate(first_step, last_step)`, an iterator of batches.
            evaluate: callable(networks) -> dict of floats, or None.
            preview_batch: callable() -> batch for preview pictures, or None.
        """
        self.config, self.system, self.folder = config, system, Path(folder)
        self.batches, self.evaluate, self.preview_batch = batches, evaluate, preview_batch
        self._check_optimizers()
        system.prepare_training()
        self.updater = Updater(config.optimizers, system.trainable, config.train.precision)
        averaged = {name: system.networks[name] for name in system.averaged}
        self.ema = EMA(averaged, config.ema.decay if config.ema else 0.0)
        if config.train.to_static:
            static_graphs.capture(system.networks, system.static)
        self.step = config.train.start_step
        self.window, self.pending, self.stop_signal = {}, [], None

    def _check_optimizers(self):
        wanted, found = set(self.system.trainable), set(self.config.optimizers)
        if wanted != found:
            raise ConfigError(f"optimizers: {self.config.system} needs {sorted(wanted)}, found {sorted(found)}")
        if self.system.averaged and self.config.ema is None:
            raise ConfigError(f"ema: missing; {self.config.system} averages {list(self.system.averaged)}")

    def evaluated_networks(self):
        """Networks for evaluation: the averaged one where there is one."""
        return self.system.networks | self.ema.networks

    def load_pretrained(self, path):
        """Start from weights: every network the file holds is loaded strictly, the others keep their initial values."""
        loaded = load_networks(self.system, path)
        self.ema.restart(self.system.networks)
        fresh = [name for name in self.system.networks if name not in loaded]
        logger.info(f"{path}: loaded {', '.join(loaded)}" + (f"; from scratch: {', '.join(fresh)}" if fresh else ""))

    def resume(self, path):
        """Go on from a checkpoint folder. ConfigError names a key that differs; `train.steps` and the place may."""
        saved = checkpoint.load_checkpoint(path)
        before = configuration.completed(saved.meta["config"], self.config)
        for key in configuration.differences(before, configuration.as_dict(self.config)):
            if key not in ("train.steps", "output.dir"):
                raise ConfigError(f"{path}: the run was started with another '{key}'; only train.steps may change")
        for name, network in self.system.networks.items():
            load_into(network, saved.networks[name], f"{path}/{name}.pdparams")
        for name, network in self.ema.networks.items():
            load_into(network, saved.ema[name], f"{path}/{name}_ema.pdparams")
        self.updater.load_state(_part(saved.train_state, "optimizer/"))
        for name, array in _part(saved.train_state, "state/").items():
            self.system.state[name] = paddle.to_tensor(array)
        self.step, self.window = saved.step, {name: tuple(pair) for name, pair in saved.meta["window"].items()}
        logger.info(f"resumed from {path} at step {self.step}")

    def run(self):
        """Train to the configured number of steps. Stopped after a signal; InputError for a non-finite loss."""
        train = self.config.train
        distributed.broadcast_parameters(self.system.networks)
        distributed.broadcast_parameters(self.ema.networks)  # under the same names, so not in one dict
        samples = self.config.output.samples or self.folder / "samples"
        self.out = RunLog(self.folder, Path(samples), self.step, train.steps)
        if train.precision != "fp32" and paddle.get_device().startswith("cpu"):
            logger.info(f"precision {train.precision}: autocast is a no-op on a CPU; this run computes in float32")
        try:
            with self._signals():
                self._loop(train)
            if train.to_static:
                logger.info(f"to_static: {static_graphs.compiled()} graphs compiled")
        finally:
            self.out.close()

    def _loop(self, train):
        saved = False
        iterator = iter(self.batches.iterate(self.step, train.steps))
        reader_cost, samples, steps, began = 0.0, 0, 0, time.perf_counter()
        while self.step < train.steps:
            fetched = time.perf_counter()
            batch = next(iterator)
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
            stopping = distributed.any_rank(self.stop_signal is not None)
            if due(self.step, train.save_every) or stopping or self.step == train.steps:
                self.save()
                saved = True
            if due(self.step, train.preview_every) or self.step == train.steps:
                self.preview()
            if due(self.step, train.validate_every):
                self.validate()
            if stopping:
                raise Stopped(self.stop_signal or signal.SIGTERM)
        if not saved:
            self.save()

    def _one_step(self, batch):
        """Seed, compute, update the averages; keep the scalars on the device until the next record."""
        paddle.seed((self.config.seed * 1_000_003 + self.step) % 2**31)
        with self.updater.autocast():
            scalars = self.system.train_step(batch, self.step, self.updater)
        self.ema.update(self.system.networks)
        self.step += 1
        values = paddle.stack([value.reshape([]).astype("float32") for value in scalars.values()])
        self.pending.append((self.step, batch["name"], list(scalars), values))

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

    def save(self):
        """Write a checkpoint after checking that every loss so far was finite."""
        self._flush()
        if distributed.is_main():
            arrays = {f"optimizer/{key}": array for key, array in self.updater.state().items()}
            arrays |= {f"state/{name}": tensor.numpy() for name, tensor in self.system.state.items()}
            meta = {
                "config": configuration.as_dict(self.config),
                "config_hash": configuration.digest(self.config),
                "window": self.window,
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
        distributed.wait()

    def preview(self):
        """Save a grid of the system's pictures for the first validation batch."""
        if self.preview_batch is None or not self.system.shown or not distributed.is_main():
            return
        batch = self.preview_batch()
        columns = batch | self.generate(batch)
        shown = [name for name in self.system.shown if name in columns]
        rows = [[images.to_hwc(columns[name][i]) for name in shown] for i in range(min(4, len(batch["name"])))]
        self.out.picture(self.step, images.picture_grid(rows, labels=shown))

    def validate(self):
        """Evaluate the averaged networks and record the numbers."""
        if self.evaluate is None or not distributed.is_main():
            distributed.wait()
            return
        with evaluating(self.evaluated_networks()) as networks:
            scores = self.evaluate(networks)
        self.out.record(self.step, {f"validation/{name}": value for name, value in scores.items()})
        logger.info(f"validation at step {self.step}: " + ", ".join(f"{k} {v:.4f}" for k, v in scores.items()))
        if self.config.train.best is not None:
            self.keep_best(scores)
        distributed.wait()

    def keep_best(self, scores):
        """Write best.pdparams and best.json where the configured score is better than all before it in this folder.

        Raises:
            InputError: there is no such score.
        """
        name, better = self.config.train.best.score, self.config.train.best.better
        if name not in scores:
            raise InputError(f"train.best.score: no score '{name}'; validation gives {', '.join(sorted(scores))}")
        note = self.folder / "best.json"
        before = json.loads(note.read_text(encoding="utf-8"))["value"] if note.is_file() else None
        value = float(scores[name])
        if before is None or (value < before if better == "lower" else value > before):
            checkpoint.write_networks(self.folder / "best.pdparams", _arrays(self.evaluated_networks()))
            write_text(note, json.dumps({"score": name, "value": value, "step": self.step}) + "\n")
            logger.info(f"best {name} so far: {value:.4f}; {self.folder / 'best.pdparams'}")

    def generate(self, batch):
        """The system's pictures with the averaged networks in evaluation mode."""
        with evaluating(self.evaluated_networks()) as networks:
            return self.system.generate(batch, networks)

    @contextmanager
    def _signals(self):
        """Let SIGINT and SIGTERM end the run after the current step; a second one ends it at once."""

        def handle(number, frame):
            if self.stop_signal is not None:
                raise KeyboardInterrupt
            self.stop_signal = number
            logger.info(f"{signal.Signals(number).name}: saving a checkpoint after this step")

        before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def git_commit():
    """Commit of the code, or "unknown" outside a git checkout."""
    try:
        command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _arrays(networks):
    return {
        name: {key: tensor.numpy() for key, tensor in network.state_dict().items()}
        for name, network in networks.items()
    }


def _part(arrays, prefix):
    return {key.removeprefix(prefix): array for key, array in arrays.items() if key.startswith(prefix)}
