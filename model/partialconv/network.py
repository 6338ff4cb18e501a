"""The inpainting U-Net of partial convolutions: 7 + 7 layers at 256 px, 8 + 8 at 512.

Inside the network a mask says what is valid: 1 where a pixel is known, 0 in a hole. All channels of a tensor share one
mask, a decoder's two concatenated parts have one each, so a window's count of valid inputs needs one channel a part.

Source: Liu et al. 2018 (Image Inpainting for Irregular Holes Using Partial Convolutions), sections 3.1 and 3.2;
reference code: NVIDIA/partialconv models/partialconv2d.py, naoto0804/pytorch-inpainting-with-partial-conv net.py.
"""

import paddle
import paddle.nn.functional as F
from paddle import nn

from model.shared.convolution import conv2d, same_conv
from model.shared.normalization import BatchNorm2D

KERNELS, SMALL_KERNEL = (7, 5, 5), 3  # of the first encoder layers, and of all others
SLOPE = 0.2
NORM_MOMENTUM, NORM_EPSILON = 0.9, 1e-5


class PartialConv2D(nn.Layer):
    """Convolution over valid pixels only, scaled by window size / number of valid inputs; empty windows give 0.

    Source: Liu et al. 2018, equations (1) and (2); NVIDIA/partialconv models/partialconv2d.py, multi_channel=True.
    Differs: masks have one channel a part instead of one a feature channel, with the same values.
    """

    def __init__(self, parts, out_channels, kernel_size, stride=1, bias=False, scale="paper", dilation=1, padding=None):
        """`parts`: channels of each concatenated input; `scale` as in `UNetSettings`; padding: None keeps the size.

        In the scale "window" a buffer `window` holds the window's size, so that a file says which scale it is in.
        """
        super().__init__()
        self.parts, self.kernel_size, self.stride, self.dilation = tuple(parts), kernel_size, stride, dilation
        self.padding = dilation * (kernel_size // 2) if padding is None else padding
        self.is_plain = dilation == 1 and self.padding == kernel_size // 2
        shape = [out_channels, sum(parts), kernel_size, kernel_size]
        if scale == "window":
            self.register_buffer("window", paddle.full([1], sum(parts) * kernel_size**2, self._dtype))
        self.weight = self.create_parameter(shape, default_initializer=nn.initializer.KaimingNormal())
        self.bias = self.create_parameter([out_channels], is_bias=True) if bias else None

    def forward(self, features, valid):
        """Convolve.

        Args:
            features: list of [N, C, H, W], one a part.
            valid: list of [N, 1, H, W], exactly 0 or 1, float32; constants.

        Returns:
            ([N, out, h, w], valid [N, 1, h, w]); h = ceil(H / stride).
        """
        x = [part * mask.expand_as(part) for part, mask in zip(features, valid, strict=True)]
        return self.renormalised(self.convolved(x[0] if len(x) == 1 else paddle.concat(x, axis=1)), valid)

    def renormalised(self, y, valid):
        """Divide the convolution of masked inputs by the share of them that is valid, add the bias; as `forward`."""
        share = self.valid_share(valid)
        after = (share > 0).astype(share.dtype)
        divisor = share * self.window if "window" in self._buffers else share
        y = y * (after / (divisor + (1 - after))).expand_as(y)
        if self.bias is not None:
            reached = (
                after if self.training else after.expand_as(y)
            )  # oneDNN has no kernel for [C, 1, 1] x [N, 1, H, W]
            y = y + self.bias.reshape([-1, 1, 1]) * reached
        return y, after

    def convolved(self, x):
        """The plain convolution without bias; its training form is the faster one on a CPU."""
        if self.is_plain and self.stride == 1 and self.training:
            return same_conv(x, self.weight)
        return conv2d(x, self.weight, stride=self.stride, padding=self.padding, dilation=self.dilation)

    def valid_share(self, valid):
        """[N, 1, h, w]: valid inputs of a window / inputs of a window, those outside the picture being invalid.

        Means by pooling stay float32 under autocast, and no convolution is spent on a constant kernel.
        """
        total = 0.0
        for channels, mask in zip(self.parts, valid, strict=True):
            total = total + self.window_mean(mask) * (channels / sum(self.parts))
        return total

    def window_mean(self, mask):
        """[N, 1, H, W] -> [N, 1, h, w], means over windows, outside the picture being 0."""
        size = self.kernel_size
        if self.is_plain:
            return F.avg_pool2d(mask, size, self.stride, self.padding, exclusive=False)
        mean = paddle.full([1, 1, size, size], 1 / size**2, mask.dtype)
        return F.conv2d(mask, mean, stride=self.stride, padding=self.padding, dilation=self.dilation)


class PartialConvStage(nn.Layer):
    """Partial convolution, optional batch norm, activation. Source: Liu et al. 2018, table 2; net.py, PCBActiv."""

    def __init__(self, conv, slope=None, has_norm=True, residual="none"):
        """`slope`: of the leaky ReLU, 0 for a ReLU, None for no activation."""
        super().__init__()
        self.conv, self.slope, self.residual = conv, slope, residual
        channels = conv.weight.shape[0]
        if residual != "none":
            shape, start = conv.weight.shape, nn.initializer.KaimingNormal()
            self.plain = self.create_parameter(shape, default_initializer=start)
            self.gamma = self.create_parameter([channels], default_initializer=nn.initializer.Constant(0.0))
        self.bn = BatchNorm2D(channels, NORM_MOMENTUM, NORM_EPSILON) if has_norm else None

    def forward(self, features, valid):
        """Lists as of `PartialConv2D`; returns (feature, valid)."""
        y, after = self.conv(features, valid)
        if self.residual != "none":
            y = self.with_residual(y, features[0])
        if self.bn is not None:
            y = self.bn(y)
        if self.slope is not None:
            y = F.leaky_relu(y, self.slope) if self.slope else F.relu(y)
        return y, after

    def with_residual(self, y, x):
        """The sum with an ordinary convolution of all of `x`, holes included.

        Source: maruru-hub/PartialConv-paddle README, its outlook; the form with gamma is ours.
        """
        plain = conv2d(x, self.plain, stride=self.conv.stride, padding=self.conv.kernel_size // 2)
        gamma = self.gamma.reshape([-1, 1, 1])
        return y + gamma * plain if self.residual == "gamma" else plain + gamma * y


class PartialConvUNet(nn.Layer):
    """The network. Keys: enc_1 ... enc_L and dec_L ... dec_1, each conv.weight, conv.bias, bn.*.

    Source: Liu et al. 2018, section 3.2 and supplementary table; net.py, PConvUNet.
    """

    def __init__(self, settings):
        """`settings`: UNetSettings."""
        super().__init__()
        self.settings, self.enlarge = settings, doubled  # exported stages do the latter themselves
        s = settings
        channels = [s.width * min(2**number, 8) for number in range(s.depth)]
        for number, width in enumerate(channels, 1):
            kernel = KERNELS[number - 1] if number <= len(KERNELS) else SMALL_KERNEL
            before = channels[number - 2] if number > 1 else 3
            conv = PartialConv2D([before], width, kernel, 2, s.has_bias(False, number > 1), s.scale)
            stage = PartialConvStage(conv, 0.0, number > 1, s.encoder_residual if number > 1 else "none")
            self.add_sublayer(f"enc_{number}", stage)
        for number in range(s.depth, 0, -1):
            skip, out = (channels[number - 2],) * 2 if number > 1 else (3, 3)
            parts, has_bias = [channels[number - 1], skip], s.has_bias(number == 1, number > 1)
            conv = PartialConv2D(parts, out, 3, bias=has_bias, scale=s.scale)
            self.add_sublayer(f"dec_{number}", PartialConvStage(conv, SLOPE if number > 1 else None, number > 1))
        self.freeze()

    def stage(self, kind, number):
        """Stage "enc" or "dec" of a number from 1."""
        return self._sub_layers[f"{kind}_{number}"]

    def encoder_norms(self):
        """The encoder's batch norms."""
        return [self.stage("enc", number).bn for number in range(2, self.settings.depth + 1)]

    def freeze(self):
        """Put the encoder's batch norms to rest, as far as the settings say; `train` calls it again."""
        for norm in self.encoder_norms() if self.settings.frozen_norm != "none" else ():
            norm.eval()
            for parameter in norm.parameters() if self.settings.frozen_norm == "all" else ():
                parameter.stop_gradient = True

    def train(self):
        """Training mode, but for frozen norms."""
        super().train()
        self.freeze()

    def forward(self, image, valid):
        """Fill.

        Args:
            image: [N, 3, H, W]; what stands in holes has no influence. Any size: it is padded to a multiple of
                2^layers with pixels marked invalid.
            valid: [N, 1, H, W], exactly 0 or 1, float32.

        Returns:
            ([N, 3, H, W], unbounded; valid [N, 1, H, W]: where the picture was reached).
        """
        height, width = image.shape[2], image.shape[3]
        multiple = 2**self.settings.depth
        image, valid = padded(image, multiple), padded(valid, multiple)
        features, masks = self.encoded(image, valid)
        output, reached = self.decoded(features, masks)
        return output[:, :, :height, :width], reached[:, :, :height, :width]

    def encoded(self, image, valid):
        """Features and masks of the input and of every encoder layer, two lists of depth + 1."""
        features, masks = [image], [valid]
        for number in range(1, self.settings.depth + 1):
            feature, mask = self.stage("enc", number)([features[-1]], [masks[-1]])
            features.append(feature)
            masks.append(mask)
        return features, masks

    def decoded(self, features, masks):
        """From the lists of `encoded` to (output, where it is valid)."""
        feature, mask = features[-1], masks[-1]
        if self.settings.bottleneck_fill == "mean":
            feature, mask = filled(feature, mask)
        for number in range(self.settings.depth, 0, -1):
            skip, skip_mask = features[number - 1], masks[number - 1]
            if self.settings.skips == "raw" and number > 1:
                skip_mask = paddle.ones_like(skip_mask)
            parts = [self.enlarge(feature), skip], [doubled(mask), skip_mask]
            feature, mask = self.stage("dec", number)(*parts)
        return feature, mask


def doubled(x):
    """[N, C, H, W] -> [N, C, 2H, 2W], every value four times, of the same type.

    A transposed convolution with ones: on CPU faster than interpolation, and right in exported graphs. Autocast lowers
    it, which 0 and 1 survive; the type comes back so that sums of masks stay float32.

    Source: nearest-neighbour up-sampling of Liu et al. 2018, section 3.2.
    """
    channels, height, width = x.shape[1:]
    ones = paddle.ones([1, 1, 2, 2], x.dtype)
    y = F.conv2d_transpose(x.reshape([-1, 1, height, width]), ones, stride=2)
    return y.reshape([-1, channels, 2 * height, 2 * width]).astype(x.dtype)


def encoder_kernels(network):
    """Kernel sizes of a network's convolutions of stride 2, in order and without transposed ones. Source: ours."""
    kernels = []
    for layer in network.sublayers():
        stride = getattr(layer, "stride", None) or getattr(layer, "_stride", None) or 0
        stride = stride[0] if isinstance(stride, (list, tuple)) else stride
        if stride == 2 and "Transpose" not in type(layer).__name__:
            kernels.append(layer.weight.shape[-1])
    return kernels


def padded(x, multiple):
    """[N, C, H, W] with zeros below and to the right, up to multiples.

    One form for known sizes and for the free ones of an exported graph: `multiple` rows and columns more, then a cut.

    Source: ours; zeros in the mask make the margin a hole.
    """
    height, width = x.shape[2], x.shape[3]
    x = paddle.concat([x, paddle.zeros_like(x[:, :, :1]).expand([-1, -1, multiple, -1])], axis=2)
    x = paddle.concat([x, paddle.zeros_like(x[:, :, :, :1]).expand([-1, -1, -1, multiple])], axis=3)
    return x[:, :, : -(-height // multiple) * multiple, : -(-width // multiple) * multiple]


def filled(feature, valid):
    """Empty cells get the mean of the picture's valid ones; then all is valid. Source: ours."""
    mask = valid.expand_as(feature)
    mean = (feature * mask).sum(axis=[2, 3], keepdim=True) / valid.sum(axis=[2, 3], keepdim=True).clip(min=1.0)
    return feature * mask + mean * (1 - mask), paddle.ones_like(valid)
