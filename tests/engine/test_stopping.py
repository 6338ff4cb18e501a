"""Signals while a run does anything: noted, said once, nothing broken."""

import logging
import os
import signal

import pytest

from engine.log import logger
from engine.training.stopping import Stops


class Interrupted(logging.Handler):
    """A log file whose write a signal interrupts, and which cannot be entered twice, as a buffered file."""

    def __init__(self):
        super().__init__()
        self.is_writing = False

    def emit(self, record):
        assert not self.is_writing, "reentrant call"
        self.is_writing = True
        os.kill(os.getpid(), signal.SIGTERM)
        self.is_writing = False


@pytest.fixture
def interrupted(monkeypatch):
    monkeypatch.setattr(logger, "handlers", [Interrupted()])
    monkeypatch.setattr(logger, "level", logging.INFO)
    monkeypatch.setattr(logger, "propagate", False)


def test_a_signal_inside_the_logs_write_is_noted(interrupted, capfd):
    stops = Stops()
    with stops.listening():
        logger.info("iter: 2")
    assert str(stops.stopped) == "SIGTERM" and stops.stopped.status == 128 + signal.SIGTERM
    assert capfd.readouterr().out == "SIGTERM: saving a checkpoint after this step\n"
