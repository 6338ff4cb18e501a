"""The graph PartialConv is exported as: picture and mask in, the composite out.

Source: Liu et al. 2018 (Image Inpainting for Irregular Holes Using Partial Convolutions), I_comp.
"""

from paddle import nn

from engine.images import composite


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
