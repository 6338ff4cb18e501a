"""GFP-GAN's clean form, as in the released versions 1.2, 1.3 and 1.4: plain layers, all scales folded into weights.

It is the bilinear form after `model.gfpgan.conversion`, so its activations have no gain and its weights no scale.

Source: TencentARC/GFPGAN archs/gfpganv1_clean_arch.py and stylegan2_clean_arch.py.
Differs: untrained weights are drawn as those of the bilinear form after conversion, not by torch's defaults.
"""

import math

import paddle
import paddle.nn.functional as F
from paddle import nn

from model.gfpgan.blocks import BilinearDown
from model.gfpgan.network import GFPGANBilinear
from model.shared.basicsr_stylegan2 import BilinearStyleGAN2Generator, BilinearToRGB, BilinearUp, noise_map
from model.shared.convolution import same_conv
from model.shared.stylegan2 import SQRT2, parameter, spread_weight

SLOPE = 0.2


class Linear(nn.Layer):
    """Linear layer whose weight is stored as (out, in), as the checkpoints have it. Source: torch.nn.Linear."""

    def __init__(self, in_features, out_features, bias_init=0.0, gain=1.0):
        """The weight starts with deviation gain / sqrt(in)."""
        super().__init__()
        self.weight = parameter(self, [out_features, in_features], std=gain / math.sqrt(in_features))
        self.bias = parameter(self, [out_features], fill=bias_init)

    def forward(self, x):
        """[..., in] -> [..., out]."""
        return paddle.matmul(x, self.weight, transpose_y=True) + self.bias


class Conv(nn.Layer):
    """Convolution of stride 1, same size, [leaky ReLU]. Source: torch.nn.Conv2d, padding k // 2."""

    def __init__(self, in_channels, out_channels, kernel_size, activate=True, has_bias=True, bias_init=0.0, gain=SQRT2):
        """`activate`: a leaky ReLU follows inside this layer; the weight starts with deviation gain / sqrt(in k k)."""
        super().__init__()
        deviation = gain / math.sqrt(in_channels * kernel_size**2)
        self.weight = parameter(self, [out_channels, in_channels, kernel_size, kernel_size], std=deviation)
        self.bias = parameter(self, [out_channels], fill=bias_init) if has_bias else None
        self.activate = activate

    def forward(self, x):
        """[N, in, H, W] -> [N, out, H, W]."""
        out = same_conv(x, self.weight)
        out = out if self.bias is None else out + self.bias.reshape([-1, 1, 1])
        return F.leaky_relu(out, SLOPE) if self.activate else out


class ToRGB(Conv):
    """1x1 convolution to a picture of the pyramid. Source: gfpganv1_clean_arch.py, toRGB."""

    def __init__(self, in_channels):
        """Three channels out."""
        super().__init__(in_channels, 3, 1, activate=False, gain=1.0)


class DownBlock(nn.Layer):
    """conv2(resized(conv1(x))) + skip(resized(x)), both convolutions activated. Source: ResBlock, mode "down"."""

    resize = BilinearDown

    def __init__(self, in_channels, out_channels):
        """Channels in and out."""
        super().__init__()
        self.conv1 = Conv(in_channels, in_channels, 3)
        self.conv2 = Conv(in_channels, out_channels, 3, gain=1.0)
        self.skip = Conv(in_channels, out_channels, 1, activate=False, has_bias=False, gain=1.0 / SQRT2)
        self.resized = self.resize()

    def forward(self, x):
        """[N, in, H, W] -> [N, out, H / 2, W / 2]."""
        return self.conv2(self.resized(self.conv1(x))) + self.skip(self.resized(x))


class UpBlock(DownBlock):
    """The same with twice the size; its 1x1 convolution comes before the interpolation. Source: ResBlock, "up"."""

    resize = BilinearUp

    def forward(self, x):
        """[N, in, H, W] -> [N, out, 2H, 2W]."""
        return self.conv2(self.resized(self.conv1(x))) + self.resized(self.skip(x))


