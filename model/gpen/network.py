"""GPEN: a U-shaped encoder whose features are the noise of an embedded StyleGAN2 decoder.

Parameter names and shapes are those of the official checkpoints, kernel buffers included.

Source: Yang et al. 2021, GAN Prior Embedded Network for Blind Face Restoration in the Wild; reference code: yangxy/GPEN
face_model/gpen_model.py.
"""

import paddle
from paddle import nn
from paddle.tensor.random import gaussian

from engine.errors import ConfigError
from model.shared.stylegan2 import (
    Blur,
    ConstantInput,
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


class NoiseInjection(nn.Layer):
    """Concatenates (GPEN) or adds (StyleGAN2) a weighted map. Source: gpen_model.py, NoiseInjection."""

    def __init__(self, is_concat):
        """The weight is one scalar and starts at zero."""
        super().__init__()
        self.weight = parameter(self, [1])
        self.is_concat = is_concat

    def forward(self, x, noise):
        """[N, C, H, W], map of as many (concat) or of 1 or C channels (add) -> [N, 2C or C, H, W]."""
        if self.is_concat:
            return paddle.concat([x, (spread_weight(self.weight, noise.shape) * noise).expand(x.shape)], axis=1)
        return x + (spread_weight(self.weight, noise.shape) * noise).expand(x.shape)


class StyledConv(nn.Layer):
    """Modulated convolution, noise, activation. Source: gpen_model.py, StyledConv."""

    def __init__(self, in_channels, out_channels, style_dim, up=False, is_concat=True):
        """3x3; the output has twice `out_channels` when maps are concatenated."""
        super().__init__()
        self.conv = ModulatedConv2D(in_channels, out_channels, 3, style_dim, up=up)
        if up:  # `up_conv` blurs; the official checkpoints hold the kernel
            self.conv.blur = Blur(pad=(1, 1), gain=4.0)
        self.noise = NoiseInjection(is_concat)
        # noise weight and bias start at 0, so what is concatenated is exactly 0 then
        self.activate = FusedLeakyReLU(out_channels * (2 if is_concat else 1), meets_zero=is_concat)

    def forward(self, x, style, noise, second_order=False):
        """`noise`: the map to inject, or a function of the shape that makes it."""
        out = self.conv(x, style, second_order)
        noise = noise(out.shape) if callable(noise) else noise
        return self.activate(self.noise(out, noise))


class ToRGB(nn.Layer):
    """Modulated 1x1 convolution to three channels, plus the up-sampled image so far. Source: gpen_model.py, ToRGB."""

    def __init__(self, in_channels, style_dim, up=True):
        """`up`: there is an image of half the size to add to."""
        super().__init__()
        self.conv = ModulatedConv2D(in_channels, 3, 1, style_dim, demodulate=False)
        self.bias = parameter(self, [1, 3, 1, 1])
        if up:
            self.upsample = Blur(pad=(2, 1), up=2, gain=4.0)

    def forward(self, x, style, skip=None):
        """[N, C, H, W], [N, style_dim], [N, 3, H/2, W/2] -> [N, 3, H, W]."""
        out = self.conv(x, style) + self.bias.reshape([3, 1, 1])
        return out if skip is None else out + self.upsample(skip)


class StyleGAN2Decoder(nn.Layer):
    """StyleGAN2's mapping and synthesis networks, GPEN's embedded prior (`Generator` in the official code).

    Source: gpen_model.py, Generator.
    Differs: without `noise` each layer draws its own map; the official code draws n_mlp + 1 maps, which is never used.
    """

    def __init__(self, size, style_dim=512, n_mlp=8, channel_multiplier=2, narrow=1.0, is_concat=True):
        """Args: output size, style width, mapping layers, and the channel table's two factors."""
        super().__init__()
        channels, concat = channel_table(channel_multiplier, narrow), 2 if is_concat else 1
        mapping = [EqualLinear(style_dim, style_dim, lr_mul=0.01, activate=True) for _ in range(n_mlp)]
        self.style = nn.Sequential(PixelNorm(), *mapping)
        self.input = ConstantInput(channels[4])
        self.conv1 = StyledConv(channels[4], channels[4], style_dim, is_concat=is_concat)
        self.to_rgb1 = ToRGB(channels[4] * concat, style_dim, up=False)
        self.convs, self.to_rgbs = nn.LayerList(), nn.LayerList()
        log_size = log2_size(size)
        for i in range(3, log_size + 1):
            before, here = channels[2 ** (i - 1)] * concat, channels[2**i]
            self.convs.append(StyledConv(before, here, style_dim, up=True, is_concat=is_concat))
            self.convs.append(StyledConv(here * concat, here, style_dim, is_concat=is_concat))
            self.to_rgbs.append(ToRGB(here * concat, style_dim))
        self.num_latents, self.num_maps = 2 * log_size - 2, 2 * log_size - 3

    def latents(self, styles, inject_index=None, truncation=1.0, truncation_latent=None, input_is_latent=False):
        """One style for every layer: styles[0] up to `inject_index`, styles[1] from there.

        Args:
            styles: one or two tensors [N, style_dim]: z, or w if `input_is_latent`.
            inject_index, truncation, truncation_latent: as in `spread_styles`.

        Returns:
            [N, num_latents, style_dim].
        """
        styles = styles if input_is_latent else [self.style(z) for z in styles]
        return spread_styles(styles, self.num_latents, inject_index, truncation, truncation_latent)

    def forward(self, latents, noise=None, second_order=False):
        """Synthesis.

        Args:
            latents: [N, num_latents, style_dim].
            noise: `num_maps` maps from 4x4 up, or functions of the shape that make them; None: N(0, 1).
            second_order: keep to operators with a second gradient.

        Returns:
            [N, 3, size, size], linear.
        """
        noise = [paddle.randn] * self.num_maps if noise is None else noise
        out = self.conv1(self.input(latents.shape[0]), latents[:, 0], noise[0], second_order)
        image = self.to_rgb1(out, latents[:, 1])
        for i, to_rgb in enumerate(self.to_rgbs):
            k = 2 * i + 1
            out = self.convs[k - 1](out, latents[:, k], noise[k], second_order)
            out = self.convs[k](out, latents[:, k + 1], noise[k + 1], second_order)
            image = to_rgb(out, latents[:, k + 2], image)
        return image


def fixed_noise(index):
    """A function of the shape [N, C, H, W] that makes map `index` from N(0, 1), equal in all calls and for all samples.

    Source: ours; evaluation and export of a network with missing maps repeat with it.
    """
    return lambda shape: gaussian([1, *shape[1:]], seed=index + 1).expand(shape)


class GPENGenerator(nn.Layer):
    """Degraded face to restored face (FullGenerator; FullGenerator_SR when `in_size` is smaller than `size`).

    Source: Yang et al. 2021, section 3; gpen_model.py, FullGenerator and FullGenerator_SR.
    Differs: the maps an encoder of smaller input cannot give are random in training only; in evaluation they are fixed.
    """

    def __init__(self, size, style_dim=512, n_mlp=8, channel_multiplier=2, narrow=1.0, is_concat=True, in_size=None):
        """Args: see `StyleGAN2Decoder`; `in_size` defaults to `size`."""
        super().__init__()
        self.size, self.in_size = size, in_size or size
        if self.in_size > size:
            raise ConfigError(f"in_size: {in_size}, expected at most the output size {size}")
        channels, log_size = channel_table(channel_multiplier, narrow), log2_size(self.in_size)
        self.generator = StyleGAN2Decoder(size, style_dim, n_mlp, channel_multiplier, narrow, is_concat)
        self.ecd0 = nn.Sequential(ConvLayer(3, channels[self.in_size], 1))
        for i in range(1, log_size - 1):
            before, here = channels[self.in_size >> (i - 1)], channels[self.in_size >> i]
            setattr(self, f"ecd{i}", nn.Sequential(ConvLayer(before, here, 3, down=True)))
        self.num_encoders = log_size - 1
        self.final_linear = nn.Sequential(EqualLinear(channels[4] * 16, style_dim, activate=True))

    def encode(self, image):
        """[N, 3, in_size, in_size] -> (z [N, style_dim], feature maps from in_size down to 4x4)."""
        maps = [image]
        for i in range(self.num_encoders):
            maps.append(getattr(self, f"ecd{i}")(maps[-1]))
        flat = maps[-1].reshape([image.shape[0], -1])
        return self.final_linear(flat), maps[1:]

    def noise_maps(self, features, extra=None):
        """Maps for each decoder layer: 4x4 once, every larger map twice, then those that no encoder can give."""
        known = [features[-1]] + [each for feature in features[-2::-1] for each in (feature, feature)]
        missing = self.generator.num_maps - len(known)
        if extra is None:
            extra = [paddle.randn if self.training else fixed_noise(i) for i in range(missing)]
        return known + list(extra)

    def forward(self, image, extra_noise=None):
        """Restore.

        Args:
            image: [N, 3, in_size, in_size] in [-1, 1].
            extra_noise: the maps above in_size, low to high; None: drawn in training, fixed in evaluation.

        Returns:
            [N, 3, size, size], linear, trained towards [-1, 1].
        """
        z, features = self.encode(image)
        return self.generator(self.generator.latents([z]), self.noise_maps(features, extra_noise))

    def forward_with_latents(self, image, extra_noise=None):
        """`forward` in twice differentiable form, for path lengths -> (image, latents [N, num_latents, style_dim])."""
        z, features = self.encode(image)
        latents = self.generator.latents([z])
        return self.generator(latents, self.noise_maps(features, extra_noise), second_order=True), latents


class GPENDiscriminator(nn.Layer):
    """StyleGAN2's residual discriminator; minibatch deviation over the whole batch.

    Source: gpen_model.py, Discriminator.
    """

    def __init__(self, size, channel_multiplier=2, narrow=1.0, stddev_group=None):
        """Args: image size, the channel table's two factors, samples per deviation group (None: the whole batch)."""
        super().__init__()
        channels, log_size = channel_table(channel_multiplier, narrow), log2_size(size)
        blocks = [ResBlock(channels[2**i], channels[2 ** (i - 1)]) for i in range(log_size, 2, -1)]
        self.convs = nn.Sequential(ConvLayer(3, channels[size], 1), *blocks)
        self.final_conv = ConvLayer(channels[4] + 1, channels[4], 3)
        first = EqualLinear(channels[4] * 16, channels[4], activate=True)
        self.stddev_group = stddev_group
        self.final_linear = nn.Sequential(first, EqualLinear(channels[4], 1))

    def forward(self, image, return_features=False):
        """Judge.

        Args:
            image: [N, 3, size, size] in [-1, 1].
            return_features: also return the output of every block, for the paper's feature matching.

        Returns:
            logits [N, 1], or (logits, list of maps).
        """
        features = [image]
        for block in self.convs:
            features.append(block(features[-1]))
        group = self.stddev_group or image.shape[0]
        out = self.final_conv(minibatch_stddev(features[-1], group, neighbours=self.stddev_group is not None))
        logits = self.final_linear(out.reshape([image.shape[0], -1]))
        return (logits, features[1:]) if return_features else logits
