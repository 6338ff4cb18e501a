"""StyleGAN2 with the parameter names of BasicSR checkpoints, which GFP-GAN builds on.

The same mathematics as `model.gpen.network`, other names: no kernel buffers, noise weights beside the convolution,
stored noise maps, one-channel noise that is added. GFP-GAN's decoder (CS-SFT) is this generator with conditions:
features that scale and shift what it computes. The bilinear form resamples by interpolation where the original filters.

Source: Karras et al. 2020; reference code: XPixelGroup/BasicSR archs/stylegan2_arch.py, stylegan2_bilinear_arch.py;
TencentARC/GFPGAN archs/gfpganv1_arch.py, gfpgan_bilinear_arch.py (StyleGAN2GeneratorCSFT and its bilinear form).
"""

import paddle
from paddle import nn

from model.shared.resample import bilinear_resize
from model.shared.stylegan2 import (
    Blur,
    ConvLayer,
    EqualLinear,
    FusedLeakyReLU,
    ModulatedConv2D,
    PixelNorm,
    ResBlock,
    channel_table,
    log2_size,
    minibatch_stddev,
    parameter,
    spread_styles,
    spread_weight,
)


class ConstantInput(nn.Layer):
    """The learnt start of the decoder. Source: stylegan2_arch.py, ConstantInput."""

    def __init__(self, channels):
        """A 4x4 map from N(0, 1)."""
        super().__init__()
        self.weight = parameter(self, [1, channels, 4, 4], std=1.0)

    def forward(self, batch):
        """-> [batch, C, 4, 4]."""
        return self.weight.expand([batch, *self.weight.shape[1:]])


class BilinearUp(nn.Layer):
    """Twice the size by bilinear interpolation. Source: stylegan2_bilinear_arch.py, interpolation_mode "bilinear"."""

    def forward(self, x):
        """[N, C, H, W] -> [N, C, 2H, 2W]."""
        return bilinear_resize(x, 2 * x.shape[2], 2 * x.shape[3])


def noise_map(noise, shape):
    """The one-channel map for features of `shape`: as given, what the function `noise` makes, or for None N(0, 1).

    Source: stylegan2_arch.py, StyleConv.
    """
    if noise is None:
        noise = paddle.randn
    return noise([shape[0], 1, *shape[2:]]) if callable(noise) else noise


class StyleConv(nn.Layer):
    """Modulated 3x3 convolution, one-channel noise, activation. Source: stylegan2_arch.py, StyleConv."""

    def __init__(self, in_channels, out_channels, style_dim, up=False):
        """The noise weight is one scalar and starts at zero."""
        super().__init__()
        self.modulated_conv = ModulatedConv2D(in_channels, out_channels, 3, style_dim, up=up)
        self.weight = parameter(self, [1])
        self.activate = FusedLeakyReLU(out_channels)

    def forward(self, x, style, noise=None, second_order=False):
        """`noise`: [N or 1, 1, H, W], or a function of the shape that makes it; None: drawn from N(0, 1)."""
        out = self.modulated_conv(x, style, second_order)
        noise = noise_map(noise, out.shape)
        return self.activate(out + (spread_weight(self.weight, noise.shape) * noise).expand(out.shape))


class BilinearStyleConv(StyleConv):
    """`StyleConv` that enlarges its input bilinearly instead of up-sampling inside the convolution.

    Source: stylegan2_bilinear_arch.py, ModulatedConv2d and StyleConv.
    """

    def __init__(self, in_channels, out_channels, style_dim, up=False):
        """`up` doubles the size."""
        super().__init__(in_channels, out_channels, style_dim)
        self.enlarge = BilinearUp() if up else None

    def forward(self, x, style, noise=None, second_order=False):
        """As in `StyleConv`."""
        return super().forward(x if self.enlarge is None else self.enlarge(x), style, noise, second_order)


class ToRGB(nn.Layer):
    """Modulated 1x1 convolution to three channels plus the image so far. Source: stylegan2_arch.py, ToRGB."""

    modulated = ModulatedConv2D

    def __init__(self, in_channels, style_dim, up=True):
        """`up`: there is an image of half the size to add to."""
        super().__init__()
        self.modulated_conv = self.modulated(in_channels, 3, 1, style_dim, demodulate=False)
        self.bias = parameter(self, [1, 3, 1, 1])
        self.upsample = Blur(pad=(2, 1), up=2, gain=4.0, stores_kernel=False) if up else None

    def forward(self, x, style, skip=None):
        """[N, C, H, W], [N, style_dim], [N, 3, H/2, W/2] -> [N, 3, H, W]."""
        out = self.modulated_conv(x, style) + self.bias.reshape([3, 1, 1])
        return out if skip is None else out + self.upsample(skip)


class BilinearToRGB(ToRGB):
    """`ToRGB` that enlarges the image so far bilinearly. Source: stylegan2_bilinear_arch.py, ToRGB."""

    def __init__(self, in_channels, style_dim, up=True):
        """`up`: there is an image of half the size to add to."""
        super().__init__(in_channels, style_dim, up=False)
        self.upsample = BilinearUp() if up else None


def feature_transform(x, scale, shift):
    """CS-SFT: the last channels, as many as `scale` has, are scaled and shifted; those before stay as they are.

    Args:
        x: [N, C, H, W].
        scale, shift: [N, C, H, W], or [N, C / 2, H, W] (`sft_half`).

    Source: Wang et al. 2021 (GFP-GAN), eq. (5); gfpganv1_arch.py, StyleGAN2GeneratorCSFT.forward.
    """
    kept = x.shape[1] - scale.shape[1]
    if kept == 0:
        return x * scale + shift
    same, changed = x.split([kept, scale.shape[1]], axis=1)
    return paddle.concat([same, changed * scale + shift], axis=1)


