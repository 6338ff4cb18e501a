"""VGG-16 and VGG-19 feature extractors, the frozen networks of perceptual and style losses and of LPIPS.

Source: Simonyan and Zisserman 2015, configurations D and E; keys `features.N` as torchvision and Paddle number them.
"""

import paddle
from paddle import nn

from model.shared.convolution import Conv2D

CONVOLUTIONS = {16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}  # a block, by depth
CHANNELS = (64, 128, 256, 512, 512)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def layer_names(depth):
    """Names of VGG's layers in order: conv1_1, relu1_1, ..., pool5; the index is the N of `features.N`.

    Source: Simonyan and Zisserman 2015, table 1; BasicSR archs/vgg_arch.py, NAMES.
    """
    names = []
    for block, count in enumerate(CONVOLUTIONS[depth], 1):
        for number in range(1, count + 1):
            names += [f"conv{block}_{number}", f"relu{block}_{number}"]
        names.append(f"pool{block}")
    return names


class VGG(nn.Layer):
    """Features of chosen layers, as deep as the last of them and no deeper.

    Source: Simonyan and Zisserman 2015; torchvision vgg16, vgg19.
    """

    def __init__(self, depth, layers):
        """`depth`: 16 or 19; `layers`: names as in `layer_names`. conv*_* is taken before its ReLU.

        Raises:
            ValueError: a layer that VGG does not have.
        """
        super().__init__()
        names = layer_names(depth)
        if unknown := [layer for layer in layers if layer not in names]:
            raise ValueError(f"VGG-{depth} has no layer {unknown}")
        self.layers = tuple(layers)
        self.names = names[: max(names.index(layer) for layer in layers) + 1]
        self.features = nn.Sequential(*_blocks(self.names))

    def forward(self, image):
        """[N, 3, H, W], normalised (see `imagenet_normalised`) -> {layer: [N, C, h, w]}."""
        found, x = {}, image
        for name, layer in zip(self.names, self.features, strict=True):
            x = layer(x)
            if name in self.layers:
                found[name] = x
        return found


def _blocks(names):
    """One Paddle layer a name; the numbers of `features.N` follow from the order."""
    layers, channels = [], 3
    for name in names:
        if name.startswith("conv"):
            width = CHANNELS[int(name[4]) - 1]
            layers.append(Conv2D(channels, width, 3, padding=1))
            channels = width
        else:
            layers.append(nn.ReLU() if name.startswith("relu") else nn.MaxPool2D(2, 2))
    return layers


def imagenet_normalised(image):
    """RGB [N, 3, H, W] in [0, 1] -> zero mean and unit deviation by ImageNet's channel statistics.

    Source: torchvision's model zoo (mean, std).
    """
    mean, std = (paddle.to_tensor(values, image.dtype).reshape([1, 3, 1, 1]) for values in (MEAN, STD))
    return (image - mean) / std


def imagenet_restored(image):
    """The inverse of `imagenet_normalised`: normalised [N, 3, H, W] -> RGB in [0, 1].

    Source: torchvision's model zoo (mean, std).
    """
    mean, std = (paddle.to_tensor(values, image.dtype).reshape([1, 3, 1, 1]) for values in (MEAN, STD))
    return image * std + mean
