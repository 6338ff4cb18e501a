"""ResNet-18 ArcFace: the recognition network whose features GFP-GAN's identity loss compares.

Source: Deng et al. 2019 (ArcFace); reference code: TencentARC/GFPGAN archs/arcface_arch.py. Weight file:
arcface_resnet18.pth; `engine.weights.official_keys` translates it.
"""

import itertools

from paddle import nn

from model.shared.convolution import Conv2D
from model.shared.normalization import BatchNorm2D, plane_mean
from model.shared.prelu import PReLU


def batch_norm(channels):
    """Batch normalisation with the defaults of torch: epsilon 1e-5, averages moved by a tenth. Source: torch.nn."""
    return BatchNorm2D(channels, momentum=0.9, epsilon=1e-5)


def conv3x3(in_channels, out_channels, stride=1):
    """3x3 convolution without bias. Source: arcface_arch.py, conv3x3."""
    return Conv2D(in_channels, out_channels, 3, stride, padding=1, bias_attr=False)


class SqueezeExcitation(nn.Layer):
    """Channel gates from global averages, through one shared PReLU. Source: arcface_arch.py, SEBlock."""

    def __init__(self, channels, reduction=16):
        """`channels` are squeezed to channels // reduction."""
        super().__init__()
        narrow = channels // reduction
        self.fc = nn.Sequential(nn.Linear(channels, narrow), nn.PReLU(1), nn.Linear(narrow, channels), nn.Sigmoid())

    def forward(self, x):
        """[N, C, H, W] -> the same shape."""
        return x * self.fc(plane_mean(x).flatten(1)).unsqueeze([2, 3])


class IRBlock(nn.Layer):
    """Improved residual block: norm, conv, norm, PReLU, strided conv, norm, [gates], plus the input, PReLU.

    Source: arcface_arch.py, IRBlock.
    """

    def __init__(self, in_channels, out_channels, stride=1, use_se=False):
        """The shortcut is a strided 1x1 convolution where size or width change."""
        super().__init__()
        self.bn0, self.conv1 = batch_norm(in_channels), conv3x3(in_channels, in_channels)
        self.bn1 = batch_norm(in_channels)
        self.prelu = PReLU(1)
        self.conv2, self.bn2 = conv3x3(in_channels, out_channels, stride), batch_norm(out_channels)
        self.se = SqueezeExcitation(out_channels) if use_se else None
        self.downsample = None
        if stride != 1 or in_channels != out_channels:
            shortcut = Conv2D(in_channels, out_channels, 1, stride, bias_attr=False)
            self.downsample = nn.Sequential(shortcut, batch_norm(out_channels))

    def forward(self, x):
        """[N, in, H, W] -> [N, out, H / stride, W / stride]."""
        out = self.prelu(self.bn1(self.conv1(self.bn0(x))))
        out = self.bn2(self.conv2(out))
        out = out if self.se is None else self.se(out)
        return self.prelu(out + (x if self.downsample is None else self.downsample(x)))


class ResNet18ArcFace(nn.Layer):
    """Grey face to 512 features, not normalised. Source: arcface_arch.py, ResNetArcFace(IRBlock, layers)."""

    def __init__(self, use_se=False, layers=(2, 2, 2, 2)):
        """`layers`: blocks of each stage, two in ResNet-18; GFP-GAN's file has no gates."""
        super().__init__()
        self.conv1, self.bn1, self.prelu = conv3x3(1, 64), batch_norm(64), PReLU(1)
        self.maxpool = nn.MaxPool2D(2, 2)
        widths = (64, 64, 128, 256, 512)
        for i, (before, here) in enumerate(itertools.pairwise(widths), 1):
            blocks = [IRBlock(here, here, 1, use_se) for _ in range(layers[i - 1] - 1)]
            setattr(self, f"layer{i}", nn.Sequential(IRBlock(before, here, 1 if i == 1 else 2, use_se), *blocks))
        self.bn4, self.dropout = batch_norm(512), nn.Dropout(0.5)
        self.fc5 = nn.Linear(512 * 8 * 8, 512)
        self.bn5 = nn.BatchNorm1D(512, momentum=0.9, epsilon=1e-5)

    def forward(self, face):
        """[N, 1, 128, 128] in [-1, 1] -> [N, 512]."""
        x = self.maxpool(self.prelu(self.bn1(self.conv1(face))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.bn5(self.fc5(self.dropout(self.bn4(x)).flatten(1)))
