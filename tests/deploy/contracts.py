"""Contracts, and a graph of one function, for tests that need no network."""

import numpy as np

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


class Changed:
    """A graph that makes of each crop what a function makes of it."""

    def __init__(self, side, change=lambda crops: crops, made=None, template=""):
        outputs = (image(made or side, made or side, name="restored"),)
        self.contract = contract(image(side, side), outputs=outputs, template=template)
        self.change = change

    def run(self, arrays):
        """[N, 3, S, S] to the same."""
        crops = np.moveaxis(arrays["image"], 1, -1)
        return {"restored": np.moveaxis(np.stack(list(self.change(crops))), -1, 1).astype(np.float32)}
