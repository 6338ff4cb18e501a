"""Thread environment that has to be in place before the first `import paddle`.

Importing Paddle sets OMP_NUM_THREADS=1 where it is unset, and the MKL bundled with it takes a slow path on AMD
processors unless MKL_DEBUG_CPU_TYPE=5 is set. Together they are worth a factor of four (docs/reproduction.md).
What the user has set is never overridden.
"""

import os
from pathlib import Path


def usable_cores():
    """Number of cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def is_amd():
    """True where /proc/cpuinfo names an AMD processor."""
    try:
        return "AuthenticAMD" in Path("/proc/cpuinfo").read_text(encoding="ascii", errors="ignore")
    except OSError:
        return False


def prepare(environ=os.environ):
    """Set thread count (cores, shared among the data-parallel processes of this machine) and the AMD switch.

    Args:
        environ: mapping to complete; values that are present stay.
    """
    local_processes = max(1, int(environ.get("PADDLE_LOCAL_SIZE") or environ.get("PADDLE_TRAINERS_NUM") or 1))
    environ.setdefault("OMP_NUM_THREADS", str(max(1, usable_cores() // local_processes)))
    if is_amd():
        environ.setdefault("MKL_DEBUG_CPU_TYPE", "5")
