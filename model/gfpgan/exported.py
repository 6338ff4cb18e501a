"""GFP-GAN in its exported form: RGB [0, 1] in, RGB [0, 1] out, scales folded, stored noise.

Bilinear enlargement is repetition and a depthwise filter; the image's border, where interpolation repeats the last
pixel and the filter sees zero, is made right by a constant factor.

Source: Wang et al. 2021 (GFP-GAN), section 3; GFPGANv1, GFPGANBilinear and GFPGANv1Clean of the released code.
"""

import math

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn

from model.gfpgan.conversion import to_bilinear
from model.shared.convolution import binomial_kernel
from model.shared.exported import (
    GAIN,
    DepthwiseFIR,
    Folded,
    FoldedLinear,
    FoldedModulatedConv,
    UpsampledSkip,
    leaky_relu,
    pixel_norm,
    repeated,
)

LINEAR_TAPS = np.array([0.25, 0.5, 0.25])


class Conv(Folded):
    """Convolution with its scale inside, [leaky ReLU]. Source: EqualConv2d of the released code."""

    def __init__(self, weight, bias=None, gain=1.0, activated=False, stride=1, signed_input=False):
        """Fold.

        Args:
            weight: [out, in, k, k]; bias: [out] or None.
            gain: of the whole layer; may stand before a leaky ReLU because it is positive.
            stride: 2 where a blur has padded already.
            signed_input: the input is in [0, 1], the weights expect [-1, 1] (1 x 1 only).
        """
        super().__init__()
        self.stride, self.activated = stride, activated
        self.padding = weight.shape[-1] // 2 if stride == 1 else 0
        weight = np.float64(weight) * gain / math.sqrt(weight[0].size)
        bias = np.zeros(len(weight)) if bias is None else np.float64(bias) * gain
        if signed_input:
            weight, bias = 2 * weight, bias - weight.sum(axis=(1, 2, 3))
        self.constant("weight", weight)
        self.constant("bias", bias)

    def forward(self, x):
        """[N, in, H, W] -> [N, out, H / stride, W / stride]."""
        out = F.conv2d(x, self.weight, self.bias, stride=self.stride, padding=self.padding)
        return leaky_relu(out) if self.activated else out


class Doubled(Folded):
    """Bilinear x2: every value four times, then (1, 2, 1) / 4 along both axes; `border` makes up for zeros outside.

    Source: torch.nn.functional.interpolate, mode "bilinear", align_corners False. For a depthwise transposed
    convolution, the shorter form, oneDNN has no kernel and Paddle's own runs on one core.
    """

    def __init__(self, channels, height):
        """Channels and side of the input."""
        super().__init__()
        self.constant("kernel", np.broadcast_to(np.outer(LINEAR_TAPS, LINEAR_TAPS), (channels, 1, 3, 3)))
        border = np.ones(2 * height)
        border[[0, -1]] = 4 / 3
        self.constant("border", np.outer(border, border))
        self.channels = channels

    def forward(self, x):
        """[N, C, H, W] -> [N, C, 2H, 2W]."""
        return F.conv2d(repeated(x), self.kernel, padding=1, groups=self.channels) * self.border


class DownBlock(Folded):
    """Residual block H -> H / 2. Source: ResBlock of the released code."""

    def __init__(self, weights, prefix, filters):
        """`filters`: blur and stride as in v1; else the mean of 2 x 2."""
        super().__init__()
        first, second, skip = (weights[f"{prefix}.{name}.weight"] for name in ("conv1.0", "conv2.1", "skip.1"))
        stride = 2 if filters else 1
        self.conv1 = Conv(first, weights[f"{prefix}.conv1.1.bias"], GAIN, True)
        self.conv2 = Conv(second, weights[f"{prefix}.conv2.2.bias"], 1.0, True, stride)  # sqrt(2) / sqrt(2)
        self.skip = Conv(skip, None, 1 / GAIN, stride=stride)
        channels = first.shape[0]
        blurs = [DepthwiseFIR(binomial_kernel(), channels, pad) for pad in (2, 1)]
        self.filters = nn.LayerList(blurs if filters else [])

    def forward(self, x):
        """[N, in, H, W] -> [N, out, H / 2, W / 2]."""
        if len(self.filters):
            return self.conv2(self.filters[0](self.conv1(x))) + self.skip(self.filters[1](x))
        return self.conv2(F.avg_pool2d(self.conv1(x), 2)) + self.skip(F.avg_pool2d(x, 2))