class StyleGAN2Generator(nn.Layer):
    """Mapping and synthesis networks, and with conditions the decoder of GFP-GAN.

    Source: stylegan2_arch.py, StyleGAN2Generator; gfpganv1_arch.py, StyleGAN2GeneratorCSFT.
    Differs: without `noise`, maps are drawn in training and the stored ones are used in evaluation (randomize_noise).
    """

    style_conv, to_rgb = StyleConv, ToRGB

    def __init__(self, size, style_dim=512, n_mlp=8, channel_multiplier=2, narrow=1.0):
        """Args: output size, style width, mapping layers, and the channel table's two factors."""
        super().__init__()
        channels, log_size = channel_table(channel_multiplier, narrow), log2_size(size)
        self.style_mlp = nn.Sequential(PixelNorm(), *self.mapping_layers(style_dim, n_mlp))
        self.constant_input = ConstantInput(channels[4])
        self.style_conv1 = self.style_conv(channels[4], channels[4], style_dim)
        self.to_rgb1 = self.to_rgb(channels[4], style_dim, up=False)
        self.style_convs, self.to_rgbs, self.noises = nn.LayerList(), nn.LayerList(), nn.Layer()
        for i in range(3, log_size + 1):
            before, here = channels[2 ** (i - 1)], channels[2**i]
            self.style_convs.append(self.style_conv(before, here, style_dim, up=True))
            self.style_convs.append(self.style_conv(here, here, style_dim))
            self.to_rgbs.append(self.to_rgb(here, style_dim))
        self.num_latents, self.num_maps = 2 * log_size - 2, 2 * log_size - 3
        for i in range(self.num_maps):
            side = 2 ** ((i + 5) // 2)
            self.noises.register_buffer(f"noise{i}", paddle.randn([1, 1, side, side]))

    def mapping_layers(self, style_dim, n_mlp):
        """The layers of the mapping network after its norm."""
        return [EqualLinear(style_dim, style_dim, lr_mul=0.01, activate=True) for _ in range(n_mlp)]

    def latents(self, styles, inject_index=None, truncation=1.0, truncation_latent=None, input_is_latent=False):
        """Styles z (or w if `input_is_latent`) for every layer, [N, num_latents, style_dim]; see `spread_styles`."""
        styles = styles if input_is_latent else [self.style_mlp(z) for z in styles]
        return spread_styles(styles, self.num_latents, inject_index, truncation, truncation_latent)

    def noise_maps(self):
        """One entry per layer: None (draw) in training, the stored map in evaluation."""
        return [None if self.training else getattr(self.noises, f"noise{i}") for i in range(self.num_maps)]

    def forward(self, latents, noise=None, second_order=False, conditions=()):
        """Synthesis.

        Args:
            latents: [N, num_latents, style_dim].
            noise: `num_maps` maps from 4x4 up, or functions of the shape that make them; None: see `noise_maps`.
            second_order: keep to operators with a second gradient.
            conditions: pairs (scale, shift) for 8x8, 16x16, ... (see `feature_transform`); levels without one stay.

        Returns:
            [N, 3, size, size], linear.
        """
        noise, w = self.noise_maps() if noise is None else noise, latents.unbind(axis=1)
        out = self.style_conv1(self.constant_input(latents.shape[0]), w[0], noise[0], second_order)
        image = self.to_rgb1(out, w[1])
        for i, to_rgb in enumerate(self.to_rgbs):
            k = 2 * i + 1
            out = self.style_convs[k - 1](out, w[k], noise[k], second_order)
            if i < len(conditions):
                out = feature_transform(out, *conditions[i])
            out = self.style_convs[k](out, w[k + 1], noise[k + 1], second_order)
            image = to_rgb(out, w[k + 2], image)
        return image


class BilinearStyleGAN2Generator(StyleGAN2Generator):
    """The generator that resamples bilinearly; the same parameter names and shapes.

    Source: stylegan2_bilinear_arch.py, StyleGAN2GeneratorBilinear; gfpgan_bilinear_arch.py.
    """

    style_conv, to_rgb = BilinearStyleConv, BilinearToRGB


class StyleGAN2Discriminator(nn.Layer):
    """Residual discriminator with minibatch deviation over groups of at most four.

    Source: stylegan2_arch.py, StyleGAN2Discriminator.
    """

    def __init__(self, size, channel_multiplier=2, narrow=1.0, stddev_group=None):
        """Args: image size, the channel table's two factors, neighbours per deviation group (None: official)."""
        super().__init__()
        channels, log_size = channel_table(channel_multiplier, narrow), log2_size(size)
        levels = range(log_size, 2, -1)
        blocks = [ResBlock(channels[2**i], channels[2 ** (i - 1)], stores_kernel=False) for i in levels]
        self.conv_body = nn.Sequential(ConvLayer(3, channels[size], 1), *blocks)
        self.final_conv = ConvLayer(channels[4] + 1, channels[4], 3)
        first = EqualLinear(channels[4] * 16, channels[4], activate=True)
        self.final_linear = nn.Sequential(first, EqualLinear(channels[4], 1))
        self.stddev_group = stddev_group

    def forward(self, image):
        """[N, 3, size, size] in [-1, 1] -> logits [N, 1]."""
        batch = image.shape[0]
        group, own = self.stddev_group or min(batch, 4), self.stddev_group is not None
        out = minibatch_stddev(self.conv_body(image), group, neighbours=own)
        return self.final_linear(self.final_conv(out).reshape([batch, -1]))
