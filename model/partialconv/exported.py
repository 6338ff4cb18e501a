"""The exported graph of PartialConv: picture and mask in, the composite out.

Source: Liu et al. 2018 (Image Inpainting for Irregular Holes Using Partial Convolutions), I_comp.
"""

import copy

import paddle.nn.functional as F
from paddle import nn

from engine.images import composite
from model.partialconv.network import PartialConv2D, PartialConvUNet
from model.shared.enlarged import EnlargedConv


class JoinedConv(PartialConv2D):
    """A decoder's partial convolution that takes its first part at half the size. Source: Liu et al. 2018, table 2."""

    def __init__(self, conv):
        """`conv`: the training form, of two parts, 3 x 3, stride 1."""
        size, scale = conv.kernel_size, "window" if "window" in conv._buffers else "paper"
        super().__init__(conv.parts, conv.weight.shape[0], size, bias=conv.bias is not None, scale=scale)
        self.set_state_dict(conv.state_dict())
        weight, first = conv.weight.numpy(), conv.parts[0]
        self.enlarged = EnlargedConv(weight[:, :first])
        self.register_buffer("rest", conv.weight[:, first:])
        del self.weight  # a file would hold it twice

    def forward(self, features, valid):
        """As in `PartialConv2D`, but the first feature is [N, C, H / 2, W / 2]; its mask is doubled."""
        (small, skip), (doubled_mask, skip_mask) = features, valid
        mask = F.avg_pool2d(doubled_mask, 2)
        y = self.enlarged(small * mask.expand_as(small))
        skip = F.conv2d(skip * skip_mask.expand_as(skip), self.rest, padding=self.padding)
        return self.renormalised(y + skip, valid)


def joined(generator):
    """A copy of a U-Net with the same output whose decoder never makes the doubled maps; another network as it is.

    Source: ours.
    """
    if not isinstance(generator, PartialConvUNet):
        return generator
    generator = copy.deepcopy(generator)
    generator.enlarge = nn.Identity()
    for number in range(1, generator.settings.depth + 1):
        stage = generator.stage("dec", number)
        stage.conv = JoinedConv(stage.conv)
    generator.eval()
    return generator


class Filling(nn.Layer):
    """The network between its input's and output's spaces, known pixels as they came. Source: Liu et al. 2018."""

    def __init__(self, output, generator):
        """`output(generator, image, hole)` -> the network's picture in [0, 1]."""
        super().__init__()
        self.generator, self.output = generator, output

    def forward(self, image, mask):
        """[N, 3, H, W] in [0, 1], [N, 1, H, W] -> [N, 3, H, W]; a mask counts as hole from 0.5 up."""
        hole = (mask >= 0.5).astype("float32")
        return composite(self.output(self.generator, image, hole), image, hole.expand_as(image))


def joined_filling(output, generator):
    """`Filling` of `joined`. Source: ours."""
    return Filling(output, joined(generator))
