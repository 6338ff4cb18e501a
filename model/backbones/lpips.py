"""LPIPS v0.1: the learned perceptual distance of two images, on AlexNet or VGG-16.

Keys: `features.N.*` of the backbone as torchvision numbers them, `linK.model.1.weight` of the published linear layers.

Source: Zhang et al. 2018, eq. (1); richzhang/PerceptualSimilarity lpips/lpips.py.
"""

import paddle
from paddle import nn

from model.backbones import alexnet, vgg
from model.shared.normalization import plane_mean

SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
VGG_LAYERS = ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3")
BACKBONES = ("alex", "vgg")
EPSILON = 1e-10


class ChannelWeights(nn.Layer):
    """Weighted sum over channels by a 1x1 convolution. Source: lpips.py, NetLinLayer, whose dropout is for training."""

    def __init__(self, channels):
        """`channels` of the feature map."""
        super().__init__()
        self.model = nn.Sequential(nn.Dropout(), nn.Conv2D(channels, 1, 1, bias_attr=False))

    def forward(self, x):
        """[N, C, H, W] -> [N, 1, H, W]."""
        return self.model(x)


class LPIPS(nn.Layer):
    """Distances between images by unit-length features, each layer weighted by channel; for evaluation mode.

    Source: lpips.py, LPIPS(net, version "0.1").
    """

    def __init__(self, backbone):
        """`backbone`: "alex" or "vgg"."""
        super().__init__()
        if backbone == "alex":
            self.features, self.taps, channels = alexnet.alexnet_features(), alexnet.RELU, alexnet.CHANNELS
        else:
            names = vgg.layer_names(16)
            self.features, channels = vgg.VGG(16, VGG_LAYERS).features, vgg.CHANNELS
            self.taps = tuple(names.index(layer) for layer in VGG_LAYERS)
        self.lin0, self.lin1, self.lin2, self.lin3, self.lin4 = map(ChannelWeights, channels)

    def embed(self, image):
        """RGB [N, 3, H, W] in [-1, 1] -> five feature maps, each pixel's vector of length 1."""
        shift, scale = (paddle.to_tensor(values, image.dtype).reshape([1, 3, 1, 1]) for values in (SHIFT, SCALE))
        found, x = [], (image - shift) / scale
        for number, layer in enumerate(self.features):
            x = layer(x)
            if number in self.taps:
                found.append(x / ((x * x).sum(axis=1, keepdim=True).sqrt() + EPSILON))
        return found

    def layers(self, first, second):
        """Two results of `embed` -> five [N, 1, 1, 1]: each layer's part of the distance."""
        linear = (self.lin0, self.lin1, self.lin2, self.lin3, self.lin4)
        return [plane_mean(weigh((one - other) ** 2)) for weigh, one, other in zip(linear, first, second, strict=True)]

    def forward(self, first, second):
        """RGB [N, 3, H, W] in [-1, 1], twice -> [N] distances, 0 or more."""
        return sum(self.layers(self.embed(first), self.embed(second))).reshape([-1])
