"""Thread environment that has to be in place before the first `import paddle`, and that import.

Importing Paddle sets OMP_NUM_THREADS=1 where it is unset, and the MKL bundled with it takes a slow path on AMD
processors unless MKL_DEBUG_CPU_TYPE=5 is set. Together they are worth a factor of four (docs/reproduction.md).
What the user has set is never overridden.
"""

import contextlib
import io
import os
import sys
import warnings
from collections.abc import MutableMapping
from pathlib import Path

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
    environ.setdefault("GLOG_minloglevel", "1")  # Paddle's warnings, not its remarks on how a program runs


def import_paddle() -> None:
    """Import Paddle without its start-up remarks on thread count and ccache; anything else it prints comes through."""
    warnings.filterwarnings("ignore", message="No ccache found")
    printed = io.StringIO()
    try:
        with contextlib.redirect_stderr(printed):
            import paddle  # noqa: F401
    finally:
        for line in printed.getvalue().splitlines():
            if not any(remark in line for remark in _REMARKS):
                print(line, file=sys.stderr)