class UpBlock(Folded):
    """Residual block H -> 2H; the 1 x 1 convolution stands before the interpolation. Source: ResUpBlock."""

    def __init__(self, weights, prefix, side):
        """`side`: of the input."""
        super().__init__()
        first, second, skip = (weights[f"{prefix}.{name}.weight"] for name in ("conv1.0", "conv2", "skip"))
        self.conv1 = Conv(first, weights[f"{prefix}.conv1.1.bias"], GAIN, True)
        self.conv2 = Conv(second, weights[f"{prefix}.conv2.activation.bias"], 1.0, True)
        self.skip = Conv(skip, None, 1 / GAIN)
        self.wide, self.narrow = Doubled(first.shape[0], side), Doubled(skip.shape[0], side)

    def forward(self, x):
        """[N, in, H, W] -> [N, out, 2H, 2W]."""
        return self.conv2(self.wide(self.conv1(x))) + self.narrow(self.skip(x))


class Condition(Folded):
    """Scale or shift of one decoder level. Source: condition_scale, condition_shift of the released code."""

    def __init__(self, weights, prefix):
        """`prefix`: "condition_scale.3" and the like."""
        super().__init__()
        self.first = Conv(weights[f"{prefix}.0.weight"], weights[f"{prefix}.0.bias"], GAIN, True)
        self.last = Conv(weights[f"{prefix}.2.weight"], weights[f"{prefix}.2.bias"])

    def forward(self, x):
        """[N, in, H, W] -> [N, out, H, W]."""
        return self.last(self.first(x))


class StyledConv(Folded):
    """Modulated convolution, stored noise, bias, leaky ReLU. Source: StyleConv of BasicSR."""

    def __init__(self, weights, prefix, noise, filters, side=None):
        """`side`: of an input that is doubled; None: same size. `filters` as in `DownBlock`."""
        super().__init__()
        conv = f"{prefix}.modulated_conv"
        doubled = side is not None
        kernel = binomial_kernel(4.0) if doubled and filters else None
        self.conv = FoldedModulatedConv(weights, conv, gain=GAIN, kernel=kernel)
        self.enlarge = Doubled(weights[f"{conv}.weight"].shape[2], side) if doubled and not filters else None
        self.constant("bias", np.float64(weights[f"{prefix}.activate.bias"]).reshape(-1, 1, 1) * GAIN)
        scale = float(weights[f"{prefix}.weight"][0]) * GAIN
        self.noisy = scale != 0.0
        if self.noisy:
            self.constant("noise", np.float64(noise) * scale)

    def forward(self, x, latent):
        """[N, in, H, W], [N, D] -> [N, out, H', W']."""
        y = self.conv(x if self.enlarge is None else self.enlarge(x), latent) + self.bias
        return leaky_relu(y + self.noise if self.noisy else y)


class ToRGB(Folded):
    """1 x 1 modulated convolution plus bias plus the picture so far, every term halved; the last adds 0.5.

    Source: ToRGB of BasicSR.
    """

    def __init__(self, weights, prefix, filters, is_last, side=None):
        """`side`: of the picture so far; None: there is none."""
        super().__init__()
        conv = f"{prefix}.modulated_conv"
        self.conv = FoldedModulatedConv(weights, conv, demodulate=False, gain=0.5)
        self.constant("bias", 0.5 * np.float64(weights[f"{prefix}.bias"]).reshape(3, 1, 1) + (0.5 if is_last else 0.0))
        self.enlarge = None
        if side is not None:
            self.enlarge = UpsampledSkip(binomial_kernel(4.0)) if filters else Doubled(3, side)

    def forward(self, x, latent, skip=None):
        """[N, C, H, W], [N, D], [N, 3, H / 2, W / 2] or None -> [N, 3, H, W]."""
        y = self.conv(x, latent) + self.bias
        return y if self.enlarge is None else y + self.enlarge(skip)


