"""Largest hole that an encoder of partial convolutions closes; only masks are followed, no weights are needed.

A cell of a layer is empty where its window has no valid cell; cells outside the picture are not valid, so holes at an
edge close later.

Source: Liu et al. 2018, the rule of the mask update (a window with a valid cell gives a valid cell).
"""

import numpy as np
from scipy.ndimage import minimum_filter


def encoder_kernels(network):
    """Kernel sizes of a network's convolutions of stride 2, in order; transposed ones are none of them."""
    kernels = []
    for layer in network.sublayers():
        stride = np.ravel(getattr(layer, "stride", None) or getattr(layer, "_stride", None) or 0)
        if stride[0] == 2 and "Transpose" not in type(layer).__name__:
            kernels.append(layer.weight.shape[-1])
    return kernels


def empty_cells(hole, kernel, is_line=False):
    """Cells of the next layer whose window holds nothing valid.

    Args:
        hole: [H, W] bool; with `is_line` each row is a hole of its own along a line.
        kernel: odd; the stride is 2.

    Returns:
        [ceil(H / 2), ceil(W / 2)] bool, [H, ceil(W / 2)] for lines.
    """
    window = (1, kernel) if is_line else (kernel, kernel)
    empty = minimum_filter(hole.astype(np.uint8), size=window, mode="constant", cval=1) > 0
    return empty[:, ::2] if is_line else empty[::2, ::2]


def closes(starts, length, size, kernels):
    """Whether the kernels' layers close every hole [start, start + length) of a line of `size`, and so such squares.

    A square is empty where both its sides are: it closes with them.
    """
    position = np.arange(size)
    hole = np.stack([(position >= start) & (position < start + length) for start in starts])
    for kernel in kernels:
        hole = empty_cells(hole, kernel, is_line=True)
    return not hole.any()


def largest_closed(size, kernels):
    """Sides of the largest holes that the layers close at every place: (off the edge, at the top or left, at the
    bottom or right); 0 where none."""
    places = (lambda n: range(1, size - n), lambda n: [0], lambda n: [size - n])
    return [
        largest(lambda n, place=place: closes(place(n), n, size, kernels), size - 1 - (number == 0))
        for number, place in enumerate(places)
    ]


def largest(holds, most):
    """The largest n from 1 to `most` for which holds(n), which is true up to some n; 0 if for none."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if holds(middle) else (low, middle - 1)
    return low


def closure_table(size, kernels):
    """Lines of the table: a row a layer."""
    lines = [
        f"picture of {size} x {size}; side of the largest square hole that is closed after each layer",
        f"{'layer':>5} {'kernel':>6} {'map':>5} {'field':>6} {'off the edge':>13} {'top or left':>12} "
        f"{'bottom or right':>16}",
    ]
    field, step, side = 1, 1, size
    for number, kernel in enumerate(kernels, 1):
        field, step, side = field + (kernel - 1) * step, step * 2, -(-side // 2)
        inside, first, last = largest_closed(size, kernels[:number])
        lines.append(f"{number:>5} {kernel:>6} {side:>5} {field:>6} {inside:>13} {first:>12} {last:>16}")
    return lines


def followed(hole, kernels):
    """Lines that follow one hole [H, W] bool through the layers, padded to whole steps as the network does."""
    multiple = 2 ** len(kernels)
    hole = np.pad(hole, [(0, -side % multiple) for side in hole.shape], constant_values=True)
    lines = []
    for number, kernel in enumerate(kernels, 1):
        hole = empty_cells(hole, kernel)
        lines.append(f"layer {number}: {hole.mean():.1%} of {hole.shape[0]} x {hole.shape[1]} cells are empty")
        if not hole.any():
            return [*lines, f"closed at layer {number} of {len(kernels)}"]
    return [*lines, "NOT closed: what is left at the last layer is filled without having seen a known pixel"]
