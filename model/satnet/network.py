"""SATNet's and MUNIT's networks: a generator that splits content from style, and a discriminator at several scales.

SATNet is MUNIT with self-attention and a further residual block in the generator, self-attention and spectral
normalisation in the discriminator. Every part is a switch; `attention: false, norm: none` is MUNIT.

Source: Huang et al. 2018, Multimodal Unsupervised Image-to-Image Translation; reference code: NVlabs/MUNIT networks.py
and yujiachen-y/experiments_on_face_photo2drawing codes/SATNet/networks.py at a612e62.
"""

import paddle.nn.functional as F
from paddle import nn

from model.satnet.attention import SelfAttention, softmax_twice
from model.satnet.blocks import ConvBlock, Linear, ResBlock, initialise, upsample_nearest

STYLE_DOWNSAMPLES = 4


class StyleEncoder(nn.Layer):
    """Picture to style code; no norms, they would take the style away. Source: MUNIT networks.py, StyleEncoder."""

    def __init__(self, settings):
        """Args: GeneratorSettings."""
        super().__init__()
        dim, form = settings.dim, {"activation": settings.activ, "pad_type": settings.pad_type}
        blocks = [ConvBlock(3, dim, 7, pad=3, **form)]
        for i in range(STYLE_DOWNSAMPLES):
            before, dim = dim, settings.dim * min(2 ** (i + 1), 4)
            blocks.append(ConvBlock(before, dim, 4, 2, 1, **form))
        self.model = nn.Sequential(*blocks, nn.AdaptiveAvgPool2D(1), nn.Conv2D(dim, settings.style_dim, 1))

    def forward(self, image):
        """[N, 3, H, W] in [-1, 1] -> [N, style_dim, 1, 1]."""
        return self.model(image)


class Chain(nn.Layer):
    """Layers one after the other under the name `model`. Source: MUNIT networks.py, ResBlocks and MLP."""

    def __init__(self, layers):
        """`layers`: those with `num_style` take their part of a style, in order."""
        super().__init__()
        self.model = nn.LayerList(layers)
        self.num_style = sum(getattr(layer, "num_style", 0) for layer in layers)

    def forward(self, x, style=None):
        """`style` [N, num_style]."""
        return run_styled(self.model, x, style)


def run_styled(layers, x, style):
    """Pass `x` through layers, handing each the part [N, num_style] of `style` that it takes.

    Source: MUNIT networks.py, assign_adain_params: the parts follow the order of the layers.
    """
    first = 0
    for layer in layers:
        count = getattr(layer, "num_style", 0)
        x = layer(x, style[:, first : first + count]) if count else layer(x)
        first += count
    return x


def residual_blocks(settings, channels, norm):
    """The residual blocks of encoder and decoder: n_res, and with attention self-attention and one more.

    Source: SATNet networks.py, ContentEncoder and Decoder.
    """
    form = {"activation": settings.activ, "pad_type": settings.pad_type}
    last = ResBlock(channels, norm, settings.deformable, **form)
    count = settings.n_res if settings.attention else settings.n_res - 1
    plain = [ResBlock(channels, norm, **form) for _ in range(count)]
    if settings.attention:
        return [Chain(plain), SelfAttention(channels), last]
    return [Chain([*plain, last])]


class ContentEncoder(nn.Layer):
    """Picture to content map. Source: MUNIT networks.py, ContentEncoder; SATNet's attention."""

    def __init__(self, settings):
        """Args: GeneratorSettings."""
        super().__init__()
        dim, form = settings.dim, {"norm": "in", "activation": settings.activ, "pad_type": settings.pad_type}
        blocks = [ConvBlock(3, dim, 7, pad=3, **form)]
        for _ in range(settings.n_downsample):
            blocks.append(ConvBlock(dim, 2 * dim, 4, 2, 1, **form))
            dim *= 2
        self.model = nn.Sequential(*blocks, *residual_blocks(settings, dim, "in"))

    def forward(self, image):
        """[N, 3, H, W] in [-1, 1] -> [N, dim * 2^n_downsample, H / 2^n_downsample, W / 2^n_downsample]."""
        return self.model(image)


