"""Stop a run in order after a signal or the death of a data worker; a validation can be given up for it."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Stopped(Exception):
    """The run was asked to stop; its checkpoint is saved. `status` is the process's exit status."""

    def __init__(self, reason: str, status: int) -> None:
        """`reason`: a signal's name, or a sentence."""
        super().__init__(reason)
        self.status = status


class _GivenUp(KeyboardInterrupt):
    """Thrown into what `unless_asked` computes; no `except Exception` of a metric stops it."""


class Stops:
    """Whether this process was asked to leave; `stopped` is None until it was."""

    def __init__(self) -> None:
        """Nobody asked yet."""
        self.stopped: Stopped | None = None
        self._gives_up = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Let SIGINT, SIGTERM and SIGHUP end the run after the step in hand; a second one ends it at once.

        A SIGHUP that is ignored, as under nohup, stays ignored.
        """
        taken = [number for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
        before = {number: signal.signal(number, self._asked) for number in taken}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _asked(self, number, frame):
        if self.stopped is not None:
            if "PADDLE_TRAINER_ID" in os.environ:  # the launcher repeats its SIGTERM, and kills if need be
                return
            raise KeyboardInterrupt
        name = signal.Signals(number).name
        self.stopped = Stopped(name, 128 + number)
        if os.environ.get("PADDLE_TRAINER_ID", "0") == "0":
            with suppress(
                OSError
            ):  # past the log, whose own write a signal may interrupt: that must not be entered twice
                os.write(1, f"{name}: saving a checkpoint after this step\n".encode())
        if self._gives_up:
            raise _GivenUp

    def unless_asked(self, compute: Callable[[], Any]) -> Any:
        """compute(), given up at once where a signal comes: then, and where one came before, None."""
        try:
            self._gives_up = True
            try:
                return compute() if self.stopped is None else None
            finally:
                self._gives_up = False
        except _GivenUp:
            return None
