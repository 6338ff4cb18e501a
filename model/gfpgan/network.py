"""GFP-GAN's generator: U-Net, latent codes, pyramid of pictures, conditioned decoder; original and bilinear form.

Source: Wang et al. 2021, section 3; reference code: TencentARC/GFPGAN archs/gfpganv1_arch.py (GFPGANv1) and
gfpgan_bilinear_arch.py (GFPGANBilinear).
"""

from paddle import nn

from model.gfpgan.blocks import BilinearDownBlock, Condition, ConvActivated, DownBlock, ToRGB, UpBlock
from model.shared.basicsr_stylegan2 import BilinearStyleGAN2Generator, StyleGAN2Generator
from model.shared.stylegan2 import EqualLinear, channel_table, log2_size, spread_styles


class GFPGANOriginal(nn.Layer):
    """Degraded face to restored face: the network of the paper (v1), which filters where it resamples.

    A subclass names other layers; keys, shapes and forward pass follow from them. `filters`: it resamples with filters,
    else it interpolates; `is_clean`: the weights hold all scales.

    Source: gfpganv1_arch.py, GFPGANv1.
    """

    conv, down, up, rgb, linear, condition = ConvActivated, DownBlock, UpBlock, ToRGB, EqualLinear, Condition
    decoder = StyleGAN2Generator
    filters, is_clean = True, False

    def __init__(
        self,
        size,
        style_dim=512,
        n_mlp=8,
        channel_multiplier=1,
        narrow=1.0,
        input_is_latent=True,
        different_w=True,
        sft_half=True,
    ):
        """Build.

        Args:
            size, style_dim, n_mlp, channel_multiplier, narrow: of the decoder; the U-Net has half of its channels.
            input_is_latent: the U-Net gives w; else z, which the mapping network takes.
            different_w: a code for every layer; else one for all.
            sft_half: condition the second half of the decoder's channels; else all.
        """
        super().__init__()
        log_size, channels = log2_size(size), channel_table(channel_multiplier, narrow * 0.5)
        levels = range(3, log_size + 1)  # 8 px and up
        self.size, self.style_dim = size, style_dim
        self.input_is_latent, self.different_w = input_is_latent, different_w
        self.conv_body_first = self.conv(3, channels[size], 1)
        self.conv_body_down = nn.LayerList([self.down(channels[2**i], channels[2 ** (i - 1)]) for i in levels[::-1]])
        self.final_conv = self.conv(channels[4], channels[4], 3)
        self.conv_body_up = nn.LayerList([self.up(channels[2 ** (i - 1)], channels[2**i]) for i in levels])
        self.toRGB = nn.LayerList([self.rgb(channels[2**i]) for i in levels])
        self.num_latents = 2 * log_size - 2
        self.final_linear = self.linear(channels[4] * 16, (self.num_latents if different_w else 1) * style_dim)
        self.stylegan_decoder = self.decoder(size, style_dim, n_mlp, channel_multiplier, narrow)
        widths = [channels[2**i] for i in levels]
        outs = [width if sft_half else 2 * width for width in widths]
        pairs = list(zip(widths, outs, strict=True))
        self.condition_scale = nn.LayerList([self.condition(width, out, 1.0) for width, out in pairs])
        self.condition_shift = nn.LayerList([self.condition(width, out, 0.0) for width, out in pairs])

    def encode(self, image):
        """[N, 3, size, size] -> (latents [N, num_latents, style_dim], feature maps of 8, 16, ... size pixels)."""
        x, skips = self.conv_body_first(image), []
        for block in self.conv_body_down:
            x = block(x)
            skips.insert(0, x)
        x = self.final_conv(x)
        codes = self.final_linear(x.reshape([x.shape[0], -1]))
        features = []
        for skip, block in zip(skips, self.conv_body_up, strict=True):
            x = block(x + skip)
            features.append(x)
        return self.latents(codes), features

    def latents(self, codes):
        """Output of `final_linear` -> [N, num_latents, style_dim]."""
        if self.different_w:
            codes = codes.reshape([-1, self.num_latents, self.style_dim])
        if not self.input_is_latent:
            codes = self.stylegan_decoder.style_mlp(codes)
        return codes if self.different_w else spread_styles([codes], self.num_latents)

    def forward(self, image, noise=None):
        """Restore.

        Args:
            image: [N, 3, size, size] in [-1, 1].
            noise: see `StyleGAN2Generator`; None: drawn in training, the stored maps in evaluation.

        Returns:
            (restored [N, 3, size, size], [pictures of the U-Net at 8, 16, ... size]); linear, trained to [-1, 1].
        """
        latents, features = self.encode(image)
        conditions = [
            (scale(x), shift(x))
            for scale, shift, x in zip(self.condition_scale, self.condition_shift, features, strict=True)
        ]
        pictures = [to_rgb(x) for to_rgb, x in zip(self.toRGB, features, strict=True)]
        return self.stylegan_decoder(latents, noise, conditions=conditions), pictures


class GFPGANBilinear(GFPGANOriginal):
    """The form that is trained for versions 1.2 to 1.4: bilinear resampling. Source: GFPGANBilinear."""

    down, decoder = BilinearDownBlock, BilinearStyleGAN2Generator
    filters = False
