"""AlexNet's convolutions, the frozen network of LPIPS "alex".

Source: Krizhevsky 2014 (One weird trick); torchvision models/alexnet.py, whose numbers in `features` these are.
"""

from paddle import nn

from model.shared.convolution import Conv2D

CHANNELS = (64, 192, 384, 256, 256)
RELU = (1, 4, 7, 9, 11)  # numbers of the five ReLU


def alexnet_features():
    """The convolutions (numbers 0, 3, 6, 8, 10), ReLU and pooling up to the fifth ReLU; the classifier is left out.

    Returns:
        nn.Sequential for RGB [N, 3, H, W], normalised, of 32 pixels a side or more.

    Source: torchvision alexnet; richzhang/PerceptualSimilarity pretrained_networks.py, alexnet.
    """
    first, second, third, fourth, fifth = CHANNELS
    return nn.Sequential(
        Conv2D(3, first, 11, stride=4, padding=2), nn.ReLU(), nn.MaxPool2D(3, 2),
        Conv2D(first, second, 5, padding=2), nn.ReLU(), nn.MaxPool2D(3, 2),
        Conv2D(second, third, 3, padding=1), nn.ReLU(),
        Conv2D(third, fourth, 3, padding=1), nn.ReLU(),
        Conv2D(fourth, fifth, 3, padding=1), nn.ReLU(),
    )  # fmt: skip