class LeakyReLU(nn.Layer):
    """leaky_relu(x, 0.2). Source: nn.LeakyReLU(0.2)."""

    def forward(self, x):
        """Any shape."""
        return F.leaky_relu(x, SLOPE)


class Condition(nn.Sequential):
    """Features to the scale or the shift of one decoder level. Source: condition_scale, condition_shift."""

    def __init__(self, in_channels, out_channels, bias_init):
        """`bias_init`: 1 for a scale, 0 for a shift."""
        last = Conv(in_channels, out_channels, 3, activate=False, bias_init=bias_init, gain=1.0)
        super().__init__(Conv(in_channels, in_channels, 3, activate=False), LeakyReLU(), last)


class ModulatedConv2D(nn.Layer):
    """Modulated convolution without run-time scale. Source: stylegan2_clean_arch.py, ModulatedConv2d.

    Differs: scales activations instead of weights, as `model.shared.stylegan2.ModulatedConv2D`.
    """

    def __init__(self, in_channels, out_channels, kernel_size, style_dim, demodulate=True):
        """The weight starts with deviation 1 / sqrt(in k k), the modulation's bias at 1."""
        super().__init__()
        deviation = 1.0 / math.sqrt(in_channels * kernel_size**2)
        self.weight = parameter(self, [1, out_channels, in_channels, kernel_size, kernel_size], std=deviation)
        self.modulation, self.demodulate = Linear(style_dim, in_channels, bias_init=1.0), demodulate

    def forward(self, x, style, second_order=False):
        """[N, in, H, W], [N, style_dim] -> [N, out, H, W]."""
        weight = self.weight.reshape(self.weight.shape[1:])
        s = self.modulation(style)
        out = same_conv(x * s.reshape([*s.shape, 1, 1]), weight, second_order)
        if not self.demodulate:
            return out
        d = paddle.rsqrt(paddle.matmul(s * s, (weight * weight).sum(axis=[2, 3]), transpose_y=True) + 1e-8)
        return out * d.reshape([*d.shape, 1, 1])


class StyleConv(nn.Layer):
    """leaky_relu(sqrt(2) * modulated convolution + noise + bias). Source: stylegan2_clean_arch.py, StyleConv."""

    def __init__(self, in_channels, out_channels, style_dim, up=False):
        """`up`: bilinear x2 first."""
        super().__init__()
        self.modulated_conv = ModulatedConv2D(in_channels, out_channels, 3, style_dim)
        self.weight = parameter(self, [1])
        self.bias = parameter(self, [1, out_channels, 1, 1])
        self.enlarge = BilinearUp() if up else None

    def forward(self, x, style, noise=None, second_order=False):
        """As in `model.shared.basicsr_stylegan2.StyleConv`."""
        x = x if self.enlarge is None else self.enlarge(x)
        out = self.modulated_conv(x, style, second_order) * SQRT2
        noise = noise_map(noise, out.shape)
        out = out + (spread_weight(self.weight, noise.shape) * noise).expand(out.shape)
        return F.leaky_relu(out + self.bias.reshape([-1, 1, 1]), SLOPE)


class DecoderToRGB(BilinearToRGB):
    """`BilinearToRGB` of plain layers. Source: stylegan2_clean_arch.py, ToRGB."""

    modulated = ModulatedConv2D


class CleanStyleGAN2Generator(BilinearStyleGAN2Generator):
    """The decoder of plain layers. Source: stylegan2_clean_arch.py, StyleGAN2GeneratorClean; its CSFT form."""

    style_conv, to_rgb = StyleConv, DecoderToRGB

    def mapping_layers(self, style_dim, n_mlp):
        """Linear and leaky ReLU in turn, so the checkpoint's indices are odd."""
        return [layer for _ in range(n_mlp) for layer in (Linear(style_dim, style_dim, gain=SQRT2), LeakyReLU())]


class GFPGANClean(GFPGANBilinear):
    """The released network. Source: gfpganv1_clean_arch.py, GFPGANv1Clean."""

    conv, down, up, rgb, linear, condition = Conv, DownBlock, UpBlock, ToRGB, Linear, Condition
    decoder = CleanStyleGAN2Generator
    is_clean = True
