"""GPEN's generator in its exported form: RGB [0, 1] in, RGB [0, 1] out, weights folded.

Source: Yang et al. 2021 (GPEN), section 3; FullGenerator and FullGenerator_SR of the released code.
"""

import numpy as np
import paddle
from paddle import nn

from model.gpen.network import fixed_noise
from model.shared.exported import (
    GAIN,
    SLOPE,
    Folded,
    FoldedConv,
    FoldedLinear,
    FoldedModulatedConv,
    UpsampledSkip,
    leaky_relu,
    pixel_norm,
)


class StyledConv(Folded):
    """Modulated convolution joined with an encoder map (or a constant noise map), bias, leaky_relu.

    Source: StyledConv and NoiseInjection of the released code.
    """

    def __init__(self, weights, prefix, noise=None):
        """Fold.

        Args:
            weights: dict of arrays with the official keys; prefix: "generator.convs.3" and the like.
            noise: [1 or N, C, H, W], constant that stands in for the encoder map; None: the map is an input.
        """
        super().__init__()
        kernel = weights.get(f"{prefix}.conv.blur.kernel")
        self.conv = FoldedModulatedConv(weights, f"{prefix}.conv", gain=GAIN, kernel=kernel)
        channels = weights[f"{prefix}.conv.weight"].shape[1]
        bias = np.float64(weights[f"{prefix}.activate.bias"]).reshape(-1, 1, 1) * GAIN
        self.is_concat = len(bias) == 2 * channels
        self.feature_scale = float(weights[f"{prefix}.noise.weight"][0]) * GAIN
        self.constant("bias", bias[:channels])
        self.takes_feature = noise is None
        if self.is_concat:
            self.constant("feature_bias", bias[channels:])
        if not self.takes_feature:
            joined = np.float64(noise) * self.feature_scale
            if self.is_concat:
                joined = joined + bias[channels:]
                joined = np.maximum(joined, SLOPE * joined)
            self.constant("joined", joined)

    def forward(self, x, latent, feature):
        """[N, in, H, W], [N, D], [N, C, H', W'] or None -> [N, C or 2C, H', W']."""
        y = self.conv(x, latent) + self.bias
        if not self.is_concat:
            return leaky_relu(y + (feature * self.feature_scale if self.takes_feature else self.joined))
        if self.takes_feature:
            joined = leaky_relu(feature * self.feature_scale + self.feature_bias)
        else:
            joined = self.joined.expand([y.shape[0], -1, -1, -1])
        return paddle.concat([leaky_relu(y), joined], axis=1)


class ToRGB(Folded):
    """1 x 1 modulated convolution without demodulation, plus bias, plus the up-sampled picture so far.

    The sum of all of them is in [-1, 1]; every term carries half of it and the last bias the other 0.5.

    Source: ToRGB of the released code.
    """

    def __init__(self, weights, prefix, is_last):
        """`prefix`: "generator.to_rgbs.2" and the like; `is_last`: its bias carries the 0.5."""
        super().__init__()
        self.conv = FoldedModulatedConv(weights, f"{prefix}.conv", demodulate=False, gain=0.5)
        bias = np.float64(weights[f"{prefix}.bias"]).reshape(3, 1, 1)
        self.constant("bias", 0.5 * bias + (0.5 if is_last else 0.0))
        kernel = weights.get(f"{prefix}.upsample.kernel")
        self.upsample = UpsampledSkip(kernel) if kernel is not None else None

    def forward(self, x, latent, skip):
        """[N, C, H, W], [N, D], [N, 3, H/2, W/2] or None -> [N, 3, H, W]."""
        y = self.conv(x, latent) + self.bias
        return y if skip is None else y + self.upsample(skip)


