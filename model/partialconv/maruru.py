"""The network of maruru-hub/PartialConv-paddle and its two critics, under that project's names.

Its layer multiplies by the mask and keeps the mask's own update, but does not renormalise: a masked convolution, not a
partial one. Its decoder is ordinary and reads the encoder's features as they are.

Source: maruru-hub/PartialConv-paddle model/Encoder.py, Decoder.py, PartialConv2d.py, Discriminator.py.
"""

import itertools

import paddle
import paddle.nn.functional as F
from paddle import nn

from model.partialconv.network import padded
from model.shared.convolution import Conv2D, conv2d
from model.shared.normalization import BatchNorm2D

KERNELS = (7, 5, 5, 3)  # of the encoder's layers; the last holds for the rest
DECODER_WIDTHS = (3, 1, 2, 4, 8, 8)  # out of the last layer, and of those before it in units of `width`
SLOPE = 0.2


class MaskedConv2D(Conv2D):
    """Convolution of x times the mask, with bias everywhere; a window with one valid pixel becomes valid.

    Source: PartialConv2d.py, PartialConv.
    """

    def forward(self, x, valid):
        """([N, C, H, W], [N, 1, H, W]) -> (y, valid after)."""
        y = super().forward(x * valid.expand_as(x))
        size, stride = self._kernel_size[0], self._stride[0]
        return y, F.max_pool2d(valid, size, stride, size // 2)


class EncoderLayer(nn.Layer):
    """Masked convolution of stride 2, optional batch norm and leaky ReLU. Source: PartialConv2d.py, PCBActiv."""

    def __init__(self, in_channels, out_channels, kernel_size, has_norm, is_activated):
        """Keys: conv.*, norm_layer.*."""
        super().__init__()
        self.conv = MaskedConv2D(in_channels, out_channels, kernel_size, stride=2, padding=kernel_size // 2)
        self.norm_layer = BatchNorm2D(out_channels) if has_norm else None
        self.is_activated = is_activated

    def forward(self, x, valid):
        """([N, C, H, W], [N, 1, H, W]) -> (feature, valid after), half as large."""
        y, after = self.conv(x, valid)
        y = self.norm_layer(y) if self.norm_layer is not None else y
        return F.leaky_relu(y, SLOPE) if self.is_activated else y, after


class ResnetBlock(nn.Layer):
    """x + two 3 x 3 convolutions with reflected borders and instance norms, the first dilated.

    Source: Encoder.py, ResnetBlock.
    """

    def __init__(self, channels, dilation=2):
        """Keys: conv_block.1, .2, .5, .6."""
        super().__init__()
        self.conv_block = nn.Sequential(
            nn.Pad2D(dilation, mode="reflect"),
            Conv2D(channels, channels, 3, dilation=dilation, bias_attr=False),
            nn.InstanceNorm2D(channels),
            nn.ReLU(),
            nn.Pad2D(1, mode="reflect"),
            Conv2D(channels, channels, 3, bias_attr=False),
            nn.InstanceNorm2D(channels),
        )

    def forward(self, x):
        """[N, C, H, W] -> the same shape; H and W above 2."""
        return x + self.conv_block(x)


class Encoder(nn.Layer):
    """ec_1 ... ec_L and the residual blocks of the middle. Source: Encoder.py, Encoder."""

    def __init__(self, settings):
        """`settings`: MaruruSettings."""
        super().__init__()
        self.layers = settings.layers
        channels = [3] + [settings.width * min(2**number, 8) for number in range(settings.layers)]
        for number in range(1, settings.layers + 1):
            kernel, inner = KERNELS[min(number, len(KERNELS)) - 1], 1 < number < settings.layers
            layer = EncoderLayer(channels[number - 1], channels[number], kernel, inner, number > 1)
            self.add_sublayer(f"ec_{number}", layer)
        self.middle = nn.Sequential(*[ResnetBlock(channels[-1]) for _ in range(settings.blocks)])
        self.channels = channels

    def forward(self, x, valid):
        """Features of every layer, the last after the middle, and their masks: two lists."""
        features, masks = [], []
        for number in range(1, self.layers + 1):
            x, valid = self._sub_layers[f"ec_{number}"](x, valid)
            features.append(x)
            masks.append(valid)
        features[-1] = self.middle(features[-1])
        return features, masks


class DecoderLayer(nn.Layer):
    """ReLU, transposed convolution, batch norm; the last one ends in tanh. Keys: model.1, model.2.

    Source: Decoder.py, UnetSkipConnectionDBlock.
    """

    def __init__(self, in_channels, out_channels, is_last):  # noqa: D107
        super().__init__()
        up = nn.Conv2DTranspose(in_channels, out_channels, 4, stride=2, padding=1)
        self.model = nn.Sequential(nn.ReLU(), up, nn.Tanh() if is_last else BatchNorm2D(out_channels))

    def forward(self, x):
        """[N, C, H, W] -> [N, out, 2H, 2W]."""
        return self.model(x)


class Decoder(nn.Layer):
    """dc_1 ... dc_L, each reading the one before it and the encoder's feature of its size.

    Source: Decoder.py, Decoder.
    """

    def __init__(self, settings, channels):
        """`channels`: of the picture and of each encoder layer."""
        super().__init__()
        self.layers = settings.layers
        before = 0
        for number in range(1, self.layers + 1):
            factor = DECODER_WIDTHS[self.layers - number]
            out = factor if number == self.layers else factor * settings.width
            layer = DecoderLayer(before + channels[self.layers + 1 - number], out, number == self.layers)
            self.add_sublayer(f"dc_{number}", layer)
            before = out

    def forward(self, features):
        """List of the encoder's features, largest first -> [N, 3, H, W] in [-1, 1]."""
        x = self.dc_1(features[-1])
        for number in range(2, self.layers + 1):
            x = self._sub_layers[f"dc_{number}"](paddle.concat([x, features[self.layers - number]], axis=1))
        return x


class MaskedUNet(nn.Layer):
    """The network. Keys: those of its two files, after "encoder." and "decoder.".

    Source: model/base_model.py, forward.
    Differs: every sample has its own mask (published: the first one's for all); norms that are stored but not used are
    left out; any size, by padding that is marked as a hole.
    """

    def __init__(self, settings):
        """`settings`: MaruruSettings."""
        super().__init__()
        self.settings = settings
        self.encoder = Encoder(settings)
        self.decoder = Decoder(settings, self.encoder.channels)

    def forward(self, image, valid):
        """([N, 3, H, W] in [-1, 1], [N, 1, H, W]) -> ([N, 3, H, W] in [-1, 1], all valid)."""
        height, width = image.shape[2], image.shape[3]
        multiple = 2**self.settings.layers
        image, inner = padded(image, multiple), padded(valid, multiple)
        features, masks = self.encoder(image * inner, inner)
        if self.settings.skips == "masked":
            skips = [x * mask.expand_as(x) for x, mask in zip(features[:-1], masks[:-1], strict=True)]
            features = [*skips, features[-1]]
        return self.decoder(features)[:, :, :height, :width], paddle.ones_like(valid)


class SpectralNorm(nn.Layer):
    """A convolution's weight divided by its largest singular value, one power iteration a training forward.

    The weight is flattened with its input channels as rows.

    Source: Miyato et al. 2018, algorithm 1; Discriminator.py, Spectralnorm (dim 1).
    Differs: paddle.nn.SpectralNorm of 3.3.1 leaves its vectors where they started, so its quotient is no norm.
    """

    def __init__(self, rows, columns):
        """Buffers weight_u [rows], weight_v [columns]."""
        super().__init__()
        self.register_buffer("weight_u", unit(paddle.randn([rows])))
        self.register_buffer("weight_v", unit(paddle.randn([columns])))

    def forward(self, weight):
        """[out, in, k, k] -> the same shape; the gradient flows through the weight alone."""
        matrix = weight.transpose([1, 0, 2, 3]).reshape([weight.shape[1], -1])
        u, v = self.weight_u, self.weight_v
        if self.training:
            with paddle.no_grad():
                v = unit(paddle.matmul(matrix, u, transpose_x=True))
                u = unit(paddle.matmul(matrix, v))
                paddle.assign(u, self.weight_u)
                paddle.assign(v, self.weight_v)
        return weight / (u * paddle.matmul(matrix, v)).sum()


def unit(vector):
    """A vector [K] at length 1. Source: Miyato et al. 2018, algorithm 1."""
    return vector / (vector.norm() + 1e-12)


class SpectralConv2D(nn.Layer):
    """Convolution with a spectrally normalised weight. Source: Discriminator.py, Spectralnorm."""

    def __init__(self, in_channels, out_channels, kernel_size, stride, padding):
        """Keys: weight_orig, spectral_norm.weight_u, spectral_norm.weight_v, layer.bias."""
        super().__init__()
        layer = Conv2D(in_channels, out_channels, kernel_size, stride, padding)
        self.weight_orig = layer.weight
        del layer._parameters["weight"]
        self.layer, self.stride, self.padding = layer, stride, padding
        self.spectral_norm = SpectralNorm(in_channels, out_channels * kernel_size**2)

    def forward(self, x):
        """[N, C, H, W] -> [N, out, h, w]."""
        return conv2d(x, self.spectral_norm(self.weight_orig), self.layer.bias, self.stride, self.padding)


class Critic(nn.Layer):
    """Five spectrally normalised convolutions of stride 2: logits of patches. Keys: model.0, .2, .4, .6, .8.

    Source: Discriminator.py, NLayerDiscriminator.
    """

    def __init__(self, width=64):
        """`width`: channels of the first layer."""
        super().__init__()
        channels, layers = [3, width, 2 * width, 4 * width, 8 * width, 1], []
        for before, after in itertools.pairwise(channels):
            layers += [SpectralConv2D(before, after, 4, 2, 1), nn.LeakyReLU(SLOPE)]
        self.model = nn.Sequential(*layers[:-1])

    def forward(self, image):
        """[N, 3, S, S] -> [N, 1, S / 32, S / 32]; S at least 32."""
        return self.model(image)
