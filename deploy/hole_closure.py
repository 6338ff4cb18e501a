"""Compute the largest hole that an encoder of partial convolutions closes; only masks are followed, without weights.

A cell of a layer is empty where its window has no valid cell; cells outside the picture are not valid, so holes at an
edge close later.

Source: Liu et al. 2018, the rule of the mask update (a window with a valid cell gives a valid cell).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from scipy.ndimage import minimum_filter


def empty_cells(hole: np.ndarray, kernel: int, is_line: bool = False) -> np.ndarray:
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


def closes(starts: Iterable[int], length: int, size: int, kernels: Sequence[int]) -> bool:
    """Whether the kernels' layers close every hole [start, start + length) of a line of `size`, and so such squares.

    A square is empty where both its sides are: it closes with them.
    """
    position = np.arange(size)
    hole = np.stack([(position >= start) & (position < start + length) for start in starts])
    for kernel in kernels:
        hole = empty_cells(hole, kernel, is_line=True)
    return not hole.any()


def largest_closed(size: int, kernels: Sequence[int]) -> list[int]:
    """Sides of the largest holes that the layers close at every place: (off the edge, at the top or left, at the
    bottom or right); 0 where none."""
    inside = largest(lambda n: closes(range(1, size - n), n, size, kernels), size - 2)
    first = largest(lambda n: closes([0], n, size, kernels), size - 1)
    return [inside, first, largest(lambda n: closes([size - n], n, size, kernels), size - 1)]


def largest(holds: Callable[[int], bool], most: int) -> int:
    """The largest n from 1 to `most` for which holds(n), which is true up to some n; 0 if for none."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if holds(middle) else (low, middle - 1)
    return low


def closure_table(size: int, kernels: Sequence[int]) -> list[str]:
    """Lines of the table: one row per layer."""
    lines = [
        f"picture of {size} x {size}; side of the largest square hole that is closed after each layer",
        f"layer kernel   map  field  off the edge  top or left {'bottom or right':>16}",
    ]
    field, step, side = 1, 1, size
    for number, kernel in enumerate(kernels, 1):
        field, step, side = field + (kernel - 1) * step, step * 2, -(-side // 2)
        inside, first, last = largest_closed(size, kernels[:number])
        lines.append(f"{number:>5} {kernel:>6} {side:>5} {field:>6} {inside:>13} {first:>12} {last:>16}")
    return lines


def layers_of(hole: np.ndarray, kernels: Sequence[int]) -> Iterator[np.ndarray]:
    """The empty cells after each layer of a hole [H, W] bool, padded to whole steps as the network does."""
    multiple = 2 ** len(kernels)
    hole = np.pad(hole, [(0, -side % multiple) for side in hole.shape], constant_values=True)
    for kernel in kernels:
        hole = empty_cells(hole, kernel)
        yield hole


def open_part(hole: np.ndarray, kernels: Sequence[int]) -> np.ndarray:
    """Part of a hole [H, W] bool under cells that the last layer leaves empty: [H, W] bool."""
    if not kernels or not hole.any():
        return np.zeros_like(hole)
    *_, last = layers_of(hole, kernels)
    step = 2 ** len(kernels)
    return hole & last.repeat(step, 0).repeat(step, 1)[: hole.shape[0], : hole.shape[1]]


def followed(hole: np.ndarray, kernels: Sequence[int]) -> list[str]:
    """Lines that follow one hole [H, W] bool through the layers."""
    lines = []
    for number, empty in enumerate(layers_of(hole, kernels), 1):
        lines.append(f"layer {number}: {empty.mean():.1%} of {empty.shape[0]} x {empty.shape[1]} cells are empty")
        if not empty.any():
            return [*lines, f"closed at layer {number} of {len(kernels)}"]
    return [*lines, "NOT closed: what is left at the last layer is filled coarse to fine, from smaller copies"]
