"""Poisson blending of a large square hole, by the multigrid cycle and by the factorisation that it replaces."""

import time
from collections.abc import Iterator

import numpy as np

from deploy import blending, multigrid
from engine.measuring import Limit, Row, Timing

SIDE = 512


def rows(repeats: int) -> Iterator[Row]:
    """Two rows: processor time of a hole of 512 x 512 pixels in noise, the worst case, on one core."""
    output, image = np.random.default_rng(0).random((2, SIDE + 32, SIDE + 32, 3))
    hole = np.zeros(image.shape[:2], bool)
    hole[16:-16, 16:-16] = True
    limit, small = Limit(threads=1).sample(), multigrid.SMALL
    try:
        for name, fewest in (("multigrid", small), ("factorised", hole.size)):
            multigrid.SMALL, seconds = fewest, []
            for _ in range(max(1, repeats // 5)):
                start = time.process_time()
                blending.poisson(output, image, hole)
                seconds.append(time.process_time() - start)
            timing = Timing(float(np.median(seconds)), limit, min(seconds), limit)
            yield Row("blending", f"Poisson, hole of {SIDE} px: {name}", timing)
    finally:
        multigrid.SMALL = small
