"""Pictures with holes on their way through the scripts: the mask nobody gave, and the way the filling gets in.

A contract (deploy/export.py) that fills holes has an entry `hole`: `blend`, `colour`, `default` of engine.system.Hole.
"""

import numpy as np

from deploy.blending import blend
from engine import images
from engine.errors import InputError

DEFAULTS = {"face_box": images.face_box}


def fills(contract):
    """Whether a model takes a mask and gives a picture in which the hole is filled."""
    return any(port["name"] == "mask" for port in contract["inputs"]) and any(
        port["name"] == "composite" for port in contract["outputs"]
    )


def has_default(contract, port):
    """Whether an input may be left out: a mask for which the contract has a hole of its own."""
    return port == "mask" and bool(contract.get("hole", {}).get("default"))


def default_mask(contract, size):
    """The contract's own hole for a picture of `size` = (height, width): [H, W, 1], 1 in the hole."""
    return DEFAULTS[contract["hole"]["default"]](size)


def chosen_blend(contract, asked=None):
    """How a model's output gets into the picture: what is asked for, else what the contract says.

    Raises:
        InputError: something is asked for, and the model fills no holes.
    """
    if asked and not fills(contract):
        raise InputError(f"--blend {asked}: this model fills no holes; leave it out")
    return asked or contract.get("hole", {}).get("blend", "composite")


def pasted(output, picture, mask, mode="composite"):
    """The network's picture in the hole, the picture's own 8-bit pixels elsewhere; mode "none": the network's alone.

    Args:
        output: [h, w, 3] in [0, 1], brought to the picture's size.
        picture: [H, W, 3] in [0, 1]; mask: [H, W, 1], 1 in the hole.
        mode: of deploy.blending.MODES.

    Returns:
        [H, W, 3] uint8.
    """
    kernel = "area" if output.shape[0] > picture.shape[0] else "linear"
    filled = images.resize(output, picture.shape[:2], kernel)
    blended = images.to_uint8(blend(filled, picture, mask[..., 0], mode))
    return blended if mode == "none" else np.where(mask == 1, blended, images.to_uint8(picture))
