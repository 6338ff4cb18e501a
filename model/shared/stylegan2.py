"""Building blocks of StyleGAN2 with the parameter names and shapes of the official GPEN checkpoints.

Modulation scales activations, `conv2d(x * s, W)`, and demodulation scales the output: equal to per-sample weights, but
Paddle's second gradient of a convolution is silently wrong when it reaches the weight only (docs/differences.md).

Source: Karras et al. 2020, Analyzing and Improving the Image Quality of StyleGAN; reference code: yangxy/GPEN
face_model/gpen_model.py.
"""

import math

import paddle
import paddle.nn.functional as F
from paddle import nn

from engine.errors import ConfigError
from model.shared.convolution import binomial_kernel, conv2d, normalized, same_conv, separable_fir, up_conv

SQRT2 = math.sqrt(2.0)


def channel_table(channel_multiplier, narrow):
    """Channels at each resolution, {4: ..., 2048: ...}.

    Source: yangxy/GPEN face_model/gpen_model.py, the `channels` dictionaries.
    """
    base = {4: 512, 8: 512, 16: 512, 32: 512}
    base.update({64 << i: (256 >> i) * channel_multiplier for i in range(6)})
    return {resolution: int(channels * narrow) for resolution, channels in base.items()}


def log2_size(size):
    """The exponent of an image size; ConfigError where it is no power of two from 8 to 2048."""
    if size not in (8, 16, 32, 64, 128, 256, 512, 1024, 2048):
        raise ConfigError(f"size: {size}, expected a power of two from 8 to 2048")
    return size.bit_length() - 1


def parameter(layer, shape, std=None, fill=0.0):
    """A parameter of `layer`, drawn from N(0, std^2) or, without `std`, filled with one value."""
    initial = nn.initializer.Normal(0.0, std) if std is not None else nn.initializer.Constant(fill)
    return layer.create_parameter(shape, default_initializer=initial)


def fused_leaky_relu(x, bias, meets_zero=False):
    """sqrt(2) * leaky_relu(x + bias, 0.2) for x of [N, C] or [N, C, H, W] and bias of [C].

    Args:
        meets_zero: x + bias may be exactly 0. Paddle's CPU kernel then gives the slope 1 in the first gradient, the
            reference (and the CUDA kernel) 0.2; in two parts it has 0.2 in every gradient, at half the speed.

    Source: yangxy/GPEN op/fused_act.py, fused_leaky_relu.
    """
    if x.ndim == 4:
        bias = bias.reshape([-1, 1, 1])
    x = x + bias
    if not meets_zero:
        return F.leaky_relu(x, 0.2) * SQRT2
    positive = F.relu(x)
    return (positive + (x - positive) * 0.2) * SQRT2


class PixelNorm(nn.Layer):
    """x / sqrt(mean(x^2, axis=1) + 1e-8). Source: gpen_model.py, PixelNorm."""

    def forward(self, x):
        """[N, C] -> [N, C]."""
        return x * paddle.rsqrt((x * x).mean(axis=1, keepdim=True) + 1e-8)


class EqualLinear(nn.Layer):
    """Linear layer with run-time weight scale lr_mul / sqrt(in); the weight is stored as (out, in).

    Source: gpen_model.py, EqualLinear.
    """

    def __init__(self, in_features, out_features, bias_init=0.0, lr_mul=1.0, activate=False):
        """`activate` adds sqrt(2) * leaky_relu(0.2)."""
        super().__init__()
        self.weight = parameter(self, [out_features, in_features], std=1.0 / lr_mul)
        self.bias = parameter(self, [out_features], fill=bias_init)
        self.scale, self.lr_mul, self.activate = lr_mul / math.sqrt(in_features), lr_mul, activate

    def forward(self, x):
        """[N, in] -> [N, out]."""
        out = paddle.matmul(x, self.weight, transpose_y=True) * self.scale
        bias = self.bias * self.lr_mul
        return fused_leaky_relu(out, bias) if self.activate else out + bias


