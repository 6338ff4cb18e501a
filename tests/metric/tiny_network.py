"""A network that stands for the large ones of metrics."""

from paddle import nn


class Tiny(nn.Layer):
    """6 features of the mean colour; a grey picture counts as three equal channels."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 6)

    def forward(self, image):
        return self.fc(image.expand([-1, 3, -1, -1]).mean(axis=[2, 3]))
