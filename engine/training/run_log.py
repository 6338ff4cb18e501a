"""The records of a training run: `train.log` beside the console, `metrics.jsonl`, VisualDL, preview pictures.

Plain lines go to files and pipes; a terminal also gets a progress bar. The training line carries every token that
TIPC tools look for (`loss:`, `ips:`).
"""

import json
import logging
import os
import sys
import warnings
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from engine import distributed, images
from engine.errors import InputError
from engine.files import write_text
from engine.log import logger, to_console

SHOWN_PREVIEWS = 10  # pictures a resume writes to VisualDL again: as many as its page shows


class _LogFile(logging.FileHandler):
    """A log file; a line that cannot be written (disk full) stops the run in one line."""

    def handleError(self, record):
        """Called where the line is written, inside the handling of what went wrong."""
        raise InputError(_unwritten(self.baseFilename, sys.exc_info()[1])) from None


def _unwritten(path, error):
    return f"{path}: cannot be written ({getattr(error, 'strerror', None) or error})"


class RunLog:
    """Writes one training run's records below its folder. Only the main process writes."""

    def __init__(self, folder: Path, samples: Path, first_step: int, steps: int | None) -> None:
        """Open the log files; records of `metrics.jsonl` beyond `first_step` (a killed run's) are dropped.

        VisualDL reads the newest file of a folder only, so there is one, and it begins with the records kept.

        Args:
            folder: the run folder, which exists.
            samples: folder for preview pictures.
            first_step: steps already done.
            steps: steps the run will have done at its end.
        """
        to_console()
        self.folder, self.samples, self.steps = folder, samples, steps
        self.visual: Any = None
        self.bar: Any = None
        self.file: Any = None
        self.validated: set[int] = set()
        if not distributed.is_main():
            return
        kept = self._drop_records_after(first_step)
        self.file = _LogFile(folder / "train.log", encoding="utf-8", errors="backslashreplace")
        self.file.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        logger.addHandler(self.file)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from visualdl import LogWriter
        for earlier in (folder / "visualdl").glob("*vdlrecords*"):
            earlier.unlink()
        self.visual = LogWriter(logdir=str(folder / "visualdl"), file_name="vdlrecords.run.log")
        self._show_again(kept, first_step)
        self.bar = tqdm(total=steps, initial=first_step, unit="step", disable=not sys.stderr.isatty(), leave=False)

    def _drop_records_after(self, step):
        """The records up to a step; the file is left with them alone."""
        path = self.folder / "metrics.jsonl"
        try:
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror})") from None
        records = [_record(line) for line in lines]
        if damaged := [number for number, record in enumerate(records[:-1], 1) if record is None]:
            logger.warning(f"{path}:{damaged[0]}: is damaged; {len(damaged)} such lines are left out")
        kept = [record for record in records if record is not None and record["step"] <= step]
        write_text(path, "".join(json.dumps(record) + "\n" for record in kept))
        return kept

    def _show_again(self, records, step):
        for record in records:
            self._show(record)
        previews = sorted(path for path in self.samples.glob("step_*.png") if self.picture_path(step) >= path)
        for path in previews[-SHOWN_PREVIEWS:]:
            with suppress(InputError, ValueError):  # no picture any more: the curves matter
                shown = images.to_uint8(images.read_image(path))
                self.visual.add_image(tag="preview", img=shown, step=int(path.stem.removeprefix("step_")))

    def _show(self, record):
        """A record in VisualDL; `validated` takes the step of a validation."""
        if any(name.startswith("validation/") for name in record):
            self.validated.add(record["step"])
        for name, value in record.items():
            if name != "step":
                self.visual.add_scalar(tag=name, value=value, step=record["step"])

    def advance(self) -> None:
        """Move the bar by one step."""
        if self.bar is not None:
            self.bar.update()

    def training(
        self,
        step: int,
        epoch: int,
        scalars: Mapping[str, float],
        rates: Mapping[str, float],
        timing: Mapping[str, float],
    ) -> None:
        """One record of training.

        Args:
            step: steps done.
            epoch: passes through the data begun.
            scalars: name -> mean since the last record.
            rates: optimizer name -> learning rate.
            timing: dict with reader_cost and batch_cost in seconds, samples per step.
        """
        if not distributed.is_main():
            return
        ips = timing["samples"] / timing["batch_cost"]
        self.record(step, {**scalars, **{f"lr/{name}": rate for name, rate in rates.items()}, "ips": ips})
        loss = next((value for name, value in scalars.items() if name.endswith("/loss")), float("nan"))
        terms = ", ".join(f"{name}: {value:.5g}" for name, value in scalars.items())
        rate = next(iter(rates.values()))
        logger.info(
            f"[Epoch {epoch}, iter: {step}/{self.steps}] lr: {rate:.6g}, loss: {loss:.6f}, {terms}, "
            f"avg_reader_cost: {timing['reader_cost']:.5f} sec, avg_batch_cost: {timing['batch_cost']:.5f} sec, "
            f"avg_samples: {timing['samples']}, avg_ips: {ips:.3f} images/sec, ips: {ips:.3f} images/s"
        )

    def record(self, step: int, values: Mapping[str, float]) -> None:
        """Write named numbers at `step` to metrics.jsonl and VisualDL."""
        if not distributed.is_main():
            return
        path = self.folder / "metrics.jsonl"
        try:
            with open(path, "a", encoding="utf-8") as file:
                file.write(json.dumps({"step": step, **values}) + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise InputError(_unwritten(path, error)) from None
        self._show({"step": step, **values})

    def picture_path(self, step: int) -> Path:
        """Path of a step's preview."""
        return self.samples / f"step_{step:07d}.png"

    def picture(self, step: int, image: np.ndarray) -> None:
        """Save a preview, [H, W, 3] in [0, 1], as `step_*.png` and in VisualDL."""
        if not distributed.is_main():
            return
        images.write_image(self.picture_path(step), image)
        self.visual.add_image(tag="preview", img=images.to_uint8(image), step=step)

    def close(self) -> None:
        """Flush and close everything."""
        if distributed.is_main():
            self.bar.close()
            logger.removeHandler(self.file)
            for log in (self.visual, self.file):
                with suppress(OSError):  # what is left of a line that failed fails again
                    log.close()


def _record(line):
    """A metrics.jsonl line as {"step": int, name: number}, or None for one cut short or damaged."""
    try:
        found = json.loads(line)
        numbers = all(
            (type(value) in (int, float) and abs(value) < 2**1023) or value != value for value in found.values()
        )
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None
    return found if numbers and type(found.get("step")) is int else None