class ExportedGPEN(Folded):
    """GPEN for Paddle Inference: [N, 3, S, S] RGB [0, 1] -> [N, 3, S', S'] RGB [0, 1], clipped.

    Sizes, widths and joining (concatenated or added) are read from the shapes. Where the encoder starts below the
    output's size (FullGenerator_SR), the finest levels have no map and get noise: fixed maps here.

    Source: FullGenerator and FullGenerator_SR of the released code.
    Differs: the noise of FullGenerator_SR is constant, as in the training form's evaluation, so that a face
    always gives the same output.
    """

    def __init__(self, generator, noise=None):
        """Fold.

        Args:
            generator: GPENGenerator, or a dict of arrays with the official keys.
            noise: list of [1 or N, C, H, W], low to high, for the layers without map; None: `fixed_noise`.
        """
        super().__init__()
        weights = generator.state_dict() if isinstance(generator, nn.Layer) else generator
        weights = {key: np.asarray(value) for key, value in weights.items()}
        levels = 1 + sum(key.endswith(".upsample.kernel") for key in weights)  # 4, 8, ... output size
        maps = sum(key.startswith("ecd") and key.endswith("bias") for key in weights)  # input size, ..., 8, 4
        self.in_size, self.size = 2 ** (maps + 1), 2 ** (levels + 1)
        noise = noise_maps(weights, maps, levels) if noise is None else noise
        self.encoder = nn.LayerList([encoder_layer(weights, f"ecd{i}.0") for i in range(maps)])
        self.final_linear = FoldedLinear(weights["final_linear.0.weight"], weights["final_linear.0.bias"], 1.0, True)
        self.style = nn.LayerList(mapping_layers(weights))
        self.constant("input", weights["generator.input.input"])
        names = [f"generator.convs.{i}" for i in range(2 * levels - 2)]
        padded = [None] * (2 * maps - 1) + list(noise)
        self.convs = nn.LayerList(
            [StyledConv(weights, n, m) for n, m in zip(["generator.conv1", *names], padded, strict=True)]
        )
        names = ["generator.to_rgb1", *(f"generator.to_rgbs.{i}" for i in range(levels - 1))]
        self.to_rgb = nn.LayerList([ToRGB(weights, n, is_last=n is names[-1]) for n in names])

    def forward(self, image):
        """[N, 3, S, S] in [0, 1] -> [N, 3, S', S'] in [0, 1]."""
        maps = []
        x = image
        for layer in self.encoder:
            x = layer(x)
            maps.insert(0, x)
        latent = pixel_norm(self.final_linear(x.flatten(1)))
        for layer in self.style:
            latent = layer(latent)
        x = self.convs[0](self.input.expand([image.shape[0], -1, -1, -1]), latent, maps[0])
        picture = self.to_rgb[0](x, latent, None)
        for level in range(1, len(self.to_rgb)):
            feature = maps[level] if level < len(maps) else None
            x = self.convs[2 * level - 1](x, latent, feature)
            x = self.convs[2 * level](x, latent, feature)
            picture = self.to_rgb[level](x, latent, picture)
        return picture.clip(0.0, 1.0)


def encoder_layer(weights, prefix):
    """First level: 1 x 1 from RGB [0, 1]; others: blur, 3 x 3, stride 2.

    Source: FullGenerator of the released code.
    """
    if f"{prefix}.0.kernel" not in weights:
        return FoldedConv(weights[f"{prefix}.0.weight"], weights[f"{prefix}.1.bias"], signed_input=True)
    return FoldedConv(weights[f"{prefix}.1.weight"], weights[f"{prefix}.2.bias"], weights[f"{prefix}.0.kernel"])


def mapping_layers(weights, lr_mul=0.01):
    """The MLP from z to w: keys generator.style.1, .2, ... (index 0 is the pixel norm).

    Source: Generator.style of the released code, lr_mlp = 0.01.
    """
    count = sum(key.startswith("generator.style.") and key.endswith(".bias") for key in weights)
    names = [f"generator.style.{i + 1}" for i in range(count)]
    return [FoldedLinear(weights[f"{n}.weight"], weights[f"{n}.bias"], lr_mul, True) for n in names]


def noise_maps(weights, maps, levels):
    """The constants [1, C, H, W] of the layers above the encoder's size, two a level; [] where there is none.

    Source: NoiseInjection of the released code with noise = None; the values are ours.
    """
    layers = range(2 * maps - 2, 2 * levels - 2)
    shapes = [[1, weights[f"generator.convs.{i}.conv.weight"].shape[1], 8 << i // 2, 8 << i // 2] for i in layers]
    return [np.asarray(fixed_noise(index)(shape)) for index, shape in enumerate(shapes)]
