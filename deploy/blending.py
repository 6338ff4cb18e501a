"""Put a filled hole back into the picture that it was cut from.

The generator's output is right in the hole and only similar elsewhere; a blend decides what the border looks like.
"""

import cv2
import numpy as np

from deploy.multigrid import solve
from engine.errors import InputError
from engine.images import composite
from engine.ports import BLENDS

NEIGHBOURS = ((-1, 0), (1, 0), (0, -1), (0, 1))


def blend(output: np.ndarray, image: np.ndarray, mask: np.ndarray, mode: str, feather_px: int = 5) -> np.ndarray:
    """One picture from a generator's output and the known picture.

    Args:
        output: [H, W, 3] in [0, 1], the generator's picture, the known part included.
        image: [H, W, 3] in [0, 1], the known picture; what it shows inside the hole is read by poisson_mixed only.
        mask: [H, W], 1 = hole.
        mode: none (the output as it is), composite (output inside, image outside), feather (a composite whose border is
            soft inwards over `feather_px`), poisson (the output's differences, the image's values at the border),
            poisson_mixed (the same with the stronger difference of output and image, for see-through coverings).
        feather_px: width of the soft border in pixels.

    Returns:
        [H, W, 3] float32 in [0, 1]; outside the hole the image itself in every mode but none.

    Raises:
        InputError: another mode, or sizes that differ.
    """
    if mode not in BLENDS:
        raise InputError(f"blend '{mode}': expected one of {', '.join(BLENDS)}")
    if output.shape != image.shape or mask.shape != image.shape[:2]:
        raise InputError(f"blend: output is {output.shape}, image {image.shape}, mask {mask.shape}; they must match")
    hole = mask > 0.5
    weight = hole.astype(np.float32)
    if mode == "none":
        return np.asarray(output, np.float32)
    if mode == "feather":
        weight = _softened(hole, feather_px)
    elif mode.startswith("poisson") and hole.any() and not hole.all():
        output = poisson(output, image, hole, mixed=mode == "poisson_mixed")
    return composite(output, image, weight[..., None]).astype(np.float32)


def _softened(hole, width):
    """0 outside the hole, rising from its border to 1 at more than `width` pixels inside it."""
    padded = np.pad(hole.astype(np.uint8), 1, mode="edge")  # the picture's edge is no border of the hole
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    return np.clip(distance / (width + 1), 0, 1).astype(np.float32)


def poisson(output: np.ndarray, image: np.ndarray, hole: np.ndarray, mixed: bool = False) -> np.ndarray:
    """Solve for the hole's pixels: neighbour differences of `output`, values of `image` around the hole.

    Every pixel is where it was; OpenCV's seamlessClone centres a bounding box instead, which shifts it for some sizes,
    and leaves the three outermost pixels of the hole to the target.

    Args:
        output, image: [H, W, 3] in [0, 1].
        hole: [H, W] bool, at least one pixel and not all.
        mixed: take the image's difference where it is the larger one.

    Returns:
        [H, W, 3] in [0, 1], clipped; `image` outside the hole.

    Source: Perez et al. 2003, eq. (7) and (11) to (13).
    """
    from scipy.sparse import coo_matrix

    output, image = np.asarray(output, np.float64), np.asarray(image, np.float64)
    number = np.full(hole.shape, -1)
    number[hole] = np.arange(hole.sum())
    rows, columns = np.nonzero(hole)
    degree, right, coupled = np.zeros(len(rows)), np.zeros((len(rows), 3)), []
    for down, across in NEIGHBOURS:
        i, j = rows + down, columns + across
        inside = (i >= 0) & (i < hole.shape[0]) & (j >= 0) & (j < hole.shape[1])
        here, there = (rows[inside], columns[inside]), (i[inside], j[inside])
        difference = output[here] - output[there]
        if mixed:
            other = image[here] - image[there]
            difference = np.where(np.abs(other) > np.abs(difference), other, difference)
        known = ~hole[there]
        degree[inside] += 1
        right[inside] += difference + image[there] * known[:, None]
        coupled.append((number[here][~known], number[there][~known]))
    one, two = (np.concatenate(side) for side in zip(*coupled, strict=True))
    index = np.arange(len(rows))
    values = np.concatenate([degree, -np.ones(len(one))])
    matrix = coo_matrix((values, (np.concatenate([index, one]), np.concatenate([index, two])))).tocsc()
    blended = image.copy()
    blended[hole] = solve(matrix, right, rows, columns)
    return blended.clip(0, 1)
