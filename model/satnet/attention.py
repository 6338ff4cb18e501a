"""Self-attention of SATNet's networks.

Parameter names are those of the released checkpoints. Source: SATNet's networks.py, see model/satnet/blocks.py.
"""

import paddle
import paddle.nn.functional as F
from paddle import nn

from model.satnet.blocks import SpectralConv2D, parameter


def softmax_twice(scores, axis):
    """`F.softmax` of operators that have a second derivative, which Paddle's own lacks. Source: the definition."""
    raised = (scores - scores.max(axis, keepdim=True).detach()).exp()
    return raised / raised.sum(axis, keepdim=True)


class SelfAttention(nn.Layer):
    """Every position adds a mixture of all positions, weighed by the likeness of two projections.

    Source: Zhang et al. 2019 (SAGAN), section 3; SATNet networks.py, SelfAttention: no scale, no output projection,
    gamma from 1e-8. The softmax is taken in float32.
    """

    def __init__(self, channels, norm="sn", softmax=F.softmax):
        """`norm` of the three 1x1 convolutions: "sn" or "none"; keys have C / 8 channels.

        `softmax`: `softmax_twice` where gradients are differentiated again (R1).
        """
        super().__init__()
        self.softmax = softmax
        kind = {"sn": SpectralConv2D, "none": nn.Conv2D}[norm]
        self.f_conv, self.g_conv = (kind(channels, channels // 8, 1) for _ in range(2))
        self.k_conv = kind(channels, channels, 1)
        self.gamma = parameter(self, [1], 1e-8)

    def forward(self, x):
        """[N, C, H, W] -> gamma * o + x, o_i = sum_j softmax_j(f_i . g_j) k_j."""
        channels, height, width = x.shape[1:]
        f, g = (conv(x).reshape([-1, channels // 8, height * width]) for conv in (self.f_conv, self.g_conv))
        k = self.k_conv(x).reshape([-1, channels, height * width])
        scores = paddle.matmul(f, g, transpose_x=True).astype("float32")
        attention = self.softmax(scores, axis=-1).astype(x.dtype)
        mixture = paddle.matmul(k, attention, transpose_y=True).reshape([-1, channels, height, width])
        return self.gamma * mixture + x
