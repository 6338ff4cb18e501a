"""IR-SE50: the face-recognition network whose features GPEN's identity loss compares.

Source: Deng et al. 2019 (ArcFace); Hu et al. 2018 (squeeze and excitation); reference code: yangxy/GPEN
training/loss/model_irse.py and helpers.py. Weight file: model_ir_se50.pth; `official_keys` translates it.
"""

import paddle
from paddle import nn

from model.shared.convolution import Conv2D
from model.shared.normalization import BatchNorm2D, plane_mean
from model.shared.prelu import PReLU

STAGES = ((64, 64, 3), (64, 128, 4), (128, 256, 14), (256, 512, 3))


def conv(in_channels, out_channels, size, stride=1):
    """Convolution without bias, padding size // 2. Source: helpers.py."""
    return Conv2D(in_channels, out_channels, size, stride, padding=size // 2, bias_attr=False)


def batch_norm(channels):
    """Batch normalisation with the defaults of torch: epsilon 1e-5, averages moved by a tenth. Source: helpers.py."""
    return BatchNorm2D(channels, momentum=0.9, epsilon=1e-5)


class SqueezeExcitation(nn.Layer):
    """Channel gates from global averages. Source: helpers.py, SEModule."""

    def __init__(self, channels, reduction=16):
        """`channels` are squeezed to channels // reduction."""
        super().__init__()
        self.fc1 = conv(channels, channels // reduction, 1)
        self.fc2 = conv(channels // reduction, channels, 1)

    def forward(self, x):
        """[N, C, H, W] -> the same shape."""
        gate = nn.functional.relu(self.fc1(plane_mean(x)))
        return x * nn.functional.sigmoid(self.fc2(gate))


class Bottleneck(nn.Layer):
    """Residual unit with squeeze and excitation. Source: helpers.py, bottleneck_IR_SE."""

    def __init__(self, in_channels, out_channels, stride):
        """The shortcut is a subsampling where the width stays, else a strided 1x1 convolution."""
        super().__init__()
        self.shortcut_layer = (
            nn.MaxPool2D(1, stride)
            if in_channels == out_channels
            else nn.Sequential(conv(in_channels, out_channels, 1, stride), batch_norm(out_channels))
        )
        self.res_layer = nn.Sequential(
            batch_norm(in_channels),
            conv(in_channels, out_channels, 3),
            PReLU(out_channels),
            conv(out_channels, out_channels, 3, stride),
            batch_norm(out_channels),
            SqueezeExcitation(out_channels),
        )

    def forward(self, x):
        """[N, in, H, W] -> [N, out, H / stride, W / stride]."""
        return self.res_layer(x) + self.shortcut_layer(x)


class IRSE50(nn.Layer):
    """Face crop to a unit vector of 512. Source: model_irse.py, Backbone(112, 50, "ir_se")."""

    def __init__(self):
        """24 bottlenecks in four stages, each opening with stride 2."""
        super().__init__()
        self.input_layer = nn.Sequential(conv(3, 64, 3), batch_norm(64), PReLU(64))
        units = [
            Bottleneck(before if i == 0 else width, width, 2 if i == 0 else 1)
            for before, width, count in STAGES
            for i in range(count)
        ]
        self.body = nn.Sequential(*units)
        self.output_layer = nn.Sequential(
            batch_norm(512),
            nn.Dropout(0.6),
            nn.Flatten(),
            nn.Linear(512 * 7 * 7, 512),
            nn.BatchNorm1D(512, momentum=0.9, epsilon=1e-5),
        )

    def forward(self, face):
        """[N, 3, 112, 112] RGB in [-1, 1] -> [N, 512], each of length 1."""
        features = self.output_layer(self.body(self.input_layer(face)))
        return features / paddle.sqrt((features * features).sum(axis=1, keepdim=True))


def face_crop(image):
    """The inner face of an aligned picture, averaged to 112 x 112.

    At 256 px: rows 35 to 223, columns 32 to 220; margins grow by whole factors above and shrink in proportion below.

    Source: yangxy/GPEN training/loss/id_loss.py, IDLoss.extract_feats.
    """
    size = image.shape[2]
    scale = size // 256 or size / 256
    top, bottom, left, right = (round(margin * scale) for margin in (35, 33, 32, 36))
    return nn.functional.adaptive_avg_pool2d(image[:, :, top : size - bottom, left : size - right], 112)
