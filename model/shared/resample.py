"""FIR resampling (zero-insertion, padding, filtering, striding) as banded matrix products.

Every step of `upfirdn2d` is linear and acts on rows and columns alone, so the whole operator on a separable kernel is
`Th @ x @ Tw` with two small constant matrices. Matrix products are the fastest form on CPU and have a right second
gradient, which R1 and path-length regularization need (docs/differences.md).

Source: Karras et al. 2020 (StyleGAN2); reference code: yangxy/GPEN op/upfirdn2d.py, upfirdn2d_native.
"""

import functools

import numpy as np
import paddle

BINOMIAL = (1.0, 3.0, 3.0, 1.0)


def binomial_kernel(gain=1.0):
    """The 4x4 blur kernel outer([1,3,3,1])/64 times `gain`, float32, as the official checkpoints store it.

    Source: yangxy/GPEN face_model/gpen_model.py, make_kernel.
    """
    taps = np.asarray(BINOMIAL, np.float32)
    return np.outer(taps, taps) / taps.sum() ** 2 * np.float32(gain)


def fir_matrix(size, taps, up=1, down=1, pad=(0, 0)):
    """The one-dimensional operator as a matrix [out, size], float64.

    Row j holds the flipped taps at position j * down of the zero-inserted, padded signal; negative padding crops.

    Args:
        size: length of the input signal.
        taps: [K] filter; the filter is convolved, so correlation uses it flipped.
        up, down: zero-insertion and stride factors.
        pad: (before, after), in samples of the zero-inserted signal, which is `size * up` long.

    Source: the definition of upfirdn2d_native; our own derivation.
    """
    taps = np.asarray(taps, np.float64)[::-1]
    length = size * up + pad[0] + pad[1]
    out = (length - len(taps)) // down + 1
    matrix = np.zeros((out, size))
    for row in range(out):
        for k, tap in enumerate(taps):
            source, remainder = divmod(row * down + k - pad[0], up)
            if remainder == 0 and 0 <= source < size:
                matrix[row, source] += tap
    return matrix


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


@functools.lru_cache(maxsize=512)
def _constant(build, arguments, dtype, place):
    """The matrix `build(*arguments)` as a tensor on the current device, kept for the next call of the same shape."""
    del place
    return paddle.to_tensor(build(*arguments), dtype=dtype)


def constant_matrix(build, arguments, like):
    """`build(*arguments)` as a constant tensor of the dtype of `like`, built once for each dtype and device."""
    dtype = str(like.dtype).split(".")[-1]
    return _constant(build, arguments, dtype, paddle.get_device())


def separable_fir(x, row_taps, column_taps, up=1, down=1, pad=(0, 0)):
    """`upfirdn2d` with the kernel outer(row_taps, column_taps) by two matrix products.

    Args:
        x: [N, C, H, W].
        row_taps, column_taps: tuples of floats, filters along H and along W.
        up, down, pad: as in `fir_matrix`, the same for both axes.

    Returns:
        [N, C, H', W'].

    Source: see the module.
    """
    height, width = x.shape[-2:]
    rows = constant_matrix(fir_matrix, (height, row_taps, up, down, pad), x)
    columns = constant_matrix(fir_matrix, (width, column_taps, up, down, pad), x)
    return paddle.matmul(rows, paddle.matmul(x, columns, transpose_y=True))


def bilinear_resize(x, height, width):
    """[N, C, H, W] -> [N, C, height, width], bilinear at pixel centres, no antialiasing. Source: `bilinear_matrix`."""
    rows = constant_matrix(bilinear_matrix, (x.shape[2], height), x)
    columns = constant_matrix(bilinear_matrix, (x.shape[3], width), x)
    return paddle.matmul(rows, paddle.matmul(x, columns, transpose_y=True))


def upfirdn2d(x, kernel, up=1, down=1, pad=(0, 0)):
    """Zero-insert, pad, convolve with any 2-D kernel, stride.

    A kernel that is no outer product is a sum of at most min(kh, kw) of them (singular value decomposition).

    Args:
        x: [N, C, H, W].
        kernel: array [kh, kw].
        up, down: factors, the same for both axes.
        pad: (before, after), the same for both axes; negative crops.

    Source: yangxy/GPEN op/upfirdn2d.py, upfirdn2d_native.
    """
    u, s, v = np.linalg.svd(np.asarray(kernel, np.float64), full_matrices=False)
    terms = [(u[:, i] * s[i], v[i]) for i in range(len(s)) if s[i] > s[0] * 1e-12]
    return sum(separable_fir(x, tuple(rows), tuple(columns), up, down, pad) for rows, columns in terms)


def normalized(gain=1.0):
    """The binomial taps with sum sqrt(gain), one factor of `binomial_kernel(gain)`."""
    total = sum(BINOMIAL)
    return tuple(tap / total * gain**0.5 for tap in BINOMIAL)
