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
    own = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(16)}
    return os.environ | own | {"OMP_NUM_THREADS": "1"}


def free_port():
    """A port of this machine."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def begun(environ, words, folder):
    """(process, what it said) of a node, which may have failed to begin."""
    folder.mkdir()
    log = folder / "log"
    with log.open("w") as file:
        child = subprocess.Popen([RAY, *words, f"--temp-dir={folder}"], env=environ, stdout=file, stderr=file)
    while "Ray runtime started" not in log.read_text() and child.poll() is None:
        time.sleep(0.2)
    return child, log.read_text()


@contextmanager
def node(environ, *words):
    """A node of one processor, which ends with the process that is given: --block hangs the others on it."""
    words = ["start", "--block", "--num-cpus=1", "--object-store-memory=100000000", "--disable-usage-stats", *words]
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder:  # short: sockets lie there
        for tries in (1, 2, 3):  # Ray gives a node 30 s, which a busy machine may need more of
            child, log = begun(environ, words, Path(folder) / str(tries))
            if "Ray runtime started" in log:
                break
        try:
            assert "Ray runtime started" in log, log
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
