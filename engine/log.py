"""What a program says while it works: plain lines, on the console."""

import logging
import sys

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
