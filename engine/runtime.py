"""The environment of a process: settings before the first `import paddle`, and the limit of a picture's size.

Importing Paddle sets OMP_NUM_THREADS=1 where it is unset, and the MKL bundled with it takes a slow path on AMD
processors unless MKL_DEBUG_CPU_TYPE=5 is set. Together they are worth a factor of four (docs/reproduction.md).
What the user has set is never overridden.
"""

import contextlib
import importlib.machinery
import io
import os
import sys
import warnings
from collections.abc import MutableMapping
from pathlib import Path

MAX_PIXELS = 50_000_000  # of a picture
LIMIT = "KINTSUGI_MAX_PIXELS"  # an environment variable, so that worker processes have it too
_REMARKS = ("OMP_NUM_THREADS set to", "PLEASE USE OMP_NUM_THREADS")


def usable_cores() -> int:
    """Number of cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def is_amd() -> bool:
    """True where /proc/cpuinfo names an AMD processor."""
    try:
        return "AuthenticAMD" in Path("/proc/cpuinfo").read_text(encoding="ascii", errors="ignore")
    except OSError:
        return False


def prepare(environ: MutableMapping[str, str] = os.environ) -> None:
    """Set thread count (cores, shared among the data-parallel processes of this machine) and the AMD switch.

    Args:
        environ: mapping to complete; values that are present stay.
    """
    local_processes = max(1, int(environ.get("PADDLE_LOCAL_SIZE") or environ.get("PADDLE_TRAINERS_NUM") or 1))
    environ.setdefault("OMP_NUM_THREADS", str(max(1, usable_cores() // local_processes)))
    if is_amd():
        environ.setdefault("MKL_DEBUG_CPU_TYPE", "5")
    environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # there are none here, and looking for them takes time
    environ.setdefault("GLOG_minloglevel", "1")  # Paddle's warnings, not its remarks on how a program runs


class _QuietPaddle:
    """Imports Paddle without its start-up remarks on thread count and ccache; anything else it prints comes through."""

    def find_spec(self, fullname, path, target=None):
        """Called by `import paddle` and, with no effect, by every other import."""
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target) if fullname == "paddle" else None
        if spec and spec.loader:
            run = spec.loader.exec_module
            spec.loader.exec_module = lambda module: _without_remarks(run, module)  # type: ignore[method-assign]
        return spec


def _without_remarks(run, module):
    warnings.filterwarnings("ignore", message="No ccache found")
    printed = io.StringIO()
    try:
        with contextlib.redirect_stderr(printed):
            run(module)
    finally:
        for line in printed.getvalue().splitlines():
            if not any(remark in line for remark in _REMARKS):
                print(line, file=sys.stderr)


def quieten_paddle() -> None:
    """Have whatever imports Paddle first import it without its remarks."""
    if not any(isinstance(finder, _QuietPaddle) for finder in sys.meta_path):
        sys.meta_path.insert(0, _QuietPaddle())


def allow(pixels: int) -> None:
    """Set how many pixels a picture may have, for this process and those it starts."""
    os.environ[LIMIT] = str(pixels)
