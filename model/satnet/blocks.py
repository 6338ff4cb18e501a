"""Blocks of MUNIT's and SATNet's networks: reflected convolutions, spectral, layer and adaptive norms.

Parameter names and layouts are those of the released checkpoints, so their arrays go in as they are.

Source: Huang et al. 2018 (MUNIT); reference code: NVlabs/MUNIT networks.py; SATNet's copy of it in
yujiachen-y/experiments_on_face_photo2drawing codes/SATNet/networks.py.
"""

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn
from paddle.nn.initializer import Constant, Uniform

from engine import onednn
from model.satnet.padding import padded
from model.shared import convolution
from model.shared.normalization import pooled_mean, sample_mean

EPSILON = 1e-5  # of instance, adaptive and layer normalisation
ACTIVATIONS = {"relu": F.relu, "lrelu": lambda x: F.leaky_relu(x, 0.2), "tanh": paddle.tanh, "none": lambda x: x}


def parameter(layer, shape, initial=0.0):
    """A trainable float32 parameter of `layer`, filled with a number or drawn by an initializer. Source: ours."""
    initial = initial if isinstance(initial, nn.initializer.Initializer) else Constant(initial)
    return layer.create_parameter(list(shape), default_initializer=initial)


def torch_uniform(fan_in):
    """U(-1/sqrt(fan_in), 1/sqrt(fan_in)), what torch gives convolutions and linear layers. Source: torch.nn.Conv2d."""
    return Uniform(-(fan_in**-0.5), fan_in**-0.5)


def upsample_nearest(x):
    """[N, C, H, W] -> [N, C, 2H, 2W], every pixel four times; in the form that oneDNN runs right and fast.

    Source: torch.nn.Upsample(scale_factor=2).
    """
    channels, height, width = x.shape[1:]
    ones = paddle.ones([1, 1, 2, 2], x.dtype)
    up = F.conv2d_transpose(x.reshape([-1, 1, height, width]), ones, stride=2)
    return up.reshape([-1, channels, 2 * height, 2 * width])


def instance_norm(x):
    """Each map to zero mean and unit (biased) variance, no parameters. Source: torch.nn.InstanceNorm2d."""
    if paddle.in_dynamic_mode():
        return F.instance_norm(x, eps=EPSILON)
    centred = x - pooled_mean(x)  # in an exported graph steps that keep oneDNN's layout
    return centred * paddle.rsqrt(pooled_mean(centred * centred) + EPSILON)


def adaptive_instance_norm(x, bias, gain):
    """`instance_norm` with a gain and bias [N, C] of every sample; the gain has no offset of 1.

    Source: Huang and Belongie 2017; MUNIT networks.py, AdaptiveInstanceNorm2d.
    """
    return instance_norm(x) * gain.unsqueeze([2, 3]) + bias.unsqueeze([2, 3])


class LayerNorm(nn.Layer):
    """Each sample to zero mean and unit deviation over C, H, W, then a gain and bias a channel.

    Source: MUNIT networks.py, LayerNorm: unbiased deviation, epsilon added to it, gain drawn from U(0, 1).
    """

    def __init__(self, channels):
        """`gamma` [C], `beta` [C]."""
        super().__init__()
        self.gamma = parameter(self, [channels], Uniform(0.0, 1.0))
        self.beta = parameter(self, [channels])

    def forward(self, x):
        """[N, C, H, W] -> the same shape."""
        count = x.shape[1] * x.shape[2] * x.shape[3]
        centred = x - sample_mean(x)
        deviation = (sample_mean(centred * centred) * (count / (count - 1))).sqrt()
        shape = [-1, 1, 1]
        return centred / (deviation + EPSILON) * self.gamma.reshape(shape) + self.beta.reshape(shape)


