"""The exported graph of landmark-guided inpainting: picture and hole in, the whole output out."""

import paddle


class Completion(paddle.nn.Layer):
    """A function of picture and hole as a layer with the networks it uses. Source: ours."""

    def __init__(self, function, networks):
        """`networks` are held so that their weights are exported."""
        super().__init__()
        self.function, self.parts = function, paddle.nn.LayerList(networks)

    def forward(self, image, mask):
        """[N, 3, H, W] and [N, 1, H, W] -> [N, 3, H, W]."""
        return self.function(image, mask)
