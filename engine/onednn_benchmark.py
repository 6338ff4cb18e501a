"""Convolutions forward and backward by oneDNN and by Paddle itself, in turns, on one core."""

import time
from collections.abc import Iterator

import numpy as np
import paddle

from engine import onednn
from engine.measuring import Limit, Row, Timing
from engine.onednn import Geometry

SHAPES = ((2, 64, 64, 128), (1, 256, 256, 64), (1, 512, 512, 16), (1, 32, 32, 256))  # pictures, in, out, side


def rows(repeats: int) -> Iterator[Row]:
    """Two rows for every 3 x 3 convolution: processor time of one forward and both gradients."""
    limit = Limit(threads=1)
    for count, inputs, outputs, side in SHAPES:
        x, weight = paddle.randn([count, inputs, side, side]), paddle.randn([outputs, inputs, 3, 3])
        x.stop_gradient = weight.stop_gradient = False
        times: dict[bool, list[float]] = {True: [], False: []}
        speeds = []
        for _ in range(repeats + 1):
            speeds.append(limit.sample())
            time.sleep(0.3)  # the product's threads go on spinning for a while, which is processor time
            for fast, seconds in times.items():
                start = time.process_time()
                made = _made(x, weight, fast)
                paddle.grad([made], [x, weight], [made.detach()])
                seconds.append(time.process_time() - start)
        label = f"{inputs} to {outputs}, {side} px, batch {count}"
        for fast, seconds in times.items():
            taken = seconds[1:]
            timing = Timing(float(np.median(taken)), float(np.median(speeds)), min(taken), max(speeds))
            yield Row("convolutions", f"{label}: {'oneDNN' if fast else 'Paddle'}", timing)


def _made(x, weight, fast):
    if fast:
        return onednn.convolution(x, weight, Geometry(padding=(1, 1)))
    return paddle.nn.functional.conv2d(x, weight, padding=1)
