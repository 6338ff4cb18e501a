"""Damaged copies of small text and array files, for readers that have to end in one line."""

import random
import time
from contextlib import contextmanager
from pathlib import Path

from engine.errors import InputError

SHORT = '1e400 -1 NaN Infinity null true {} [] "" \0 \t : | .. / ** [! 0 1e300 9999999999'.split(" ")
WORDS = [b"[" * 3000, b'{"a":' * 3000, b"9" * 5000, b"\xff\xfe", b"\xe2\x80\xa8", b"\r\n", *map(str.encode, SHORT)]
SECONDS, MEMORY = 10, 2**20  # of one file; KiB that all of them together may take beside what there was


def _memory(name):
    """KiB of a line of this process's status."""
    return int(next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if name in line))


@contextmanager
def bounded_memory():
    """The block takes no more than MEMORY beside what the process has; measured where Linux counts it."""
    reset = Path("/proc/self/clear_refs")
    if reset.exists():
        reset.write_text("5")  # the peak counts from here on
    before = _memory("VmRSS") if reset.exists() else 0
    yield
    if reset.exists():
        grown = _memory("VmHWM") - before
        print(f"grew by {grown // 1024} MiB")
        assert grown < MEMORY


def mutants(content, count, seed=0):
    """`count` damaged copies of bytes: flipped, cut, repeated, truncated, with bad words put in."""
    for number in range(count):
        chance = random.Random(f"{seed}/{number}")
        data = bytearray(content)
        for _ in range(chance.choice((1, 1, 1, 2, 5))):
            place, kind = chance.randrange(len(data) + 1), chance.randrange(6)
            if kind == 0 and place < len(data):
                data[place] = chance.randrange(256)
            elif kind == 1:
                del data[place : place + chance.randrange(1, 30)]
            elif kind == 2:
                data[place:place] = data[chance.randrange(len(data) + 1) :][: chance.randrange(1, 60)]
            elif kind == 3 and chance.random() < 0.3:
                del data[place:]
            elif kind == 4:
                data[place : place + chance.choice((0, 1, 4))] = chance.choice(WORDS)
            else:  # a whole value, as an editor would replace it
                marks = [i for i, byte in enumerate(data) if byte in b' ,:[]{}"\n\t|=']
                if len(marks) > 1:
                    start = chance.randrange(len(marks) - 1)
                    data[marks[start] + 1 : marks[start + 1]] = chance.choice(WORDS)
        yield bytes(data)


def refusals(path, content, count, read, seed=0):
    """Write every mutant to `path` and read it; returns how many were refused. Anything but a line fails."""
    with bounded_memory():
        return sum(_is_refused(path, mutant, read, f"{number} of seed {seed}")
                   for number, mutant in enumerate(mutants(content, count, seed)))  # fmt: skip


def _is_refused(path, mutant, read, number):
    path.write_bytes(mutant)
    began = time.monotonic()
    try:
        read(path)
    except InputError as error:
        assert "\n" not in str(error) and len(str(error)) < 2000, (number, str(error)[:300])
        return True
    except Exception as error:
        raise AssertionError(f"mutant {number}: {mutant[:300]!r}") from error
    finally:
        assert time.monotonic() - began < SECONDS, number
    return False
