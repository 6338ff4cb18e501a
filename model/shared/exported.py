"""Blocks of a StyleGAN2-type network in their exported form: the same mathematics, weights folded.

Every block takes numpy arrays with the official keys' shapes and folds what does not depend on the input: equal-lr
scales, sqrt(2) gains and biases. The forms are those that oneDNN runs right and fast in Paddle 3.3.1: native
leaky_relu, weights shared by the batch with modulated activations, up-sampling as a transposed convolution followed
by a depthwise filter whose padding lies inside the convolution, `expand` and never `tile`, no pad operator.
The training form of the same blocks is model/shared/stylegan2.py; tests hold the two together.

Source: Karras et al. 2020 (StyleGAN2), section 2.2; layer equations of GPEN's and GFP-GAN's released code.
"""

import math

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn

SLOPE = 0.2  # of every leaky_relu
GAIN = math.sqrt(2.0)  # after every leaky_relu; positive, so it folds into what comes before
EPSILON = 1e-8


def leaky_relu(x):
    """leaky_relu with the family's slope; the gain sqrt(2) is in the weights before it.

    Source: fused_act of the StyleGAN2 code.
    """
    return F.leaky_relu(x, SLOPE)


def pixel_norm(z):
    """[N, D] scaled to unit mean square.

    Source: Karras et al. 2018 (ProGAN), section 4.2.
    """
    return z * paddle.rsqrt((z * z).sum(axis=1, keepdim=True) / z.shape[1] + EPSILON)


def repeated(x):
    """[N, C, H, W] -> [N, C, 2H, 2W], every value four times. Source: torch.nn.Upsample(scale_factor=2)."""
    channels, height, width = x.shape[1:]
    x = x.reshape([-1, channels, height, 1, width, 1]).expand([-1, -1, -1, 2, -1, 2])
    return x.reshape([-1, channels, 2 * height, 2 * width])


def with_lines(x, axis, before, after):
    """`x` with copies of its own lines, by their indices, before and after it along an axis.

    Source: ours. Padding that repeats or mirrors, at a fifth of the time of Paddle's operator, whose value converters
    to ONNX misread besides.
    """
    lines = [x.slice([axis], [i], [i + 1]) for i in (*before, *after)]
    return paddle.concat([*lines[: len(before)], x, *lines[len(before) :]], axis)


class Folded(nn.Layer):
    """A layer whose constants are float32 buffers made from float64 numpy arithmetic.

    Source: ours.
    """

    def constant(self, name, array):
        """Store an array under a name; it is saved with the graph."""
        self.register_buffer(name, paddle.to_tensor(np.ascontiguousarray(array, dtype=np.float32)))


class FoldedLinear(Folded):
    """EqualLinear [N, in] -> [N, out] with its scales inside. Source: EqualLinear of the StyleGAN2 code."""

    def __init__(self, weight, bias, lr_mul=1.0, activated=False):
        """Fold.

        Args:
            weight: [out, in]; bias: [out].
            lr_mul: multiplies both, as in training.
            activated: a leaky_relu of gain sqrt(2) follows.
        """
        super().__init__()
        gain = lr_mul * (GAIN if activated else 1.0)
        self.constant("weight", np.float64(weight).T * gain / math.sqrt(weight.shape[1]))
        self.constant("bias", np.float64(bias) * gain)
        self.activated = activated

    def forward(self, x):
        """[N, in] -> [N, out]."""
        y = F.linear(x, self.weight, self.bias)
        return leaky_relu(y) if self.activated else y


