"""Nodes of Ray on loopback, for the tests of what runs on several."""

import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

RAY = Path(sys.executable).with_name("ray")


def environment():
    """Of everything that belongs to one cluster."""
    own = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(16), "RAY_raylet_start_wait_time_s": "120"}
    return os.environ | own | {"OMP_NUM_THREADS": "1"}


def free_port():
    """A port of this machine."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextmanager
def node(environ, *words):
    """A node of one processor, which ends with the process that is given: --block hangs the others on it."""
    words = ["start", "--block", "--num-cpus=1", "--object-store-memory=100000000", "--disable-usage-stats", *words]
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder:  # short: sockets lie there
        log = Path(folder) / "log"
        with log.open("w") as file:
            child = subprocess.Popen([RAY, *words, f"--temp-dir={folder}"], env=environ, stdout=file, stderr=file)
        try:
            end = time.monotonic() + 120
            while "Ray runtime started" not in log.read_text():
                assert child.poll() is None and time.monotonic() < end, log.read_text()
                time.sleep(0.2)
            yield child
        finally:
            child.kill()
            child.wait(30)


@contextmanager
def two_nodes(environ, **second):
    """(address of the cluster, the second node's process); `second`: environment of that node alone."""
    address = f"127.0.0.1:{free_port()}"
    head = ["--head", f"--port={address.split(':')[1]}", "--node-ip-address=127.0.0.1", "--include-dashboard=false"]
    with node(environ, *head):
        with node(environ | second, f"--address={address}", "--node-ip-address=127.0.0.2") as other:
            yield address, other
