"""Times against what this machine can do at best: the speed of a large float32 matrix product.

The script that imports this imports `engine` first, which sets the threads.
"""

import os
import time
from dataclasses import dataclass

import numpy as np
import paddle
import paddle.nn.functional as F

THREADS = int(os.environ["OMP_NUM_THREADS"])


@dataclass
class Timing:
    """Medians of some repeats, and the best of them: what counts where other processes disturb."""

    seconds: float
    limit: float  # GFLOP/s
    best_seconds: float
    best_limit: float


class Limit:
    """The machine's matrix-product speed."""

    def __init__(self, threads=THREADS, size=2048):
        """`threads`: of the product."""
        self.threads, self.size, self.matrix = threads, size, paddle.randn([size, size])
        for _ in range(3):
            self.sample()

    def sample(self):
        """GFLOP/s of one product. Paddle Inference leaves one thread behind after a run, so they are set each time."""
        paddle.base.core.set_num_threads(self.threads)
        start = time.perf_counter()
        (self.matrix @ self.matrix).numpy()
        return 2e-9 * self.size**3 / (time.perf_counter() - start)


def measure(limit, function, repeats, warm_up=2):
    """Timing of a function, the limit taken before every repeat."""
    for _ in range(warm_up):
        function()
    seconds, speeds = [], []
    for _ in range(repeats):
        speeds.append(limit.sample())
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return Timing(float(np.median(seconds)), float(np.median(speeds)), min(seconds), max(speeds))


def dense_gflop(layer, shape):
    """Multiplications and additions of a layer's dense convolutions and linear layers for one input, in GFLOP."""
    total = 0

    def counted(function, transposed):
        def run(x, weight, *args, **kwargs):
            nonlocal total
            out = function(x, weight, *args, **kwargs)
            if kwargs.get("groups", 1) == 1:
                places = x if transposed else out
                total += 2 * weight.size * places.shape[0] * int(np.prod(places.shape[2:]))
            return out

        return run

    originals = {"conv2d": F.conv2d, "conv2d_transpose": F.conv2d_transpose, "linear": F.linear}
    try:
        for name, function in originals.items():
            setattr(F, name, counted(function, name == "conv2d_transpose"))
        with paddle.no_grad():
            layer(paddle.zeros(shape))
    finally:
        for name, function in originals.items():
            setattr(F, name, function)
    return total * 1e-9


def convolution_gflop(network, shape):
    """Multiplications and additions of the nn.Conv2D layers of a network for one input, in GFLOP."""
    total = []

    def count(layer, given, out):
        total.append(2 * layer.weight.size * out.shape[0] * out.shape[2] * out.shape[3])

    layers = [layer for layer in network.sublayers() if isinstance(layer, paddle.nn.Conv2D)]
    hooks = [layer.register_forward_post_hook(count) for layer in layers]
    with paddle.no_grad():
        network(paddle.zeros(shape))
    for hook in hooks:
        hook.remove()
    return sum(total) * 1e-9
