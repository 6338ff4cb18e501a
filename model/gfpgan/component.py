"""The discriminator that judges one facial part: left eye, right eye or mouth.

Source: Wang et al. 2021, section 3.4; TencentARC/GFPGAN archs/gfpganv1_arch.py, FacialComponentDiscriminator.
"""

import itertools

from paddle import nn

from model.shared.stylegan2 import ConvLayer, EqualConv2D


class FacialComponentDiscriminator(nn.Layer):
    """Crop of a part to a map of logits, a quarter of its size. Source: FacialComponentDiscriminator."""

    def __init__(self):
        """64, 128, 128, 256, 256 channels; the second and the fourth layer halve the size."""
        super().__init__()
        widths = (3, 64, 128, 128, 256, 256)
        for i, (before, here) in enumerate(itertools.pairwise(widths), 1):
            setattr(self, f"conv{i}", ConvLayer(before, here, 3, down=i in (2, 4), stores_kernel=False))
        self.final_conv = nn.Sequential(EqualConv2D(256, 1, 3, has_bias=True))

    def forward(self, crop):
        """[N, 3, H, W] in [-1, 1] -> (logits [N, 1, H / 4, W / 4], features [[N, 128, ...], [N, 256, ...]])."""
        third = self.conv3(self.conv2(self.conv1(crop)))
        fifth = self.conv5(self.conv4(third))
        return self.final_conv(fifth), [third, fifth]
