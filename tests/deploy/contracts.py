"""Contracts for tests that need no network."""

from deploy.contract import Contract, Preprocessing
from engine.ports import Hole, Port


def contract(*inputs, outputs=(), fit="stretch", **entries):
    """A Contract of ports; without outputs one picture `restored` of the first input's shape."""
    outputs = outputs or (Port("restored", inputs[0].shape),)
    return Contract(inputs=inputs, outputs=outputs, preprocessing=Preprocessing(fit=fit), **entries)


def image(*size, name="image"):
    """A port for pictures of a size; none: of any."""
    return Port(name, (-1, 3, *(size or (-1, -1))))


def mask(*size):
    """A port for masks."""
    return Port("mask", (-1, 1, *(size or (-1, -1))), "mask")


def filler(*size, **hole):
    """The contract of a graph that fills holes in pictures of a size."""
    return contract(image(*size), mask(*size), outputs=(image(*size, name="composite"),), hole=Hole(**hole))