class ExportedGFPGAN(Folded):
    """GFP-GAN for Paddle Inference: [N, 3, S, S] RGB [0, 1] -> the same, restored and clipped.

    Source: GFPGANv1, GFPGANBilinear, GFPGANv1Clean with return_rgb False and randomize_noise False.
    """

    def __init__(self, generator):
        """Fold a generator of any form."""
        super().__init__()
        weights = {key: tensor.numpy() for key, tensor in generator.state_dict().items()}
        weights = to_bilinear(weights) if generator.is_clean else weights
        filters, levels = generator.filters, len(generator.conv_body_down)
        sides = [4 << i for i in range(levels)]
        self.first = Conv(weights["conv_body_first.0.weight"], weights["conv_body_first.1.bias"], GAIN, True, 1, True)
        self.down = nn.LayerList([DownBlock(weights, f"conv_body_down.{i}", filters) for i in range(levels)])
        self.last = Conv(weights["final_conv.0.weight"], weights["final_conv.1.bias"], GAIN, True)
        self.final_linear = FoldedLinear(weights["final_linear.weight"], weights["final_linear.bias"])
        self.up = nn.LayerList([UpBlock(weights, f"conv_body_up.{i}", side) for i, side in enumerate(sides)])
        self.scale, self.shift = (
            nn.LayerList([Condition(weights, f"condition_{kind}.{i}") for i in range(levels)])
            for kind in ("scale", "shift")
        )
        self.style_dim, self.different_w = generator.style_dim, generator.different_w
        self.mapping = nn.LayerList([] if generator.input_is_latent else mapping_layers(weights))
        self._fold_decoder(weights, filters, sides)

    def _fold_decoder(self, weights, filters, sides):
        prefix = "stylegan_decoder."
        noises = [weights[f"{prefix}noises.noise{i}"][0, 0] for i in range(2 * len(sides) + 1)]
        self.constant("input", weights[f"{prefix}constant_input.weight"])
        self.conv1 = StyledConv(weights, f"{prefix}style_conv1", noises[0], filters)
        self.rgb1 = ToRGB(weights, f"{prefix}to_rgb1", filters, is_last=False)
        self.convs, self.rgbs = nn.LayerList(), nn.LayerList()
        for i, side in enumerate(sides):
            names = [f"{prefix}style_convs.{2 * i + k}" for k in (0, 1)]
            self.convs.append(StyledConv(weights, names[0], noises[2 * i + 1], filters, side))
            self.convs.append(StyledConv(weights, names[1], noises[2 * i + 2], filters))
            self.rgbs.append(ToRGB(weights, f"{prefix}to_rgbs.{i}", filters, side == sides[-1], side))

    def latents(self, codes):
        """[N, L * D or D] -> list of L tensors [N, D]."""
        count, width = 2 * len(self.down) + 2, self.style_dim
        codes = codes.reshape([-1, count, width]) if self.different_w else codes
        if len(self.mapping):
            codes = pixel_norm(codes)
            for layer in self.mapping:
                codes = layer(codes)
        return [codes[:, k] if self.different_w else codes for k in range(count)]

    def forward(self, image):
        """[N, 3, S, S] in [0, 1] -> [N, 3, S, S] in [0, 1]."""
        x, skips = self.first(image), []
        for block in self.down:
            x = block(x)
            skips.insert(0, x)
        x = self.last(x)
        w = self.latents(self.final_linear(x.flatten(1)))
        out = self.conv1(self.input.expand([image.shape[0], -1, -1, -1]), w[0])
        picture = self.rgb1(out, w[1])
        for i, block in enumerate(self.up):
            x = block(x + skips[i])
            k = 2 * i + 1
            out = self.convs[k - 1](out, w[k])
            out = conditioned(out, self.scale[i](x), self.shift[i](x))
            out = self.convs[k](out, w[k + 1])
            picture = self.rgbs[i](out, w[k + 2], picture)
        return picture.clip(0.0, 1.0)


def conditioned(x, scale, shift):
    """CS-SFT, see `model.shared.basicsr_stylegan2.feature_transform`. Source: StyleGAN2GeneratorCSFT."""
    kept = x.shape[1] - scale.shape[1]
    changed = x[:, kept:] * scale + shift
    return paddle.concat([x[:, :kept], changed], axis=1) if kept else changed


def mapping_layers(weights, lr_mul=0.01):
    """The mapping network from z to w. Source: style_mlp of BasicSR."""
    prefix = "stylegan_decoder.style_mlp."
    count = sum(key.startswith(prefix) and key.endswith(".bias") for key in weights)
    return [
        FoldedLinear(weights[f"{prefix}{i}.weight"], weights[f"{prefix}{i}.bias"], lr_mul, True)
        for i in range(1, count + 1)
    ]
