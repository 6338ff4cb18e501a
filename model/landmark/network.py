"""GLCIC: the completion network and the two-branch context discriminator of landmark-guided inpainting.

Every layer but the last is convolution, ReLU, batch normalisation, in this order. `width` scales all channels; at 1
keys and shapes are the official ones.

Source: Iizuka et al. 2017, tables 1 and 2; reference code and keys: otenim/GLCIC-PyTorch models.py.
"""

import paddle
import paddle.nn.functional as F
from paddle import nn

from model.backbones.ir_se50 import batch_norm
from model.shared.convolution import Conv2D

# channels, kernel, stride, dilation of conv1 ... conv12
ENCODER = (
    (64, 5, 1, 1),
    (128, 3, 2, 1),
    (128, 3, 1, 1),
    (256, 3, 2, 1),
    (256, 3, 1, 1),
    (256, 3, 1, 1),
    (256, 3, 1, 2),
    (256, 3, 1, 4),
    (256, 3, 1, 8),
    (256, 3, 1, 16),
    (256, 3, 1, 1),
    (256, 3, 1, 1),
)
CRITIC = (64, 128, 256, 512, 512)
FEATURES = 1024


def scaled(channels, width):
    """Channels at a width, at least 4. Source: ours."""
    return max(4, round(channels * width))


