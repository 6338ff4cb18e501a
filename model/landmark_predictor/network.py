"""LaFIn's landmark predictor: 68 points of a face, parts of which may be covered.

A MobileNetV2 whose last maps are pooled at three depths, so that points are found from context. At width 1 keys and
shapes are the official ones (321 entries with the counters of batch normalisation, 2,554,569 trained numbers).

Source: Yang et al. 2019 (LaFIn); Sandler et al. 2018, table 2; reference code and keys: YaN9-Y/lafin src/networks.py.
"""

import paddle
import paddle.nn.functional as F
from paddle import nn

from model.backbones.ir_se50 import batch_norm
from model.shared.normalization import plane_mean
from model.shared.resample import bilinear_resize

# expansion, channels, blocks, stride of the first block
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
POINTS = 68
HALF_PIXEL = 0.5 / 256  # officially (0, 0) is the centre of the first of 256 pixels, here the picture's corner


def conv_norm_relu(inputs, outputs, kernel=1, stride=1, groups=1):
    """Convolution without bias, batch normalisation, ReLU6, as a list. Source: networks.py, conv_bn, conv_1x1_bn."""
    conv = nn.Conv2D(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias_attr=False)
    return [conv, batch_norm(outputs), nn.ReLU6()]


class InvertedResidual(nn.Layer):
    """Expand, filter each channel, project. Source: Sandler et al. 2018, figure 4d; networks.py, InvertedResidual."""

    def __init__(self, inputs, outputs, stride, expansion):
        """The input is added where shape allows it."""
        super().__init__()
        self.adds = stride == 1 and inputs == outputs
        hidden = inputs * expansion
        expand = conv_norm_relu(inputs, hidden) if expansion != 1 else []
        project = [nn.Conv2D(hidden, outputs, 1, bias_attr=False), batch_norm(outputs)]
        self.conv = nn.Sequential(*expand, *conv_norm_relu(hidden, hidden, 3, stride, hidden), *project)

    def forward(self, x):
        """[N, C, H, W] -> [N, C', H / stride, W / stride]."""
        return x + self.conv(x) if self.adds else self.conv(x)


class LaFInPredictor(nn.Layer):
    """68 points from a face.

    Source: networks.py, MobileNetV2 (points_num 68); src/models.py multiplies its output by 256.
    Differs: the 8 x 8 pooling before `conv1_after_mbnet` averages whatever map there is, so sizes other than 256 work.
    """

    def __init__(self, width=1.0, num_points=POINTS):
        """`width` scales the channels of every stage and of the head."""
        super().__init__()

        def wide(channels):
            return max(4, round(channels * width))

        self.num_points = num_points
        channels, blocks = wide(32), [nn.Sequential(*conv_norm_relu(3, wide(32), 3, 2))]
        for expansion, outputs, count, first_stride in STAGES:
            for number in range(count):
                stride = first_stride if number == 0 else 1
                blocks.append(InvertedResidual(channels, wide(outputs), stride, expansion))
                channels = wide(outputs)
        self.features = nn.Sequential(*blocks)
        self.last_block = nn.Sequential(*conv_norm_relu(channels, wide(1280)))
        self.conv1_after_mbnet = nn.Conv2D(wide(1280), wide(64), 1)
        self.conv_node1 = nn.Conv2D(channels, wide(128), 1)
        self.conv_node2 = nn.Conv2D(wide(1280), wide(128), 1)
        self.prelu = nn.PReLU()
        self.fc_landmark = nn.Linear(wide(64) + 2 * wide(128), 2 * num_points)

    def forward(self, image):
        """[N, 3, S, S] in [0, 1], holes 1 -> (x, y) of points [N, 68, 2] in units of the side, from the corner."""
        x = self.features(image)
        shallow = map_mean(self.conv_node1(x))
        x = self.last_block(x)
        middle = map_mean(self.conv_node2(x))
        deep = self.bent(self.conv1_after_mbnet(F.adaptive_avg_pool2d(x, 1)).flatten(1))
        points = self.fc_landmark(paddle.concat([shallow, middle, deep], axis=1))
        return points.reshape([-1, self.num_points, 2]) + HALF_PIXEL

    def bent(self, x):
        """The PReLU of [N, C]; in an exported graph of two ReLUs."""
        return self.prelu(x) if paddle.in_dynamic_mode() else F.relu(x) - self.prelu._weight * F.relu(-x)


def map_mean(x):
    """[N, C, H, W] -> [N, C]. Source: networks.py, avgpool of the first two depths."""
    return plane_mean(x).flatten(1)


def cover(image, mask):
    """The picture with its hole white, as the network knows holes. Source: src/models.py, images_masked."""
    return image * (1 - mask) + mask


def predict(network, image, size):
    """Points of [N, 3, S, S] pictures, which are resized to `size`; units of the side. Source: ours."""
    if tuple(image.shape[2:]) != (size, size):
        image = bilinear_resize(image, size, size)
    return network(image)
