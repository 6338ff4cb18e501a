"""The exported graphs of SATNet: a translation (picture and style code in, picture out), and a style encoder.

Spectral norms are folded: in evaluation their vectors rest, so every weight is a constant. The decoder's doubling and
the convolution after it are one step.

Source: ours; the networks are those of model/satnet/network.py.
"""

import copy
from itertools import pairwise

from paddle import nn

from model.satnet.blocks import SpectralConv2D
from model.satnet.network import NearestUpsample
from model.shared.enlarged import EnlargedConv


def folded(layer):
    """A copy of a layer with the same output, in the forms that a graph runs fast. Source: ours."""
    layer = copy.deepcopy(layer)
    layer.eval()
    for _, owner in layer.named_sublayers(include_self=True):
        for name, child in list(owner.named_children()):
            if isinstance(child, SpectralConv2D):
                setattr(owner, name, plain(child))
        join_doubling(owner)
    return layer


def join_doubling(owner):
    """Let each block after a doubling in `owner` take the small map; the doubling passes it on. Source: ours."""
    for (name, before), (_, block) in pairwise(list(owner.named_children())):
        if isinstance(before, NearestUpsample):
            block.conv = EnlargedConv(block.conv.weight.numpy(), block.conv.bias.numpy(), block.pad_type)
            block.pad = 0
            setattr(owner, name, nn.Identity())


def plain(spectral):
    """A convolution with the normalised weight of a SpectralConv2D in evaluation mode. Source: ours."""
    weight = spectral.normalized_weight()
    conv = nn.Conv2D(weight.shape[1], weight.shape[0], weight.shape[2], spectral.stride)
    conv.weight.set_value(weight)
    conv.bias.set_value(spectral.module.bias)
    return conv


class Translation(nn.Layer):
    """Picture and a style of the other domain -> picture of that domain. Source: Huang et al. 2018, section 3.1."""

    def __init__(self, source, target):
        """`source`, `target`: the AdaINGenerators of the two domains."""
        super().__init__()
        self.encoder, self.decoder = folded(source.enc_content), folded(target.dec)
        self.mlp = folded(target.mlp)

    def forward(self, image, style):
        """[N, 3, H, W] in [0, 1], [N, style_dim] -> [N, 3, H, W] in [0, 1]."""
        return (self.decoder(self.encoder(image * 2 - 1), self.mlp(style)) + 1) / 2


class StyleOf(nn.Layer):
    """Picture of a domain -> its style code. Source: Huang et al. 2018, section 3.1."""

    def __init__(self, generator):
        """`generator`: the AdaINGenerator of the domain."""
        super().__init__()
        self.encoder = folded(generator.enc_style)

    def forward(self, image):
        """[N, 3, H, W] in [0, 1] -> [N, style_dim]."""
        return self.encoder(image * 2 - 1).reshape([image.shape[0], -1])
