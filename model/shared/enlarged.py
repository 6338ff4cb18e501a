"""Nearest x2 followed by a convolution, as one operation on the small map, for the exported form.

Each output pixel of the pair sees every small pixel through the sum of the taps that fall on its four copies: a kernel
of 3 x 3 is 2 x 2 there, one of 5 x 5 is 3 x 3, so two to three times fewer products, and the large map is never made.

Source: the definition; tests compare with the two steps. The idea is that of Shi et al. 2016, figure 1, turned round.
"""

import numpy as np
import paddle
import paddle.nn.functional as F

from model.shared.exported import Folded, repeated, with_lines

RING = 2  # small pixels next to a border that decide the outermost output pixels
PHASED = (
    5  # from this size on 3 x 3 taps a phase lose little against the kernel's own, and a plain convolution is faster
)


def transposed_kernel(weight):
    """The kernel of the equal transposed convolution of stride 2.

    Args:
        weight: [out, in, k, k], k odd.

    Returns:
        [in, out, k + 1, k + 1], float64.

    Source: the full correlation of a kernel with the 2 x 2 block of ones that doubles a map.
    """
    size = weight.shape[-1]
    flipped = np.float64(weight)[:, :, ::-1, ::-1].transpose(1, 0, 2, 3)
    kernel = np.zeros((*flipped.shape[:2], size + 1, size + 1))
    for row in (0, 1):
        for column in (0, 1):
            kernel[:, :, row : row + size, column : column + size] += flipped
    return kernel


def phase_kernels(kernel):
    """A transposed kernel as one of stride 1 with four outputs for each, in the order of a pixel shuffle.

    Args:
        kernel: [in, out, k + 1, k + 1] of `transposed_kernel`, k 3 or 5.

    Returns:
        [4 out, in, 3, 3]: output 2 m + phase gets tap phase + k // 2 - 2 (i - 1) from small pixel m + i - 1.

    Source: Shi et al. 2016, section 2.2.
    """
    taps = kernel.shape[-1]
    phases = np.zeros((kernel.shape[1], 2, 2, kernel.shape[0], 3, 3))
    placed = [(p, i, p + taps // 2 + 1 - 2 * i) for p in (0, 1) for i in range(3)]
    placed = [(phase, place, tap) for phase, place, tap in placed if 0 <= tap < taps]
    for row, i, tap in placed:
        for column, j, other in placed:
            phases[:, row, column, :, i, j] = kernel[:, :, tap, other].T
    return phases.reshape(-1, kernel.shape[0], 3, 3)


class EnlargedConv(Folded):
    """Nearest x2, padding of k // 2, k x k convolution. Source: see the module."""

    def __init__(self, weight, bias=None, pad_type="zero"):
        """Fold.

        Args:
            weight: [out, in, k, k], k 3 or 5; bias: [out] or None.
            pad_type: of the doubled map, "zero", "replicate" or "reflect".
        """
        super().__init__()
        size = weight.shape[-1]
        assert size in (3, 5), "wider kernels mirror more than the outermost pixel"
        kernel, bias = transposed_kernel(weight), np.zeros(len(weight)) if bias is None else bias
        self.reach, self.is_zero, self.is_phased = size // 2, pad_type == "zero", size >= PHASED
        self.mirrors = pad_type == "reflect" and size > 3  # one mirrored pixel is the repeated one
        self.constant("kernel", phase_kernels(kernel) if self.is_phased else kernel)
        self.constant("bias", np.repeat(bias, 4) if self.is_phased else bias)
        if self.mirrors:
            self.constant("weight", weight)
            self.constant("plain_bias", bias)

    def forward(self, x):
        """[N, in, H, W] -> [N, out, 2H, 2W]."""
        small = x if self.is_zero else framed(x)
        if self.is_phased:
            y = F.pixel_shuffle(F.conv2d(small, self.kernel, self.bias, padding=int(self.is_zero)), 2)
        else:
            padding = self.reach if self.is_zero else self.reach + 2
            y = F.conv2d_transpose(small, self.kernel, self.bias, stride=2, padding=padding)
        return self.with_mirrored_border(y, x) if self.mirrors else y

    def with_mirrored_border(self, y, x):
        """Outermost pixels anew: of the two pixels beyond the border the outer one is another than the repeated one."""
        height, width = x.shape[2:]
        top, bottom, left, right = (
            self.plain(x.slice([axis], [start], [start + RING]))
            for axis, start in ((2, 0), (2, height - RING), (3, 0), (3, width - RING))
        )
        rows = [top[:, :, :1, 1:-1], y[:, :, 1:-1, 1:-1], bottom[:, :, -1:, 1:-1]]
        return paddle.concat([left[:, :, :, :1], paddle.concat(rows, axis=2), right[:, :, :, -1:]], axis=3)

    def plain(self, x):
        """The two steps on a strip, mirrored all round: right at the border, not at the strip's inner side."""
        x = repeated(x)
        for one in (2, 3):
            size = x.shape[one]
            x = with_lines(x, one, (2, 1), (size - 2, size - 3))
        return F.conv2d(x, self.weight, self.plain_bias)


def framed(x):
    """[N, C, H, W] -> [N, C, H + 2, W + 2], the outermost values again. Source: torch.nn.ReplicationPad2d."""
    for axis in (2, 3):
        x = with_lines(x, axis, (0,), (x.shape[axis] - 1,))
    return x
