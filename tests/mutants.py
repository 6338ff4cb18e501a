"""Damaged copies of small text and array files, for readers that have to end in one line."""

import random
import time

from engine.errors import InputError

SHORT = '1e400 -1 NaN Infinity null true {} [] "" \0 \t : | .. / ** [! 0 1e300 9999999999'.split(" ")
WORDS = [b"[" * 3000, b'{"a":' * 3000, b"9" * 5000, b"\xff\xfe", b"\xe2\x80\xa8", b"\r\n", *map(str.encode, SHORT)]
SECONDS = 10


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
    refused = 0
    for number, mutant in enumerate(mutants(content, count, seed)):
        path.write_bytes(mutant)
        began = time.monotonic()
        try:
            read(path)
        except InputError as error:
            refused += 1
            assert "\n" not in str(error) and len(str(error)) < 2000, (number, str(error)[:300])
        except Exception as error:
            raise AssertionError(f"mutant {number} of seed {seed}: {mutant[:300]!r}") from error
        assert time.monotonic() - began < SECONDS, number
    return refused
