"""Padding that mirrors, as MUNIT's and SATNet's networks have it before every convolution.

Source: torch.nn.ReflectionPad2d; NVlabs/MUNIT networks.py, Conv2dBlock.
"""

import numpy as np
import paddle
import paddle.nn.functional as F

from engine import onednn
from model.shared.convolution import constant_matrix
from model.shared.exported import with_lines

JOINED = 96  # rows and columns from which joining slices is faster than a product of matrices


def check_mirrors(size, pad):
    """ValueError where there is too little to mirror. Source: torch.nn.ReflectionPad2d."""
    if pad >= size:
        raise ValueError(f"reflection of {pad} on each side needs more than {pad} values, found {size}")


def reflection_matrix(size, pad):
    """Reflection padding of a signal as a 0-1 matrix [size + 2 pad, size], see `check_mirrors`.

    Source: torch.nn.ReflectionPad2d.
    """
    check_mirrors(size, pad)
    source = np.abs(np.arange(-pad, size + pad))
    source = np.where(source < size, source, 2 * size - 2 - source)
    return np.eye(size)[source]


def reflect_pad(x, pad):
    """[N, C, H, W] -> [N, C, H + 2 pad, W + 2 pad], mirrored without the edge.

    Source: torch.nn.ReflectionPad2d. Two matrix products in training, two to three times faster on a CPU than Paddle's
    operator; large maps and an exported graph join rows and columns, which costs a fifth of that operator.
    """
    if not pad:
        return x
    if not paddle.in_dynamic_mode():
        return mirrored(mirrored(x, pad, 2), pad, 3)
    if min(x.shape[2:]) >= JOINED and not onednn.is_plain():
        return _Mirrored.apply(x, pad)
    rows, columns = (constant_matrix(reflection_matrix, (size, pad), x) for size in x.shape[2:])
    return paddle.matmul(rows, paddle.matmul(x, columns, transpose_y=True))


def mirrored(x, pad, axis):
    """`reflect_pad` along one axis, by joining slices. Source: torch.nn.ReflectionPad1d."""
    size = x.shape[axis]
    check_mirrors(size, pad)
    return with_lines(x, axis, range(pad, 0, -1), range(size - 2, size - 2 - pad, -1))


class _Mirrored(paddle.autograd.PyLayer):
    """`reflect_pad` by joining slices, with its gradient; Paddle's gradient of a slice is a whole map."""

    @staticmethod
    def forward(ctx, x, pad):
        """[N, C, H + 2 pad, W + 2 pad]."""
        ctx.pad = pad
        return mirrored(mirrored(x, pad, 2), pad, 3)

    @staticmethod
    def backward(ctx, gradient):
        """The mirrored rows and columns are added to those they came from."""
        if paddle.is_grad_enabled():
            raise RuntimeError("this padding has no second gradient; compute it inside engine.onednn.plain()")
        return folded(folded(gradient, ctx.pad, 3), ctx.pad, 2)


def folded(y, pad, axis):
    """The transpose of `mirrored`: lines outside are added to the lines that they mirror. Source: ours."""

    def lines(start, stop):
        return y.slice([axis], [start], [stop])

    size = y.shape[axis] - 2 * pad
    before, after = lines(0, pad).flip([axis]), lines(pad + size, 2 * pad + size).flip([axis])
    first, last = lines(pad + 1, 2 * pad + 1) + before, lines(size - 1, pad + size - 1) + after
    inner = lines(2 * pad + 1, size - 1)
    return paddle.concat([lines(pad, pad + 1), first, inner, last, lines(pad + size - 1, pad + size)], axis)


def padded(x, pad, kind):
    """[N, C, H, W] -> [N, C, H + 2 pad, W + 2 pad]; `kind`: "reflect", "replicate" or "zero".

    Source: MUNIT networks.py, Conv2dBlock.
    """
    if kind == "reflect" or not pad:
        return reflect_pad(x, pad)
    return F.pad(x, [pad] * 4, mode="constant" if kind == "zero" else kind)
