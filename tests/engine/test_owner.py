"""The lock of a run folder, with flock and where the file system has none."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import InputError
from engine.training import owner

ROOT = Path(__file__).parents[2]
OWNING = """
import sys
from engine.training.owner import owned
with owned(sys.argv[1]):
    print('owned', flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path):
    """A process that owns the folder until its input closes."""
    child = subprocess.Popen(
        [sys.executable, "-c", OWNING, tmp_path], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout.readline() == "owned\n"
    yield child
    child.kill()
    child.communicate()


@pytest.mark.slow
@pytest.mark.parametrize("has_flock", [True, False])
def test_a_living_owner_is_named_a_dead_one_replaced(tmp_path, other, monkeypatch, capsys, has_flock):
    if not has_flock:
        monkeypatch.setattr(owner, "fcntl", None)
    text = f"{tmp_path}: process {other.pid} on {socket.gethostname()}, started .*, is writing there; "
    with pytest.raises(InputError, match=text), owner.owned(tmp_path):
        raise AssertionError("owned twice")
    other.kill()
    other.wait()
    with owner.owned(tmp_path):
        assert json.loads((tmp_path / owner.NAME).read_text())["pid"] == os.getpid()
    assert not list(tmp_path.iterdir())


def test_a_forked_child_does_not_keep_the_lock(tmp_path):
    read, write = os.pipe()
    with owner.owned(tmp_path):
        child = os.fork()
        if child == 0:
            os.read(read, 1)
            os._exit(0)
    with owner.owned(tmp_path):
        pass
    os.write(write, b"x")
    os.waitpid(child, 0)
    os.close(read), os.close(write)


def test_a_lock_of_another_host_without_flock_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(owner, "fcntl", None)
    (tmp_path / owner.NAME).write_text('{"pid": 1, "host": "elsewhere", "started": "2020-01-01 00:00:00"}')
    with pytest.raises(InputError, match="process 1 on elsewhere, started 2020-01-01 00:00:00, is writing there"):
        with owner.owned(tmp_path):
            raise AssertionError


@pytest.mark.parametrize("text", ["", "[", "[1]", '{"pid": [], "host": 3}', "\x00" * 50])
def test_a_damaged_note_stops_nobody(tmp_path, text):
    (tmp_path / owner.NAME).write_text(text)
    with owner.owned(tmp_path):
        pass