class FoldedConv(Folded):
    """EqualConv2D, bias and leaky_relu, blurred and halved on request. Source: ConvLayer of the StyleGAN2 code."""

    def __init__(self, weight, bias, kernel=None, signed_input=False):
        """Fold.

        Args:
            weight: [out, in, k, k]; bias: [out].
            kernel: [4, 4]: blur first, then stride 2; None: same size.
            signed_input: the input is in [0, 1], the weights expect [-1, 1] (1 x 1 only, where nothing is padded).
        """
        super().__init__()
        size = weight.shape[-1]
        weight = np.float64(weight) * GAIN / math.sqrt(weight[0].size)
        bias = np.float64(bias) * GAIN
        if signed_input:
            assert size == 1, "a padded convolution cannot take the shift of its input"
            weight, bias = 2 * weight, bias - weight.sum(axis=(1, 2, 3))
        self.constant("weight", weight)
        self.constant("bias", bias)
        self.down = kernel is not None
        self.padding = 0 if self.down else size // 2
        if self.down:
            self.blur = DepthwiseFIR(kernel, weight.shape[1], padding=(len(kernel) - 2 + size - 1) // 2)

    def forward(self, x):
        """[N, in, H, W] -> [N, out, H, W], or half of H and W."""
        if self.down:
            x = self.blur(x)
        return leaky_relu(F.conv2d(x, self.weight, self.bias, stride=2 if self.down else 1, padding=self.padding))


class DepthwiseFIR(Folded):
    """One filter for every channel; the zero padding is the convolution's own.

    Source: upfirdn2d of the StyleGAN2 code with up = down = 1.
    """

    def __init__(self, kernel, channels, padding):
        """`kernel`: [k, k], any up-sampling gain included; flipped here, since a convolution layer correlates."""
        super().__init__()
        self.constant("kernel", np.broadcast_to(np.float64(kernel)[::-1, ::-1], (channels, 1, *kernel.shape)))
        self.channels, self.padding = channels, padding

    def forward(self, x):
        """[N, C, H, W] -> [N, C, H + 2 padding - k + 1, W + 2 padding - k + 1]."""
        return F.conv2d(x, self.kernel, padding=self.padding, groups=self.channels)


class FoldedModulatedConv(Folded):
    """Modulated convolution with shared weights: scale the input's channels, convolve, scale the output's channels.

    Source: Karras et al. 2020 (StyleGAN2), section 2.2; ModulatedConv2d of the code.
    """

    def __init__(self, weights, prefix, demodulate=True, gain=1.0, kernel=None):
        """Fold.

        Args:
            weights: dict of arrays with the official keys, among them `prefix`.weight [(1,) out, in, k, k],
                `prefix`.modulation.weight [in, D] and `prefix`.modulation.bias [in].
            demodulate: divide every output channel by the norm of its modulated weights.
            gain: multiplies the output.
            kernel: [4, 4], gain included: up-sample by 2 (H -> 2H + 1), then this filter (-> 2H); None: same size.
        """
        super().__init__()
        weight = np.float64(weights[f"{prefix}.weight"])
        weight = weight.reshape(weight.shape[-4:])
        weight = weight / math.sqrt(weight[0].size)
        self.modulation = FoldedLinear(weights[f"{prefix}.modulation.weight"], weights[f"{prefix}.modulation.bias"])
        self.demodulate = demodulate
        if demodulate:  # gain * rsqrt(s^2 @ square + eps) == rsqrt((s^2 @ square + eps) / gain^2)
            self.constant("square", (weight**2).sum(axis=(2, 3)).T / gain**2)
            self.epsilon = EPSILON / gain**2
        else:
            weight = weight * gain
        self.up = kernel is not None
        self.padding = weight.shape[-1] // 2
        self.constant("weight", weight.transpose(1, 0, 2, 3) if self.up else weight)
        if self.up:
            self.blur = DepthwiseFIR(kernel, weight.shape[0], padding=1)

    def forward(self, x, latent):
        """[N, in, H, W], [N, D] -> [N, out, H, W] or [N, out, 2H, 2W]."""
        style = self.modulation(latent)
        x = x * style.unsqueeze([2, 3])
        if self.up:
            y = self.blur(F.conv2d_transpose(x, self.weight, stride=2))
        else:
            y = F.conv2d(x, self.weight, padding=self.padding)
        if self.demodulate:
            norm = paddle.rsqrt(paddle.matmul(style * style, self.square) + self.epsilon)
            y = y * norm.unsqueeze([2, 3])
        return y


class UpsampledSkip(Folded):
    """Zero-insertion by 2 and a 4 x 4 filter, padding (2, 1), as one transposed depthwise convolution.

    Source: Upsample of the StyleGAN2 code.
    """

    def __init__(self, kernel, channels=3):
        """`kernel`: [4, 4], gain included; not flipped, since a transposed convolution does it."""
        super().__init__()
        self.constant("kernel", np.broadcast_to(np.float64(kernel), (channels, 1, *kernel.shape)))
        self.channels = channels

    def forward(self, skip):
        """[N, C, H, W] -> [N, C, 2H, 2W]."""
        return F.conv2d_transpose(skip, self.kernel, stride=2, padding=1, groups=self.channels)
