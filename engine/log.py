"""What a program says while it works: plain lines, on the console."""

import logging
import sys

logger = logging.getLogger("kintsugi")


def to_console() -> None:
    """Send this project's messages to stdout, plain."""
    if not logger.handlers:
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(logging.Formatter("%(message)s"))
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False
