"""A network of a few values with everything whose form differs between torch and Paddle, and its row."""

from paddle import nn

from engine.weights.known import Network


class Toy(nn.Sequential):
    """Convolution, batch norm, PReLU, a Linear layer that is no square."""

    def __init__(self, width):
        super().__init__(nn.Conv2D(3, width, 3), nn.BatchNorm2D(width), nn.PReLU(width), nn.Linear(width, 5))


TOY = Network(
    "toy",
    "toy",
    "tests.engine.known_toy.Toy",
    ("0.weight", "3.bias"),
    lambda arrays: {"width": arrays["0.bias"].shape[0]},
)
