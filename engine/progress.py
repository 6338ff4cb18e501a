"""A progress bar on a terminal; files and pipes get plain lines only."""

import sys
from collections.abc import Iterable


def progress(iterable: Iterable, total: int, unit: str) -> Iterable:
    """The iterable with a bar on a terminal, and unchanged elsewhere."""
    if not sys.stderr.isatty():
        return iterable
    from tqdm import tqdm

    return tqdm(iterable, total=total, unit=unit, leave=False)
