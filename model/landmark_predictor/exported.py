"""The exported graph of the landmark predictor: a face in, 68 points in its pixels out."""

import paddle

HALF = 0.5  # pixel (0, 0) of the landmarks is the first pixel's centre


class PointsInPixels(paddle.nn.Layer):
    """The exported form: points in pixels. Source: src/models.py, LandmarkDetectorModel.forward."""

    def __init__(self, network, size):
        """`size`: side of the pictures it is given."""
        super().__init__()
        self.network, self.size = network, size

    def forward(self, image):
        """[N, 3, S, S] in [0, 1] -> [N, 68, 2]."""
        return pixels(self.network(image), self.size)


def units(landmarks, size):
    """Pixels of a picture of side `size` -> units of its side, from its corner. Source: ours."""
    return (landmarks + HALF) / size


def pixels(points, size):
    """The inverse of `units`. Source: ours."""
    return points * size - HALF