class EqualConv2D(nn.Layer):
    """Convolution with run-time weight scale 1 / sqrt(in * k * k). Source: gpen_model.py, EqualConv2d."""

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, has_bias=False):
        """Padding is k // 2 at stride 1 and none at stride 2, where a blur has padded already."""
        super().__init__()
        self.weight = parameter(self, [out_channels, in_channels, kernel_size, kernel_size], std=1.0)
        self.bias = parameter(self, [out_channels]) if has_bias else None
        self.scale, self.stride = 1.0 / math.sqrt(in_channels * kernel_size**2), stride
        self.padding = kernel_size // 2 if stride == 1 else 0

    def forward(self, x):
        """[N, in, H, W] -> [N, out, H', W']."""
        out = conv2d(x, self.weight * self.scale, stride=self.stride, padding=self.padding)
        return out if self.bias is None else out + self.bias.reshape([-1, 1, 1])


def spread_weight(weight, shape):
    """A learnt number [1] as [N, C, H, 1], to be multiplied with a map [N, C, H, W].

    Spread axis by axis, so that its gradient is summed axis by axis: one sum over all values in float32 is 100 times
    noisier.

    Source: ours; the scalar weight of gpen_model.py, NoiseInjection.
    """
    weight = weight.reshape([1, 1, 1, 1])
    for axes in ([1, 1, 1], [*shape[1:2], 1, 1], [*shape[1:3], 1]):
        weight = weight.expand([shape[0], *axes])
    return weight


class FusedLeakyReLU(nn.Layer):
    """sqrt(2) * leaky_relu(x + bias, 0.2) with a learnt bias per channel. Source: op/fused_act.py."""

    def __init__(self, channels, meets_zero=False):
        """The bias starts at zero; `meets_zero` as in `fused_leaky_relu`."""
        super().__init__()
        self.bias, self.meets_zero = parameter(self, [channels]), meets_zero

    def forward(self, x):
        """[N, C, H, W] -> the same shape."""
        return fused_leaky_relu(x, self.bias, self.meets_zero)


class Blur(nn.Layer):
    """The binomial blur [1,3,3,1] as `upfirdn2d`; its kernel is a buffer because official checkpoints hold it.

    The taps in use are the constructor's, in a faster form; the buffer only completes the state_dict.

    Source: gpen_model.py, Blur and Upsample.
    """

    def __init__(self, pad, up=1, gain=1.0, stores_kernel=True):
        """`pad` as in `upfirdn2d`; `gain` is the sum of the kernel; BasicSR checkpoints hold no kernels."""
        super().__init__()
        self.register_buffer("kernel", paddle.to_tensor(binomial_kernel(gain)), persistable=stores_kernel)
        self.pad, self.up, self.taps = pad, up, normalized(gain)

    def forward(self, x):
        """[N, C, H, W] -> [N, C, H', W']."""
        return separable_fir(x, self.taps, self.taps, up=self.up, pad=self.pad)


class ConvLayer(nn.Sequential):
    """[blur,] convolution, [activation]: the layer of encoder and discriminator.

    Source: gpen_model.py, ConvLayer; the child indices are its key names.
    """

    def __init__(self, in_channels, out_channels, kernel_size, down=False, activate=True, stores_kernel=True):
        """`down` halves the size; without `activate` the layer has neither bias nor activation."""
        pad = (kernel_size + 1) // 2
        layers = [Blur((pad, pad - (kernel_size + 1) % 2), stores_kernel=stores_kernel)] if down else []
        layers.append(EqualConv2D(in_channels, out_channels, kernel_size, stride=2 if down else 1))
        layers += [FusedLeakyReLU(out_channels)] if activate else []
        super().__init__(*layers)


class ResBlock(nn.Layer):
    """Residual block of the discriminator, H -> H / 2: (conv2(conv1(x)) + skip(x)) / sqrt(2).

    Source: gpen_model.py, ResBlock.
    """

    def __init__(self, in_channels, out_channels, stores_kernel=True):
        """Channels in and out; `stores_kernel` as in `Blur`."""
        super().__init__()
        self.conv1 = ConvLayer(in_channels, in_channels, 3)
        self.conv2 = ConvLayer(in_channels, out_channels, 3, down=True, stores_kernel=stores_kernel)
        self.skip = ConvLayer(in_channels, out_channels, 1, down=True, activate=False, stores_kernel=stores_kernel)

    def forward(self, x):
        """[N, in, H, W] -> [N, out, H/2, W/2]."""
        return (self.conv2(self.conv1(x)) + self.skip(x)) * (1.0 / SQRT2)