class Conv2D(convolution.Conv2D):
    """A convolution without padding, in the form that is faster on a CPU where it has fewer outputs than inputs.

    Source: ours; the two forms are compared by a test.
    """

    def forward(self, x):
        """[N, in, H, W] -> [N, out, H - k + 1, W - k + 1] at stride 1."""
        out_channels, in_channels = self.weight.shape[:2]
        fast = onednn.suits(x, self.weight, onednn.Geometry(tuple(self._stride)))
        if fast or not paddle.in_dynamic_mode() or self._stride != [1, 1] or in_channels <= out_channels:
            return super().forward(x)
        return convolution.as_transposed(x, self.weight, self.bias)


class SpectralConv2D(nn.Layer):
    """A convolution whose weight is divided by its largest singular value, one power iteration a training forward.

    Source: Miyato et al. 2018, algorithm 1; SATNet networks.py, SpectralNorm.
    Differs: evaluation does not iterate, so two forwards of the same picture agree.
    """

    def __init__(self, in_channels, out_channels, size, stride=1):
        """No padding; names `module.{weight_bar, bias, weight_u, weight_v}`, weight and bias as torch draws them."""
        super().__init__()
        self.stride, fan_in = stride, in_channels * size**2
        self.module = inner = nn.Layer()
        inner.weight_bar = parameter(inner, [out_channels, in_channels, size, size], torch_uniform(fan_in))
        inner.bias = parameter(inner, [out_channels], torch_uniform(fan_in))
        inner.register_buffer("weight_u", unit(paddle.randn([out_channels])))
        inner.register_buffer("weight_v", unit(paddle.randn([fan_in])))

    def forward(self, x):
        """[N, in, H, W] -> [N, out, H', W']."""
        return convolution.conv2d(x, self.normalized_weight(), self.module.bias, stride=self.stride)

    def normalized_weight(self):
        """W / (u^T W v); in training u and v first move one step. The gradient flows through W alone."""
        inner = self.module
        matrix = inner.weight_bar.reshape([inner.weight_bar.shape[0], -1])
        u, v = inner.weight_u, inner.weight_v
        if self.training:
            with paddle.no_grad():
                v = unit(matrix.t() @ u)
                u = unit(matrix @ v)
                paddle.assign(u, inner.weight_u)
                paddle.assign(v, inner.weight_v)
        return inner.weight_bar / (u * (matrix @ v)).sum()


def unit(vector):
    """A vector [K] at length 1. Source: SATNet networks.py, l2normalize."""
    return vector / (vector.norm() + 1e-12)


class Linear(nn.Layer):
    """[N, in] -> [N, out] with the weight as torch keeps it, [out, in]. Source: MUNIT networks.py, LinearBlock."""

    def __init__(self, in_features, out_features, activation):
        """`activation`: a key of ACTIVATIONS."""
        super().__init__()
        self.fc = inner = nn.Layer()
        inner.weight = parameter(inner, [out_features, in_features], torch_uniform(in_features))
        inner.bias = parameter(inner, [out_features])
        self.activation = ACTIVATIONS[activation]

    def forward(self, x):
        """[N, in] -> [N, out]."""
        return self.activation(paddle.matmul(x, self.fc.weight, transpose_y=True) + self.fc.bias)


class ConvBlock(nn.Layer):
    """Padding, convolution with bias, norm, activation. Source: MUNIT networks.py, Conv2dBlock."""

    def __init__(
        self, in_channels, out_channels, size, stride=1, pad=0, norm="none", activation="relu", pad_type="reflect"
    ):
        """`norm`: "none", "in", "ln", "adain" (the caller gives bias and gain) or "sn" (of the weight)."""
        super().__init__()
        self.pad, self.pad_type, self.kind, self.activation = pad, pad_type, norm, ACTIVATIONS[activation]
        if norm == "sn":
            self.conv = SpectralConv2D(in_channels, out_channels, size, stride)
        else:
            self.conv = Conv2D(in_channels, out_channels, size, stride)
        self.num_style = 2 * out_channels if norm == "adain" else 0
        if norm == "ln":
            self.norm = LayerNorm(out_channels)

    def forward(self, x, style=None):
        """[N, in, H, W] -> [N, out, H', W']; `style` [N, 2 out]: biases, then gains, for "adain"."""
        x = self.conv(padded(x, self.pad, self.pad_type))
        if self.kind == "in":
            x = instance_norm(x)
        elif self.kind == "ln":
            x = self.norm(x)
        elif self.kind == "adain":
            bias, gain = style.split(2, axis=1)
            x = adaptive_instance_norm(x, bias, gain)
        return self.activation(x)


