"""Compare times with the limit of this machine: the speed of a large float32 matrix product."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn

from engine import onednn
from engine.errors import InputError
from engine.files import write_json

THREADS = int(os.environ["OMP_NUM_THREADS"])  # set by `import engine`
PAUSE = 0.3  # seconds after which the threads of another library have ceased to wait actively for work


@dataclass
class Timing:
    """Medians of some repeats, and the best of them: what counts where other processes disturb."""

    seconds: float
    limit: float  # GFLOP/s
    best_seconds: float
    best_limit: float


@dataclass
class Row:
    """One measurement; `gflop` is its work if that is known."""

    group: str
    name: str
    timing: Timing
    gflop: float | None = None
    note: str = ""

    def shares(self) -> tuple[float, float] | None:
        """Parts of the limit that are reached: (median of median, best of best); None without known work."""
        t = self.timing
        if self.gflop is None:
            return None
        return self.gflop / t.seconds / t.limit, self.gflop / t.best_seconds / t.best_limit

    def cells(self) -> list[str]:
        """The table's columns as text."""
        shares = self.shares()
        work = [f"{self.gflop:.1f}", f"{shares[0]:.0%} ({shares[1]:.0%})"] if shares else ["-", "-"]
        milliseconds = f"{1000 * self.timing.seconds:.1f} ({1000 * self.timing.best_seconds:.1f})"
        return [self.group, self.name, milliseconds, *work, f"{self.timing.seconds * self.timing.limit:.1f}", self.note]


class Limit:
    """The machine's matrix-product speed."""

    def __init__(self, threads: int = THREADS, size: int = 2048) -> None:
        """`threads`: of the product."""
        self.threads, self.size, self.matrix = threads, size, paddle.randn([size, size])
        for _ in range(3):
            self.sample()

    def sample(self) -> float:
        """GFLOP/s of one product. Paddle Inference leaves one thread behind after a run, so they are set each time."""
        paddle.base.core.set_num_threads(self.threads)
        start = time.perf_counter()
        (self.matrix @ self.matrix).numpy()
        return 2e-9 * self.size**3 / (time.perf_counter() - start)


def measure(limit: Limit, function: Callable[[], object], repeats: int, warm_up: int = 2) -> Timing:
    """Timing of a function, the limit taken before every repeat."""
    for _ in range(warm_up):
        function()
    seconds, speeds = [], []
    for _ in range(repeats):
        speeds.append(limit.sample())
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return Timing(float(np.median(seconds)), float(np.median(speeds)), min(seconds), max(speeds))


def in_turns(limit: Limit, functions: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, Timing]:
    """Timing of several functions, one after the other in every repeat, so that a busy machine disturbs all alike."""
    for function in (*functions.values(), *functions.values()):
        function()
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    speeds = []
    for _ in range(repeats):
        speeds.append(limit.sample())
        for name, function in functions.items():
            time.sleep(PAUSE)
            start = time.perf_counter()
            function()
            seconds[name].append(time.perf_counter() - start)
    limits = float(np.median(speeds)), max(speeds)
    return {name: Timing(float(np.median(s)), limits[0], min(s), limits[1]) for name, s in seconds.items()}


def dense_gflop(layer: nn.Layer, shape: Sequence[int]) -> float:
    """Multiplications and additions of a layer's dense convolutions and linear layers for one input, in GFLOP."""
    total = 0

    def counted(function, transposed):
        def run(x, weight, *args, **kwargs):
            nonlocal total
            out = function(x, weight, *args, **kwargs)
            if kwargs.get("groups", 1) == 1:
                places = x if transposed else out
                total += 2 * weight.size * places.shape[0] * int(np.prod(places.shape[2:]))
            return out

        return run

    originals = {"conv2d": F.conv2d, "conv2d_transpose": F.conv2d_transpose, "linear": F.linear}
    try:
        for name, function in originals.items():
            setattr(F, name, counted(function, name == "conv2d_transpose"))
        with paddle.no_grad(), onednn.plain():
            layer(paddle.zeros(shape))
    finally:
        for name, function in originals.items():
            setattr(F, name, function)
    return total * 1e-9


def convolution_gflop(network: nn.Layer, shape: Sequence[int]) -> float:
    """Multiplications and additions of the nn.Conv2D layers of a network for one input, in GFLOP."""
    total = []

    def count(layer, given, out):
        total.append(2 * layer.weight.size * out.shape[0] * out.shape[2] * out.shape[3])

    layers = [layer for layer in network.sublayers() if isinstance(layer, paddle.nn.Conv2D)]
    hooks = [layer.register_forward_post_hook(count) for layer in layers]
    with paddle.no_grad():
        network(paddle.zeros(shape))
    for hook in hooks:
        hook.remove()
    return sum(total) * 1e-9


def weighted(pairs: Iterable[tuple[Timing, float]]) -> Timing:
    """Mean Timing of steps that occur with the given weights: (Timing, weight) pairs."""
    pairs, names = list(pairs), ("seconds", "limit", "best_seconds", "best_limit")
    return Timing(*(sum(getattr(timing, name) * weight for timing, weight in pairs) for name in names))


def core_row(group: str, name: str, function: Callable[[int], object], repeats: int) -> Row:
    """Row of a function of a number: processor time, where others do not count, against the limit of one core."""
    cv2.setNumThreads(1)
    limit = Limit(threads=1)
    time.sleep(0.5)  # the product's threads go on spinning for a while, which is processor time
    seconds = []
    for i in range(5 * repeats + 5):
        start = time.process_time()
        function(i)
        seconds.append(time.process_time() - start)
    mean, speeds = float(np.mean(seconds[5:])), [limit.sample() for _ in range(5)]
    timing = Timing(mean, float(np.median(speeds)), min(seconds), max(speeds))
    return Row(group, name, timing, note=f"{1 / mean:.1f} images/s and core")


def table(rows: Iterable[Row]) -> str:
    """Rows as a Markdown table; medians, in brackets the best repeat (of the best limit)."""
    titles = ["group", "what", "ms", "GFLOP", "of limit", "limit would do (GFLOP)", "note"]
    lines = [titles, ["---"] * len(titles), *(row.cells() for row in rows)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def write_rows(path: str | Path, rows: Iterable[Row]) -> None:
    """Write rows as JSON, with the number of threads and the shares of the limit."""
    report = {"threads": THREADS, "rows": [asdict(row) | {"shares": row.shares()} for row in rows]}
    write_json(path, report)


def rows_of_process(command: Sequence[str]) -> list[Row]:
    """Rows of a process of its own that takes `--json FILE` for them; its messages go to stderr.

    Raises:
        InputError: it failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.json"
        status = subprocess.run([*command, "--json", str(path)], stdout=sys.stderr, check=False).returncode
        if status:
            raise InputError(f"{' '.join(command)}: failed with status {status}")
        rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
    fields = ("group", "name", "gflop", "note")
    return [Row(timing=Timing(**row["timing"]), **{name: row[name] for name in fields}) for row in rows]
