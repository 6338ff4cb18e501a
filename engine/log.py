"""What a program shows while it works: plain lines on the console, and on a terminal a bar of its progress."""

import logging
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

logger = logging.getLogger("kintsugi")


def to_console() -> None:
    """Send this project's messages to stdout, plain."""
    if not logger.handlers:
        handler = _Console(sys.stdout)
        handler.setFormatter(logging.Formatter("%(message)s"))
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False


class _Console(logging.StreamHandler):
    """Lines on standard output; a bar on the same terminal is cleared before each and drawn again after it."""

    def emit(self, record):
        with tqdm.external_write_mode(self.stream):
            super().emit(record)


def progress(iterable: Iterable, total: int | None, unit: str) -> Iterable:
    """The iterable with a bar on a terminal, and unchanged elsewhere; `total` None counts without an end."""
    if not sys.stderr.isatty():
        return iterable
    return tqdm(iterable, total=total, unit=unit, leave=False)


@contextmanager
def stages(total: int) -> Iterator[Callable[[str], None]]:
    """Show work that cannot be counted as a bar of its stages, whose seconds go on; silent without a terminal.

    Yields:
        function to call with the name of each stage when it begins, `total` times.
    """
    if not sys.stderr.isatty():
        yield lambda name: None
        return
    ended = threading.Event()
    with tqdm(total=total, leave=False, bar_format="{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}]") as bar:

        def begin(name):
            if bar.desc:
                bar.update()
            bar.set_description(name)

        def tick():
            while not ended.wait(1.0):
                bar.refresh()

        clock = threading.Thread(target=tick, daemon=True)
        clock.start()
        try:
            yield begin
        finally:
            ended.set()
            clock.join()
