"""What the stand-ins share: weights files and pictures without Paddle, so that each starts in a moment."""

import numpy as np
from PIL import Image
from safetensors.numpy import load_file, save_file


def read_weights(path):
    """{key: array} of a file that `write_weights` wrote."""
    return load_file(path)


def write_weights(path, arrays):
    """A safetensors file under any name; the project's reader tells formats by content."""
    save_file({key: np.ascontiguousarray(array) for key, array in arrays.items()}, path)


def read_image(path):
    """[H, W, 3] in [0, 1]."""
    return np.asarray(Image.open(path).convert("RGB"), np.float64) / 255


def write_image(path, image):
    """A picture of [H, W, 3] in [0, 1]."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.round(image * 255).astype(np.uint8)).save(path)
