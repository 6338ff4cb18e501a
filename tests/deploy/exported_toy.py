"""A small layer with its ports, for the tests of export, Predictor and infer.py."""

import paddle
from paddle import nn

from engine.ports import Exported, Port


class Toy(nn.Layer):
    """Two channels swapped and blurred, and a vector: enough to notice a wrong order of channels, ports or samples."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2D(3, 3, 3, padding=1)
        self.linear = nn.Linear(3, 4)

    def forward(self, image, mask):
        """[N, 3, S, S], [N, 1, S, S] -> [N, 3, S, S], [N, 4]."""
        blurred = nn.functional.sigmoid(nn.functional.leaky_relu(self.conv(image), 0.2))
        vector = self.linear(image.mean(axis=[2, 3]))
        return mask * blurred + (1 - mask) * image, vector


def toy(size=16, **changes):
    """Exported form of a seeded Toy."""
    paddle.seed(5)
    layer = Toy()
    layer.eval()
    inputs = [Port("image", (-1, 3, size, size)), Port("mask", (-1, 1, size, size), "mask")]
    outputs = [Port("filled", (-1, 3, size, size)), Port("code", (-1, 4), kind="vector")]
    return Exported(**{"layer": layer, "inputs": inputs, "outputs": outputs} | changes)