class CompletionNetwork(nn.Layer):
    """Fills a hole: image with the hole filled by a constant, hole mask, and further maps if any -> image.

    Source: Iizuka et al. 2017, table 1; models.py, CompletionNetwork (6,072,131 parameters at width 1, 4 channels).
    """

    def __init__(self, width=1.0, in_channels=4):
        """`in_channels`: 3 of the image, 1 of the mask, 1 of a landmark map where the network is conditioned on it."""
        super().__init__()
        channels = in_channels
        for i, (outputs, kernel, stride, dilation) in enumerate(ENCODER, 1):
            outputs = scaled(outputs, width)
            padding = (kernel // 2) * dilation
            self._add(i, f"conv{i}", Conv2D(channels, outputs, kernel, stride, padding, dilation), outputs)
            channels = outputs
        half, quarter, eighth = (scaled(c, width) for c in (128, 64, 32))
        self._add(13, "deconv13", nn.Conv2DTranspose(channels, half, 4, 2, 1), half)
        self._add(14, "conv14", Conv2D(half, half, 3, 1, 1), half)
        self._add(15, "deconv15", nn.Conv2DTranspose(half, quarter, 4, 2, 1), quarter)
        self._add(16, "conv16", Conv2D(quarter, eighth, 3, 1, 1), eighth)
        self.conv17 = Conv2D(eighth, 3, 3, 1, 1)
        names = [*(f"conv{i}" for i in range(1, 13)), "deconv13", "conv14", "deconv15", "conv16"]
        self.steps = [(name, f"bn{i}") for i, name in enumerate(names, 1)]

    def _add(self, number, name, layer, channels):
        self.add_sublayer(name, layer)
        self.add_sublayer(f"bn{number}", batch_norm(channels))

    def forward(self, x):
        """[N, in_channels, H, W], H and W divisible by 4 -> RGB [N, 3, H, W] in (0, 1)."""
        for convolution, norm in self.steps:  # names ready made: to_static gives up at text put together here
            x = getattr(self, norm)(F.relu(getattr(self, convolution)(x)))
        return F.sigmoid(self.conv17(x))


class Branch(nn.Layer):
    """One branch of the discriminator: strided convolutions and a linear layer. Source: models.py."""

    def __init__(self, size, width=1.0, widths=CRITIC):
        """`size`: (height, width) of the pictures it is given; `widths`: channels of the convolutions."""
        super().__init__()
        channels, self.depth = 3, len(widths)
        for i, outputs in enumerate(widths, 1):
            outputs = scaled(outputs, width)
            self.add_sublayer(f"conv{i}", Conv2D(channels, outputs, 5, 2, 2))
            self.add_sublayer(f"bn{i}", batch_norm(outputs))
            channels = outputs
        height, across = (-(-side // 2**self.depth) for side in size)
        self.add_sublayer(f"linear{self.depth + 1}", nn.Linear(channels * height * across, scaled(FEATURES, width)))

    def forward(self, image):
        """[N, 3, *size] -> features [N, 1024 * width], not negative."""
        for i in range(1, self.depth + 1):
            image = getattr(self, f"bn{i}")(F.relu(getattr(self, f"conv{i}")(image)))
        return F.relu(getattr(self, f"linear{self.depth + 1}")(image.flatten(1)))


class ContextDiscriminator(nn.Layer):
    """Judges the whole picture and the region of the hole together.

    Source: Iizuka et al. 2017, table 2; models.py, ContextDiscriminator.
    Differs: returns the logit, so that the cross entropy is exact where a sigmoid saturates; the linear layers round
    the pictures' size up as the convolutions do (official: down, so 80 px crops do not fit).
    """

    def __init__(self, local_size, global_size, width=1.0, arc="celeba"):
        """Sizes are (height, width) of the crop and of the picture; "places2" sees it through a sixth convolution."""
        super().__init__()
        self.model_ld = Branch(local_size, width)
        self.model_gd = Branch(global_size, width, {"celeba": CRITIC, "places2": (*CRITIC, CRITIC[-1])}[arc])
        self.linear1 = nn.Linear(2 * scaled(FEATURES, width), 1)

    def forward(self, local, image):
        """Crop [N, 3, *local_size] and picture [N, 3, *global_size] in [0, 1] -> logits [N, 1]."""
        return self.linear1(paddle.concat([self.model_ld(local), self.model_gd(image)], axis=1))


class MeanFill(nn.Layer):
    """Fills a hole with the training set's mean colour, which travels with the weights.

    Source: Iizuka et al. 2017, section 4 (mean pixel value of the training set).
    """

    def __init__(self, mean_pixel=None):
        """`mean_pixel`: RGB in [0, 1], or None where a weights file has to bring it."""
        super().__init__()
        values = [float("nan")] * 3 if mean_pixel is None else mean_pixel
        self.register_buffer("mean_pixel", paddle.to_tensor(values, "float32").reshape([1, 3, 1, 1]))

    def forward(self, image, mask):
        """[N, 3, H, W], [N, 1, H, W] with 1 = hole -> [N, 3, H, W]."""
        hole = mask.expand_as(image)  # oneDNN has no kernel for the product of [N, 1, H, W] and [1, 3, 1, 1]
        return image * (1 - hole) + self.mean_pixel * hole

    def is_known(self):
        """True where a configuration or a weights file has brought the mean colour."""
        return not bool(self.mean_pixel.isnan().any())

    def assume(self, mean_pixel):
        """Take this mean colour, RGB in [0, 1]."""
        self.mean_pixel.set_value(paddle.to_tensor(mean_pixel, "float32").reshape([1, 3, 1, 1]))


def crop_around(picture, mask, size):
    """[N, C, size, size] crops centred at each hole's bounding box, moved inside the picture where they stick out.

    Source: Iizuka et al. 2017, section 3.3 (a random patch where there is no hole: here the centre); index arithmetic
    stays on the device.
    """
    for axis in (2, 3):
        length, other = mask.shape[axis], 5 - axis
        hit = mask.max(axis=[1, other]).astype("int64")
        first, last = hit.argmax(axis=1), length - 1 - hit.flip(axis=[1]).argmax(axis=1)
        start = ((first + last + 1) // 2 - size // 2).clip(0, length - size)
        index = start.unsqueeze(1) + paddle.arange(size)
        shape = [index.shape[0], 1, size, 1] if axis == 2 else [index.shape[0], 1, 1, size]
        wanted = list(picture.shape)
        wanted[axis] = size
        picture = paddle.take_along_axis(picture, index.reshape(shape).expand(wanted), axis=axis, broadcast=False)
    return picture