class ModulatedConv2D(nn.Layer):
    """Convolution whose input channels are scaled by an affine map of the style, then demodulated.

    Source: Karras et al. 2020, section 2.2; gpen_model.py, ModulatedConv2d.
    Differs: scales activations instead of weights.
    """

    def __init__(self, in_channels, out_channels, kernel_size, style_dim, demodulate=True, up=False):
        """`up` doubles the size."""
        super().__init__()
        self.weight = parameter(self, [1, out_channels, in_channels, kernel_size, kernel_size], std=1.0)
        self.modulation = EqualLinear(style_dim, in_channels, bias_init=1.0)
        self.scale, self.demodulate, self.up = 1.0 / math.sqrt(in_channels * kernel_size**2), demodulate, up

    def forward(self, x, style, second_order=False):
        """[N, in, H, W], [N, style_dim] -> [N, out, H or 2H, W or 2W]; `second_order` as in `convolution`."""
        weight = self.weight.reshape(self.weight.shape[1:])
        s = self.modulation(style) * self.scale
        scaled = x * s.reshape([*s.shape, 1, 1])
        out = (up_conv if self.up else same_conv)(scaled, weight, second_order)
        if not self.demodulate:
            return out
        power = (weight * weight).sum(axis=[2, 3])
        d = paddle.rsqrt(paddle.matmul(s * s, power, transpose_y=True) + 1e-8)
        return out * d.reshape([*d.shape, 1, 1])


class ConstantInput(nn.Layer):
    """The learnt 4x4 start of the decoder. Source: gpen_model.py, ConstantInput."""

    def __init__(self, channels):
        """Drawn from N(0, 1)."""
        super().__init__()
        self.input = parameter(self, [1, channels, 4, 4], std=1.0)

    def forward(self, batch):
        """-> [batch, C, 4, 4]."""
        return self.input.expand([batch, *self.input.shape[1:]])


def spread_styles(styles, num_latents, inject_index=None, truncation=1.0, truncation_latent=None):
    """One style code for every layer, with truncation and style mixing.

    Args:
        styles: one or two tensors w [N, style_dim].
        num_latents: layers to serve.
        inject_index: first layer of the second style.
        truncation: distance kept from `truncation_latent` [1, style_dim]; 1 keeps all of it.

    Returns:
        [N, num_latents, style_dim].

    Source: gpen_model.py, Generator.forward.
    """
    if truncation < 1:
        styles = [truncation_latent + truncation * (w - truncation_latent) for w in styles]
    counts = [num_latents] if len(styles) == 1 else [inject_index, num_latents - inject_index]
    pieces = [paddle.tile(w.unsqueeze(1), [1, n, 1]) for w, n in zip(styles, counts, strict=True)]
    return pieces[0] if len(pieces) == 1 else paddle.concat(pieces, axis=1)


def minibatch_stddev(x, group, neighbours=False):
    """Append one channel: the mean standard deviation over each group of samples.

    Args:
        x: [N, C, H, W]; sample n belongs to group n % (N / group).
        group: samples per group; must divide N.
        neighbours: group samples that stand together instead: sample n in group n // group.

    Returns:
        [N, C + 1, H, W].

    Source: Karras et al. 2018 (ProGAN), section 3; gpen_model.py, Discriminator.forward.
    """
    n, c, h, w = x.shape
    if n % group:
        raise ConfigError(f"batch of {n} images: the discriminator compares groups of {group}, which must divide it")
    axis = 1 if neighbours else 0
    grouped = x.reshape([n // group, group, c, h, w] if neighbours else [group, n // group, c, h, w])
    centred = grouped - grouped.mean(axis=axis, keepdim=True)
    deviation = paddle.sqrt((centred * centred).mean(axis=axis) + 1e-8).mean(axis=[1, 2, 3])
    each = paddle.tile(deviation.unsqueeze(1), [1, group]) if neighbours else paddle.tile(deviation, [group])
    channel = each.reshape([n, 1, 1, 1]).expand([n, 1, h, w])
    return paddle.concat([x, channel], axis=1)
