"""SphereFace's 20-layer network and the angular classifier it is trained with.

Attribute names are the keys of the released checkpoints.

Source: Liu et al. 2017 (SphereFace: Deep Hypersphere Embedding for Face Recognition), section 3 and table 2; reference
code: clcarwin/sphereface_pytorch net_sphere.py, sphere20a and AngleLinear.
"""

import math

import paddle
from paddle import nn
from paddle.nn.initializer import KaimingNormal, Normal

from model.shared.convolution import conv2d
from model.shared.prelu import PReLU

CHANNELS = (64, 128, 256, 512)
PAIRS = (1, 2, 4, 1)  # residual pairs of convolutions a stage
MULTIPLE_ANGLES = {  # cos(m theta) as a polynomial of cos(theta)
    1: lambda c: c,
    2: lambda c: 2 * c**2 - 1,
    3: lambda c: 4 * c**3 - 3 * c,
    4: lambda c: 8 * c**4 - 8 * c**2 + 1,
    5: lambda c: 16 * c**5 - 20 * c**3 + 5 * c,
}


def network_input(image):
    """[N, 3, H, W] RGB in [-1, 1] -> what the released weights expect: BGR, (grey level - 127.5) / 128."""
    return paddle.flip(image, axis=[1]) * (127.5 / 128)


class Convolution(nn.Conv2D):
    """3 x 3, padding 1, whose bias is added in the form that is fast on a CPU. Source: net_sphere.py."""

    def forward(self, x):
        """[N, C, H, W] -> [N, out, H / stride, W / stride]."""
        return conv2d(x, self.weight, None, self._stride, 1) + self.bias.reshape([-1, 1, 1])


class Sphere20a(nn.Layer):
    """Aligned face to an embedding: four stages, each a strided convolution and residual pairs, and one linear layer.

    Every convolution is 3 x 3 with a bias and is followed by a PReLU; there is no normalisation.
    Differs: the initial weights. Residual convolutions start near zero and the others keep the variance, so that a
    network without normalisation learns from scratch; the reference code leaves its framework's default.
    """

    def __init__(self, image_size=(112, 96), width=1.0, embedding_size=512):
        """`image_size`: (height, width); `width` scales the channels."""
        super().__init__()
        before = 3
        for stage, (channels, pairs) in enumerate(zip(CHANNELS, PAIRS, strict=True), 1):
            channels = max(1, round(channels * width))
            for i in range(1, 2 + 2 * pairs):
                first = i == 1
                start = paddle.ParamAttr(initializer=KaimingNormal() if first else Normal(0.0, 0.01))
                layer = Convolution(before if first else channels, channels, 3, 2 if first else 1, weight_attr=start)
                setattr(self, f"conv{stage}_{i}", layer)
                setattr(self, f"relu{stage}_{i}", PReLU(channels))
            before = channels
        height, breadth = (math.ceil(side / 16) for side in image_size)
        start = paddle.ParamAttr(initializer=KaimingNormal())
        self.fc5 = nn.Linear(before * height * breadth, embedding_size, weight_attr=start)

    def _unit(self, x, stage, i):
        return getattr(self, f"relu{stage}_{i}")(getattr(self, f"conv{stage}_{i}")(x))

    def features(self, x):
        """[N, 3, H, W] in the released form -> the last map [N, 512, ceil(H / 16), ceil(W / 16)]."""
        for stage, pairs in enumerate(PAIRS, 1):
            x = self._unit(x, stage, 1)
            for i in range(2, 2 + 2 * pairs, 2):
                x = x + self._unit(self._unit(x, stage, i), stage, i + 1)
        return x

    def forward(self, x):
        """[N, 3, H, W] in the released form (see `network_input`) -> [N, embedding_size]."""
        return self.fc5(self.features(x).flatten(1))

    def embedding(self, image):
        """[N, 3, H, W] RGB in [-1, 1] -> [N, embedding_size]."""
        return self(network_input(image))


class AngleLinear(nn.Layer):
    """Angles between embeddings and classes, once as they are and once widened m times. Source: equations (6), (7)."""

    def __init__(self, embedding_size, num_classes, m=4):
        """Columns of the weight [embedding_size, num_classes] are used at unit length."""
        super().__init__()
        start = paddle.uniform([embedding_size, num_classes], min=-1.0, max=1.0)
        start = nn.initializer.Assign(start / start.norm(axis=0, keepdim=True))
        self.weight = self.create_parameter([embedding_size, num_classes], attr=paddle.ParamAttr(initializer=start))
        self.m = m

    def forward(self, x):
        """[N, D] -> (|x| cos(theta), |x| psi(theta)), both [N, classes]; psi(theta) = (-1)^k cos(m theta) - 2 k."""
        length = x.norm(axis=1, keepdim=True)
        weight = self.weight / self.weight.norm(axis=0, keepdim=True)
        cosine = (x @ weight / length).clip(-1, 1)
        k = (self.m / math.pi * paddle.acos(cosine.detach())).floor()
        sign = 1 - 2 * (k % 2)
        psi = sign * MULTIPLE_ANGLES[self.m](cosine) - 2 * k
        return length * cosine, length * psi
