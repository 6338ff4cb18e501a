"""A progress bar on a terminal; files and pipes get plain lines only."""

import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager


def progress(iterable: Iterable, total: int | None, unit: str) -> Iterable:
    """The iterable with a bar on a terminal, and unchanged elsewhere; `total` None counts without an end."""
    if not sys.stderr.isatty():
        return iterable
    from tqdm import tqdm

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
    from tqdm import tqdm

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
