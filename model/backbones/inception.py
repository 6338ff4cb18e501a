"""The Inception v3 whose pooled features FID and KID compare, with the keys of its published checkpoint.

It is the network of 2015-12-05 as ported to PyTorch (pt_inception-2015-12-05): 1008 classes, average pooling that
leaves the padding out, and max pooling in the last block. `engine.weights.official_keys` translates the file.

Source: Szegedy et al. 2016 (Inception v3); Heusel et al. 2017 (FID); mseitzer/pytorch-fid inception.py on
torchvision models/inception.py.
"""

import paddle
from paddle import nn

from model.shared.convolution import Conv2D
from model.shared.normalization import plane_mean

FEATURES, CLASSES = 2048, 1008
INPUT_SIZE = 299


class BasicConv2d(nn.Layer):
    """Convolution without bias, batch normalisation with epsilon 0.001, ReLU."""

    def __init__(self, in_channels, out_channels, size, stride=1, padding=0):
        """`size` and `padding`: one number or (height, width)."""
        super().__init__()
        self.conv = Conv2D(in_channels, out_channels, size, stride, padding=padding, bias_attr=False)
        self.bn = nn.BatchNorm2D(out_channels, momentum=0.9, epsilon=0.001)

    def forward(self, x):
        """[N, in, H, W] -> [N, out, h, w]."""
        return nn.functional.relu(self.bn(self.conv(x)))


def average_3x3(x):
    """Mean of each 3 x 3 neighbourhood, of what lies inside the map."""
    return nn.functional.avg_pool2d(x, 3, stride=1, padding=1, exclusive=True)


def chain(x, *layers):
    """The layers one after another."""
    for layer in layers:
        x = layer(x)
    return x


