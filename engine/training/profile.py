"""Profile a stretch of training steps with Paddle's profiler, as TIPC's `--profiler_options` asks for it.

Source: keys of the option string are those of PaddleClas and PaddleGAN (`batch_range`, `state`, `tracer_option`,
`profile_path`); the code is ours, on paddle.profiler.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paddle

from engine.errors import ConfigError
from engine.log import logger

KEYS = ("batch_range", "state", "tracer_option", "profile_path")
STATES = ("CPU", "GPU", "All")


def read_options(text: str) -> tuple[int, int, str, str]:
    """(first step, last step, state, path) of `batch_range=[10,20];state=GPU;tracer_option=Default;profile_path=P`.

    Raises:
        ConfigError: an unknown key or state, or a range that is not two rising numbers.
    """
    pairs = [part.partition("=") for part in text.split(";") if part.strip()]
    found = {key.strip(): value.strip() for key, _, value in pairs}
    unknown = sorted(found.keys() - set(KEYS))
    if unknown:
        raise ConfigError(f"--profiler_options: unknown key '{unknown[0]}'; known: {', '.join(KEYS)}")
    numbers = re.fullmatch(r"\[(\d+), ?(\d+)\]", found.get("batch_range", "[10,20]"))
    if not numbers or int(numbers[1]) >= int(numbers[2]):
        raise ConfigError(f"--profiler_options: batch_range {found['batch_range']}: expected [FIRST,LAST], rising")
    state = found.get("state", "All")
    if state not in STATES:
        raise ConfigError(f"--profiler_options: state '{state}': expected one of {', '.join(STATES)}")
    return int(numbers[1]), int(numbers[2]), state, found.get("profile_path", "model.profile")


class ProfiledBatches:
    """Training batches that drive a profiler: the time between two batches is one profiled step."""

    def __init__(self, batches: Any, options: str, folder: Path) -> None:
        """`batches`: what the Trainer takes; `options`: text of the flag; `folder`: where a relative path goes."""
        self.batches = batches
        self.first, self.last, self.state, path = read_options(options)
        self.path = Path(folder) / path

    def epoch(self, step: int) -> int:
        """As the wrapped batches."""
        return self.batches.epoch(step)

    def iterate(self, first_step: int, last_step: int) -> Iterator:
        """The wrapped batches; the trace is written as soon as the last profiled step is over."""
        profiler = paddle.profiler.Profiler(
            targets=self._targets(), scheduler=(self.first, self.last), on_trace_ready=self._write
        )
        with profiler:
            for batch in self.batches.iterate(first_step, last_step):
                yield batch
                profiler.step()

    def _targets(self):
        target = paddle.profiler.ProfilerTarget
        if not paddle.is_compiled_with_cuda():
            if self.state == "GPU":
                logger.info("--profiler_options: state GPU: Paddle sees no GPU; the CPU is profiled")
            return [target.CPU]
        return {"CPU": [target.CPU], "GPU": [target.GPU], "All": [target.CPU, target.GPU]}[self.state]

    def _write(self, profiler):
        self.path.parent.mkdir(parents=True, exist_ok=True)
        profiler.export(str(self.path), format="json")
        logger.info(f"profile of steps {self.first} to {self.last}: {self.path}")
