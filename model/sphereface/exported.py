"""The exported graph of SphereFace: an aligned face in, its embedding out.

Source: Liu et al. 2017.
"""

from paddle import nn


class Embedding(nn.Layer):
    """`embed(recognizer, image)` as a layer. Source: ours."""

    def __init__(self, embed, recognizer):
        """`embed`: of system.sphereface; `recognizer` is held so that its weights are exported."""
        super().__init__()
        self.recognizer, self.embed = recognizer, embed

    def forward(self, image):
        """[N, 3, H, W] in [0, 1] -> [N, D]."""
        return self.embed(self.recognizer, image)