class ResBlock(nn.Layer):
    """x + two 3x3 convolutions, the second without activation. Source: MUNIT networks.py, ResBlock."""

    def __init__(self, channels, norm, deformable=False, activation="relu", pad_type="reflect"):
        """`deformable`: the second convolution may move its sampling points (`DeformableConv2D`)."""
        super().__init__()
        self.model = nn.LayerList(
            [
                ConvBlock(channels, channels, 3, 1, 1, norm, activation, pad_type),
                ConvBlock(channels, channels, 3, 1, 1, norm, "none", pad_type),
            ]
        )
        if deformable:
            self.model[1].conv = DeformableConv2D(channels, channels)
        self.num_style = sum(block.num_style for block in self.model)

    def forward(self, x, style=None):
        """[N, C, H, W] -> the same shape; `style` [N, 4 C] for "adain"."""
        styles = [None, None] if style is None else style.split(2, axis=1)
        return x + self.model[1](self.model[0](x, styles[0]), styles[1])


class DeformableConv2D(nn.Layer):
    """A 3x3 convolution that samples at learnt offsets with learnt weights; starts as the plain convolution.

    Source: Zhu et al. 2019 (deformable convolution v2), section 3.2: offsets start at 0 and learn at a tenth of the
    rate (Adam's step does not depend on the gradient's size, so a factor of 0.1 on the result is one on the rate);
    modulation starts at 0.5, which is doubled here so that a plain convolution's weights give the same output.
    """

    def __init__(self, in_channels, out_channels):
        """Expects an input padded by 1; `weight` and `bias` are named as in a plain convolution."""
        super().__init__()
        fan_in = in_channels * 9
        self.weight = parameter(self, [out_channels, in_channels, 3, 3], torch_uniform(fan_in))
        self.bias = parameter(self, [out_channels])
        self.offset_weight = parameter(self, [27, in_channels, 3, 3])
        self.offset_bias = parameter(self, [27])

    def forward(self, x):
        """[N, in, H + 2, W + 2] -> [N, out, H, W]."""
        moved = 0.1 * F.conv2d(x, self.offset_weight, self.offset_bias)
        offset, mask = moved[:, :18], 2 * F.sigmoid(moved[:, 18:])
        return paddle.vision.ops.deform_conv2d(x, offset, self.weight, self.bias, mask=mask)


def initialise(network, spread, includes_spectral):
    """Draw convolution and linear weights anew from a normal distribution and clear their biases.

    Args:
        network: changed in place; norms and attention's gamma are left alone.
        spread: "kaiming" (sqrt(2 / fan_in)) or a standard deviation.
        includes_spectral: also spectrally normalised convolutions, which the seed's code passes over.

    Source: He et al. 2015; MUNIT utils.py, weights_init.
    """
    for key, tensor in network.named_parameters():
        is_spectral, is_conv = ".module." in key, tensor.ndim > 1
        if is_spectral and not includes_spectral:
            continue
        if is_conv and "offset" not in key:
            deviation = (2 / int(np.prod(tensor.shape[1:]))) ** 0.5 if spread == "kaiming" else spread
            tensor.set_value(paddle.randn(tensor.shape) * deviation)
        elif key.endswith(".bias"):
            tensor.set_value(paddle.zeros(tensor.shape))
