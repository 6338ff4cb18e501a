"""Convolutions and FIR filters in a fast form and in a form that has a right second gradient.

`conv2d` and the layer `Conv2D` go through oneDNN where that is faster (engine.onednn). Where it does not serve,
Paddle's `conv2d_transpose` is two to nine times faster on CPU than other forms. Both have no second gradient: asking
for one is an error, never a wrong number. `engine.onednn.plain()` and `second_order=True` keep to forms that have one:
path-length regularization and R1, every few steps. All forms give the same values up to rounding; tests compare them.

Zero-insertion, padding, filtering and striding are linear and act on rows and columns alone, so with a separable kernel
all of it is `Th @ x @ Tw` with two small constant banded matrices. Matrix products are the fastest form on CPU and have
a right second gradient (docs/differences.md).

Source: Karras et al. 2020 (StyleGAN2); reference code: yangxy/GPEN op/upfirdn2d.py, upfirdn2d_native.
"""

import functools

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn

from engine import onednn

BINOMIAL = (1.0, 3.0, 3.0, 1.0)


def normalized(gain=1.0):
    """The binomial taps with sum sqrt(gain), one factor of `binomial_kernel(gain)`."""
    total = sum(BINOMIAL)
    return tuple(tap / total * gain**0.5 for tap in BINOMIAL)


UP_TAPS = normalized(gain=4.0)


def conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1):
    """Convolution of one group, by oneDNN where that is faster; no second gradient outside `engine.onednn.plain()`.

    Args:
        x: [N, Cin, H, W].
        weight: [Cout, Cin, k, k].
        bias: [Cout] or None; added outside oneDNN, whose gradient of a bias is a slow sum.
        stride, padding, dilation: a number, or one for rows and one for columns.

    Source: our own choice of equal forms.
    """
    geometry = onednn.Geometry(_pair(stride), _pair(padding), _pair(dilation))
    if not onednn.suits(x, weight, geometry):
        return F.conv2d(x, weight, bias, stride, padding, dilation)
    out = onednn.convolution(x, weight, geometry)
    return out if bias is None else _Biased.apply(out, bias)


class _Biased(paddle.autograd.PyLayer):
    """A bias [C] added to [N, C, H, W]; its gradient is summed axis by axis, which takes no longer than at once.

    At once Paddle adds the N * H * W values naively: at 256 px a sum of one sign is off by 1e-5, at 512 px by 1e-4.
    """

    @staticmethod
    def forward(ctx, x, bias):
        ctx.wanted = not x.stop_gradient, not bias.stop_gradient
        return x + bias.reshape([-1, 1, 1])

    @staticmethod
    def backward(ctx, gradient):
        of_x, of_bias = ctx.wanted
        return gradient if of_x else None, gradient.sum(3).sum(2).sum(0) if of_bias else None


def _pair(value):
    return tuple(value) if isinstance(value, (list, tuple)) else (value, value)


class Conv2D(nn.Conv2D):
    """Paddle's layer through `conv2d`; of one group, with zeros around the picture. Source: our own form."""

    def forward(self, x):
        """[N, in, H, W] -> [N, out, h, w]."""
        return conv2d(x, self.weight, self.bias, self._stride, self._padding, self._dilation)


def same_conv(x, weight, second_order=False):
    """Stride-1 convolution with zero padding k // 2.

    Args:
        x: [N, Cin, H, W].
        weight: [Cout, Cin, k, k], k odd.
        second_order: keep to operators with a second gradient.

    Source: our own choice of equal forms, `as_transposed` with Cin >= Cout.
    """
    out_channels, in_channels, size, _ = weight.shape
    if second_order:
        return F.conv2d(x, weight, padding=size // 2)
    geometry = onednn.Geometry(padding=_pair(size // 2))
    if onednn.suits(x, weight, geometry) or size == 1 or in_channels < out_channels:
        return conv2d(x, weight, padding=size // 2)
    return as_transposed(x, weight, padding=size // 2)


def as_transposed(x, weight, bias=None, padding=0):
    """Convolution of stride 1 as a transposed one with the transposed, flipped weight; no second gradient.

    It unfolds Cout instead of Cin channels, so it moves less memory where there are fewer.

    Args:
        x: [N, Cin, H, W].
        weight: [Cout, Cin, k, k].
        bias: [Cout] or None.
        padding: of the convolution, less than k.

    Source: our own choice of equal forms.
    """
    size = weight.shape[2]
    flipped = _taps(weight, tuple(reversed(range(size**2))), size, size).transpose([1, 0, 2, 3])
    return F.conv2d_transpose(x, flipped, bias, padding=size - 1 - padding)


def up_conv(x, weight, second_order=False):
    """Transposed 3x3 convolution of stride 2 (H -> 2H + 1), then the blur with gain 4 and padding (1, 1) (-> 2H).

    Args:
        x: [N, Cin, H, W].
        weight: [Cout, Cin, 3, 3], in the orientation of the official ModulatedConv2d.
        second_order: keep to operators with a second gradient.

    Source: yangxy/GPEN face_model/gpen_model.py, ModulatedConv2d with upsample=True.
    """
    if second_order:
        return _phased_up_conv(x, weight)
    up = F.conv2d_transpose(x, weight.transpose([1, 0, 2, 3]), stride=2)
    return separable_fir(up, UP_TAPS, UP_TAPS, pad=(1, 1))


def _phased_up_conv(x, weight):
    """`up_conv` from its four phases: even and odd rows and columns of the result before the blur.

    Row 2m receives taps 2 and 0 of rows m - 1 and m, row 2m + 1 receives tap 1 of row m; columns likewise. The phases
    stay side by side (even ones first) and the columns of the blur's matrices are permuted instead.
    """
    both_even = F.conv2d(x, _taps(weight, (8, 6, 2, 0), 2, 2), padding=1)
    even_rows = F.conv2d(x, _taps(weight, (7, 1), 2, 1), padding=[1, 0])
    even_columns = F.conv2d(x, _taps(weight, (5, 3), 1, 2), padding=[0, 1])
    both_odd = F.conv2d(x, _taps(weight, (4,), 1, 1))
    top = paddle.concat([both_even, even_rows], axis=3)
    bottom = paddle.concat([even_columns, both_odd], axis=3)
    phases = paddle.concat([top, bottom], axis=2)
    rows = constant_matrix(_phased_blur, (phases.shape[2],), x)
    columns = constant_matrix(_phased_blur, (phases.shape[3],), x)
    return paddle.matmul(rows, paddle.matmul(phases, columns, transpose_y=True))


def _taps(weight, index, height, width):
    """A [Cout, Cin, height, width] kernel of the listed taps, row by row.

    A product with a 0-1 matrix: on CPU several times faster than gathering or flipping, forth and back.
    """
    flat = weight.reshape([-1, weight.shape[2] * weight.shape[3]])
    chosen = paddle.matmul(flat, constant_matrix(_selection, (flat.shape[1], index), weight))
    return chosen.reshape([*weight.shape[:2], height, width])


def _selection(count, index):
    """[count, len(index)]: column j picks entry index[j]."""
    return np.eye(count)[:, list(index)]


def _phased_blur(size):
    """The up-sampling blur's matrix for a signal whose even samples come first, [size - 1, size]."""
    matrix = fir_matrix(size, UP_TAPS, pad=(1, 1))
    return np.concatenate([matrix[:, 0::2], matrix[:, 1::2]], axis=1)


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
    """StyleGAN2's `upfirdn2d` with the kernel outer(row_taps, column_taps) by two matrix products.

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