class NearestUpsample(nn.Layer):
    """Twice the size, no parameters. Source: MUNIT networks.py, nn.Upsample(scale_factor=2)."""

    def forward(self, x):
        """[N, C, H, W] -> [N, C, 2H, 2W]."""
        return upsample_nearest(x)


class Decoder(nn.Layer):
    """Content map and style to picture. Source: MUNIT networks.py, Decoder; SATNet's attention."""

    def __init__(self, settings):
        """Args: GeneratorSettings."""
        super().__init__()
        dim = settings.dim * 2**settings.n_downsample
        layers = residual_blocks(settings, dim, "adain")
        self.num_style = sum(getattr(layer, "num_style", 0) for layer in layers)
        for _ in range(settings.n_downsample):
            layers += [NearestUpsample(), ConvBlock(dim, dim // 2, 5, 1, 2, "ln", settings.activ, settings.pad_type)]
            dim //= 2
        self.model = nn.LayerList([*layers, ConvBlock(dim, 3, 7, 1, 3, "none", "tanh", settings.pad_type)])

    def forward(self, content, style):
        """`style` [N, num_style], from the MLP -> [N, 3, H, W] in [-1, 1]."""
        return run_styled(self.model, content, style)


class AdaINGenerator(nn.Layer):
    """Style encoder, content encoder and decoder of one domain.

    Source: Huang et al. 2018, section 5.1 and appendix B; MUNIT networks.py, AdaINGen.
    """

    def __init__(self, settings, spectral_init="all"):
        """Args: GeneratorSettings; `spectral_init`: "all" draws spectral convolutions like the others, "torch" not."""
        super().__init__()
        self.style_dim = settings.style_dim
        self.enc_style = StyleEncoder(settings)
        self.enc_content = ContentEncoder(settings)
        self.dec = Decoder(settings)
        widths = [settings.style_dim, settings.mlp_dim, settings.mlp_dim, self.dec.num_style]
        self.mlp = Chain([Linear(widths[i], widths[i + 1], "none" if i == 2 else settings.activ) for i in range(3)])
        initialise(self, "kaiming", spectral_init == "all")

    def encode(self, image):
        """[N, 3, H, W] in [-1, 1] -> (content map, style [N, style_dim, 1, 1])."""
        return self.enc_content(image), self.enc_style(image)

    def decode(self, content, style):
        """Content map of any domain and style of this one -> [N, 3, H, W] in [-1, 1]."""
        return self.dec(content, self.mlp(style.reshape([-1, self.style_dim])))


class MultiScaleDiscriminator(nn.Layer):
    """Patch discriminators on the picture and on its halves. Source: MUNIT networks.py, MsImageDis."""

    def __init__(self, settings, spectral_init="all"):
        """Args: DiscriminatorSettings; `spectral_init` as in the generator."""
        super().__init__()
        self.cnns = nn.LayerList([self._one_scale(settings) for _ in range(settings.num_scales)])
        initialise(self, 0.02 if settings.init == "gaussian" else "kaiming", spectral_init == "all")

    def _one_scale(self, settings):
        dim, norm, form = settings.dim, settings.norm, (settings.activ, settings.pad_type)
        layers = [ConvBlock(3, dim, 4, 2, 1, "none", *form)]
        for _ in range(settings.n_layer - 1):
            layers.append(ConvBlock(dim, 2 * dim, 4, 2, 1, norm, *form))
            dim *= 2
        if settings.attention:
            layers.append(SelfAttention(dim, "sn" if norm == "sn" else "none", softmax_twice))
        return nn.Sequential(*layers, nn.Conv2D(dim, 1, 1))

    def forward(self, image):
        """[N, 3, H, W] in [-1, 1] -> logits of every scale, [N, 1, h, w] each."""
        logits = []
        for cnn in self.cnns:
            logits.append(cnn(image))
            image = F.avg_pool2d(image, 3, stride=2, padding=1, exclusive=True)
        return logits
