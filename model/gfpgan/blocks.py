"""Layers of GFP-GAN's U-Net with run-time weight scales: the original form and the bilinear form.

They need no second gradient (GFP-GAN has no path-length penalty), so they take the faster of equal convolutions.

Source: TencentARC/GFPGAN archs/gfpganv1_arch.py and gfpgan_bilinear_arch.py.
"""

import paddle.nn.functional as F
from paddle import nn

from model.shared.basicsr_stylegan2 import BilinearUp
from model.shared.convolution import same_conv
from model.shared.stylegan2 import SQRT2, Blur, EqualConv2D, FusedLeakyReLU, parameter


class Conv(EqualConv2D):
    """`EqualConv2D` of stride 1 in the form that is fast and differentiable once. Source: EqualConv2d."""

    def __init__(self, in_channels, out_channels, kernel_size, has_bias=False, bias_init=0.0):
        """Padding is k // 2; `bias_init` is where the bias starts."""
        super().__init__(in_channels, out_channels, kernel_size)
        self.bias = parameter(self, [out_channels], fill=bias_init) if has_bias else None

    def forward(self, x):
        """[N, in, H, W] -> [N, out, H, W]."""
        out = same_conv(x, self.weight * self.scale)
        return out if self.bias is None else out + self.bias.reshape([-1, 1, 1])


class ConvActivated(nn.Sequential):
    """Convolution, bias, sqrt(2) * leaky_relu. Source: ConvLayer without resampling."""

    def __init__(self, in_channels, out_channels, kernel_size):
        """The same size."""
        super().__init__(Conv(in_channels, out_channels, kernel_size), FusedLeakyReLU(out_channels))


class BilinearDown(nn.Layer):
    """Half the size by bilinear interpolation, which at that ratio is the mean of 2 x 2. Source: UpFirDn's stand-in."""

    def forward(self, x):
        """[N, C, H, W] -> [N, C, H / 2, W / 2]."""
        return F.avg_pool2d(x, 2)


class DownBlock(nn.Layer):
    """Residual block H -> H / 2: blur and stride 2, (conv2(conv1(x)) + skip(x)) / sqrt(2). Source: ResBlock."""

    def __init__(self, in_channels, out_channels):
        """Channels in and out."""
        super().__init__()
        self.conv1 = ConvActivated(in_channels, in_channels, 3)
        self.conv2 = self._down(in_channels, out_channels, 3)
        self.conv2.append(FusedLeakyReLU(out_channels))
        self.skip = self._down(in_channels, out_channels, 1)

    def _down(self, in_channels, out_channels, size):
        pad = (size + 1) // 2
        return nn.Sequential(Blur((pad, pad), stores_kernel=False), EqualConv2D(in_channels, out_channels, size, 2))

    def forward(self, x):
        """[N, in, H, W] -> [N, out, H / 2, W / 2]."""
        return (self.conv2(self.conv1(x)) + self.skip(x)) * (1.0 / SQRT2)


class BilinearDownBlock(DownBlock):
    """`DownBlock` that halves bilinearly before its convolutions. Source: gfpgan_bilinear_arch.py, ResBlock."""

    def _down(self, in_channels, out_channels, size):
        return nn.Sequential(BilinearDown(), Conv(in_channels, out_channels, size))


class UpConv(Conv):
    """Bilinear x2, then a convolution, then [activation]. Source: gfpganv1_arch.py, ConvUpLayer."""

    def __init__(self, in_channels, out_channels, kernel_size, activate=True):
        """Without `activate` there is no bias either."""
        super().__init__(in_channels, out_channels, kernel_size)
        self.enlarge, self.activation = BilinearUp(), FusedLeakyReLU(out_channels) if activate else None

    def forward(self, x):
        """[N, in, H, W] -> [N, out, 2H, 2W]; a 1x1 convolution and the interpolation may change places."""
        if self.weight.shape[2] == 1:
            return self.enlarge(super().forward(x))
        out = super().forward(self.enlarge(x))
        return out if self.activation is None else self.activation(out)


class UpBlock(nn.Layer):
    """Residual block H -> 2H: (conv2(conv1(x)) + skip(x)) / sqrt(2). Source: gfpganv1_arch.py, ResUpBlock."""

    def __init__(self, in_channels, out_channels):
        """Channels in and out."""
        super().__init__()
        self.conv1 = ConvActivated(in_channels, in_channels, 3)
        self.conv2 = UpConv(in_channels, out_channels, 3)
        self.skip = UpConv(in_channels, out_channels, 1, activate=False)

    def forward(self, x):
        """[N, in, H, W] -> [N, out, 2H, 2W]."""
        return (self.conv2(self.conv1(x)) + self.skip(x)) * (1.0 / SQRT2)


class ScaledLeakyReLU(nn.Layer):
    """sqrt(2) * leaky_relu(x, 0.2). Source: gfpganv1_arch.py, ScaledLeakyReLU."""

    def forward(self, x):
        """Any shape."""
        return F.leaky_relu(x, 0.2) * SQRT2


class Condition(nn.Sequential):
    """Features to the scale or the shift of one decoder level. Source: gfpganv1_arch.py, condition_scale, _shift."""

    def __init__(self, in_channels, out_channels, bias_init):
        """`bias_init`: 1 for a scale, 0 for a shift, so that the decoder starts hardly changed."""
        first = Conv(in_channels, in_channels, 3, has_bias=True)
        last = Conv(in_channels, out_channels, 3, has_bias=True, bias_init=bias_init)
        super().__init__(first, ScaledLeakyReLU(), last)


class ToRGB(Conv):
    """1x1 convolution to a picture of the pyramid. Source: gfpganv1_arch.py, toRGB."""

    def __init__(self, in_channels):
        """Three channels out."""
        super().__init__(in_channels, 3, 1, has_bias=True)