class InceptionA(nn.Layer):
    """35 x 35 block: branches 1x1, 5x5, double 3x3, and pooling."""

    def __init__(self, channels, pool_features):
        """`pool_features`: width of the pooling branch."""
        super().__init__()
        self.branch1x1 = BasicConv2d(channels, 64, 1)
        self.branch5x5_1 = BasicConv2d(channels, 48, 1)
        self.branch5x5_2 = BasicConv2d(48, 64, 5, padding=2)
        self.branch3x3dbl_1 = BasicConv2d(channels, 64, 1)
        self.branch3x3dbl_2 = BasicConv2d(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = BasicConv2d(96, 96, 3, padding=1)
        self.branch_pool = BasicConv2d(channels, pool_features, 1)

    def forward(self, x):
        """[N, channels, H, W] -> [N, 224 + pool_features, H, W]."""
        return paddle.concat(
            [
                self.branch1x1(x),
                chain(x, self.branch5x5_1, self.branch5x5_2),
                chain(x, self.branch3x3dbl_1, self.branch3x3dbl_2, self.branch3x3dbl_3),
                self.branch_pool(average_3x3(x)),
            ],
            axis=1,
        )


class InceptionB(nn.Layer):
    """Reduction 35 -> 17: branches 3x3, double 3x3, and max pooling, all of stride 2."""

    def __init__(self, channels):
        """`channels` of the input."""
        super().__init__()
        self.branch3x3 = BasicConv2d(channels, 384, 3, stride=2)
        self.branch3x3dbl_1 = BasicConv2d(channels, 64, 1)
        self.branch3x3dbl_2 = BasicConv2d(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = BasicConv2d(96, 96, 3, stride=2)

    def forward(self, x):
        """[N, channels, H, W] -> [N, 480 + channels, h, w]."""
        double = chain(x, self.branch3x3dbl_1, self.branch3x3dbl_2, self.branch3x3dbl_3)
        return paddle.concat([self.branch3x3(x), double, nn.functional.max_pool2d(x, 3, stride=2)], axis=1)


class InceptionC(nn.Layer):
    """17 x 17 block: branches 1x1, 7x7 and double 7x7 in rows and columns, and pooling."""

    def __init__(self, channels, width):
        """`width`: channels inside the 7x7 branches."""
        super().__init__()
        row, column = {"size": (1, 7), "padding": (0, 3)}, {"size": (7, 1), "padding": (3, 0)}
        self.branch1x1 = BasicConv2d(channels, 192, 1)
        self.branch7x7_1 = BasicConv2d(channels, width, 1)
        self.branch7x7_2 = BasicConv2d(width, width, **row)
        self.branch7x7_3 = BasicConv2d(width, 192, **column)
        self.branch7x7dbl_1 = BasicConv2d(channels, width, 1)
        self.branch7x7dbl_2 = BasicConv2d(width, width, **column)
        self.branch7x7dbl_3 = BasicConv2d(width, width, **row)
        self.branch7x7dbl_4 = BasicConv2d(width, width, **column)
        self.branch7x7dbl_5 = BasicConv2d(width, 192, **row)
        self.branch_pool = BasicConv2d(channels, 192, 1)

    def forward(self, x):
        """[N, channels, H, W] -> [N, 768, H, W]."""
        double = chain(
            x, self.branch7x7dbl_1, self.branch7x7dbl_2, self.branch7x7dbl_3, self.branch7x7dbl_4, self.branch7x7dbl_5
        )
        return paddle.concat(
            [
                self.branch1x1(x),
                chain(x, self.branch7x7_1, self.branch7x7_2, self.branch7x7_3),
                double,
                self.branch_pool(average_3x3(x)),
            ],
            axis=1,
        )


class InceptionD(nn.Layer):
    """Reduction 17 -> 8: branches 3x3, 7x7 then 3x3, and max pooling, all of stride 2."""

    def __init__(self, channels):
        """`channels` of the input."""
        super().__init__()
        self.branch3x3_1 = BasicConv2d(channels, 192, 1)
        self.branch3x3_2 = BasicConv2d(192, 320, 3, stride=2)
        self.branch7x7x3_1 = BasicConv2d(channels, 192, 1)
        self.branch7x7x3_2 = BasicConv2d(192, 192, (1, 7), padding=(0, 3))
        self.branch7x7x3_3 = BasicConv2d(192, 192, (7, 1), padding=(3, 0))
        self.branch7x7x3_4 = BasicConv2d(192, 192, 3, stride=2)

    def forward(self, x):
        """[N, channels, H, W] -> [N, 512 + channels, h, w]."""
        large = chain(x, self.branch7x7x3_1, self.branch7x7x3_2, self.branch7x7x3_3, self.branch7x7x3_4)
        small = chain(x, self.branch3x3_1, self.branch3x3_2)
        return paddle.concat([small, large, nn.functional.max_pool2d(x, 3, stride=2)], axis=1)


class InceptionE(nn.Layer):
    """8 x 8 block: branches 1x1, split 3x3, double split 3x3, and pooling."""

    def __init__(self, channels, takes_maximum):
        """`takes_maximum`: max pooling in place of average pooling, which the checkpoint's last block has."""
        super().__init__()
        row, column = {"size": (1, 3), "padding": (0, 1)}, {"size": (3, 1), "padding": (1, 0)}
        self.takes_maximum = takes_maximum
        self.branch1x1 = BasicConv2d(channels, 320, 1)
        self.branch3x3_1 = BasicConv2d(channels, 384, 1)
        self.branch3x3_2a = BasicConv2d(384, 384, **row)
        self.branch3x3_2b = BasicConv2d(384, 384, **column)
        self.branch3x3dbl_1 = BasicConv2d(channels, 448, 1)
        self.branch3x3dbl_2 = BasicConv2d(448, 384, 3, padding=1)
        self.branch3x3dbl_3a = BasicConv2d(384, 384, **row)
        self.branch3x3dbl_3b = BasicConv2d(384, 384, **column)
        self.branch_pool = BasicConv2d(channels, 192, 1)

    def forward(self, x):
        """[N, channels, H, W] -> [N, 2048, H, W]."""
        single = self.branch3x3_1(x)
        double = chain(x, self.branch3x3dbl_1, self.branch3x3dbl_2)
        pooled = nn.functional.max_pool2d(x, 3, stride=1, padding=1) if self.takes_maximum else average_3x3(x)
        return paddle.concat(
            [
                self.branch1x1(x),
                self.branch3x3_2a(single),
                self.branch3x3_2b(single),
                self.branch3x3dbl_3a(double),
                self.branch3x3dbl_3b(double),
                self.branch_pool(pooled),
            ],
            axis=1,
        )


class FIDInception(nn.Layer):
    """Feature maps of four depths; the last, averaged over the map, is what FID and KID compare.

    Source: mseitzer/pytorch-fid inception.py, InceptionV3 and fid_inception_v3.
    """

    def __init__(self):
        """Layers in the order of the checkpoint; `fc` belongs to it and is not used here."""
        super().__init__()
        self.Conv2d_1a_3x3 = BasicConv2d(3, 32, 3, stride=2)
        self.Conv2d_2a_3x3 = BasicConv2d(32, 32, 3)
        self.Conv2d_2b_3x3 = BasicConv2d(32, 64, 3, padding=1)
        self.Conv2d_3b_1x1 = BasicConv2d(64, 80, 1)
        self.Conv2d_4a_3x3 = BasicConv2d(80, 192, 3)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = InceptionA(192, 32), InceptionA(256, 64), InceptionA(288, 64)
        self.Mixed_6a = InceptionB(288)
        self.Mixed_6b, self.Mixed_6c = InceptionC(768, 128), InceptionC(768, 160)
        self.Mixed_6d, self.Mixed_6e = InceptionC(768, 160), InceptionC(768, 192)
        self.Mixed_7a = InceptionD(768)
        self.Mixed_7b, self.Mixed_7c = InceptionE(1280, takes_maximum=False), InceptionE(2048, takes_maximum=True)
        self.fc = nn.Linear(FEATURES, CLASSES)

    def blocks(self, image):
        """[N, 3, H, W] in [-1, 1] -> maps of 64, 192, 768 and 2048 channels."""
        first = chain(image, self.Conv2d_1a_3x3, self.Conv2d_2a_3x3, self.Conv2d_2b_3x3)
        first = nn.functional.max_pool2d(first, 3, stride=2)
        second = nn.functional.max_pool2d(chain(first, self.Conv2d_3b_1x1, self.Conv2d_4a_3x3), 3, stride=2)
        third = chain(
            second,
            self.Mixed_5b,
            self.Mixed_5c,
            self.Mixed_5d,
            self.Mixed_6a,
            self.Mixed_6b,
            self.Mixed_6c,
            self.Mixed_6d,
            self.Mixed_6e,
        )
        return first, second, third, chain(third, self.Mixed_7a, self.Mixed_7b, self.Mixed_7c)

    def forward(self, image):
        """[N, 3, 299, 299] in [-1, 1] -> [N, 2048]."""
        return plane_mean(self.blocks(image)[-1]).flatten(1)
