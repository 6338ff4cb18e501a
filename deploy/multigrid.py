"""Solving a large system of neighbouring pixels: conjugate gradients with a multigrid V-cycle as their preconditioner.

A factorisation of a hole of 512 x 512 pixels holds 30 million numbers; this holds a few copies of the matrix.

A residual of at most e leaves an error of at most e * L * L / 8 in a hole that lies within L rows or L columns, by the
maximum principle (L * L / 2 where its one side is the picture's edge). With `TOLERANCE` and right sides of at most 6
that is 2e-4 for 512 pixels, a twentieth of a grey level of 8 bits.

Source: Vanek, Mandel, Brezina 1996, smoothed aggregation, here of 3 x 3 pixels; Saad 2003, algorithm 9.1 (conjugate
gradients).
"""

from collections.abc import Callable
from typing import Any

import numpy as np

SMALL = 40_000  # unknowns that a factorisation solves in less time
COARSEST = 2_000
TOLERANCE = 1e-9  # of the largest residual, as a part of the largest right side
CYCLES = 200  # more than it takes: about 20
DAMPING = 2 / 3  # of Jacobi's step, for a matrix whose eigenvalues over its diagonal lie in (0, 2)


def factorised(matrix: Any) -> Callable[[np.ndarray], np.ndarray]:
    """The solution of a sparse symmetric positive definite system as a function of its right side."""
    from scipy.sparse.linalg import splu

    symmetric = {"permc_spec": "MMD_AT_PLUS_A", "diag_pivot_thresh": 0.0, "options": {"SymmetricMode": True}}
    return splu(matrix.tocsc(), **symmetric).solve


def solve(matrix: Any, right: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """The x of `matrix @ x = right`.

    Args:
        matrix: scipy sparse [n, n], symmetric positive definite, one unknown a pixel, coupled with its neighbours.
        right: [n, k] float64.
        rows, columns: int [n], where the pixels are.

    Returns:
        [n, k].
    """
    if len(right) <= SMALL:
        return factorised(matrix)(right)
    cycle = v_cycle(matrix.tocsr(), rows, columns)
    x, residual, wanted = np.zeros_like(right), right.copy(), TOLERANCE * np.abs(right).max()
    step = cycle(residual)
    product = (residual * step).sum(axis=0)
    for _ in range(CYCLES):
        if np.abs(residual).max() <= wanted:
            return x
        moved = matrix @ step
        length = product / np.maximum((step * moved).sum(axis=0), np.finfo(float).tiny)
        x += length * step
        residual -= length * moved
        corrected = cycle(residual)
        before, product = product, (residual * corrected).sum(axis=0)
        step = corrected + product / np.maximum(before, np.finfo(float).tiny) * step
    return factorised(matrix)(right)


def v_cycle(matrix: Any, rows: np.ndarray, columns: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """A symmetric approximate inverse of the matrix of `solve`: smooth, correct on a third of the grid, smooth."""
    if len(rows) <= COARSEST:
        return factorised(matrix)
    weight = (DAMPING / matrix.diagonal())[:, None]
    spread, coarse_rows, coarse_columns = aggregated(matrix, weight, rows, columns)
    gathered = spread.T.tocsr()
    coarser = v_cycle((gathered @ matrix @ spread).tocsr(), coarse_rows, coarse_columns)

    def cycle(right):
        x = weight * right
        x += spread @ coarser(gathered @ (right - matrix @ x))
        return x + weight * (right - matrix @ x)

    return cycle


def aggregated(matrix: Any, weight: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> tuple[Any, Any, Any]:
    """(interpolation from squares of 3 x 3 pixels, smoothed by a step of Jacobi; the squares' rows; their columns)."""
    from scipy.sparse import csr_matrix, diags_array

    width = int(columns.max()) // 3 + 1
    squares, member = np.unique(rows // 3 * width + columns // 3, return_inverse=True)
    plain = csr_matrix((np.ones(len(rows)), (np.arange(len(rows)), member)), shape=(len(rows), len(squares)))
    smoothed = plain - diags_array(weight[:, 0]) @ (matrix @ plain)
    return smoothed.tocsr(), squares // width, squares % width
