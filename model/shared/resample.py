"""Bilinear resizing as two matrix products: fast on a CPU, with a right second gradient.

Source: torch.nn.functional.interpolate, mode "bilinear".
"""

import numpy as np
import paddle

from model.shared.convolution import constant_matrix


def bilinear_matrix(size, out):
    """Bilinear interpolation of `size` samples at `out` pixel centres as a matrix [out, size]; no antialiasing.

    Source: torch.nn.functional.interpolate, mode "bilinear", align_corners False.
    """
    centre = np.clip((np.arange(out) + 0.5) * size / out - 0.5, 0, None)
    low = np.minimum(centre.astype(int), size - 1)
    high = np.minimum(low + 1, size - 1)
    matrix = np.zeros((out, size))
    np.add.at(matrix, (np.arange(out), low), 1 - (centre - low))
    np.add.at(matrix, (np.arange(out), high), centre - low)
    return matrix


def bilinear_resize(x, height, width):
    """[N, C, H, W] -> [N, C, height, width], bilinear at pixel centres, no antialiasing. Source: `bilinear_matrix`."""
    rows = constant_matrix(bilinear_matrix, (x.shape[2], height), x)
    columns = constant_matrix(bilinear_matrix, (x.shape[3], width), x)
    return paddle.matmul(rows, paddle.matmul(x, columns, transpose_y=True))
