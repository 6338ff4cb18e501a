"""Losses on face landmarks that have a gradient, and weights of landmarks around a hole.

Points are (x, y) in units of the picture's side unless a docstring says pixels.
"""

import paddle

OUTER_EYE_CORNERS = (36, 45)  # of the 68 points
NEAR = 0.05  # of the side: points this close to the hole count as covered
SIZE, SIGMA = 64, 2.0  # of the heat maps that are compared, and of their bumps


def interocular_distance(points):
    """Distance between the outer eye corners, [N, 68, 2] -> [N, 1]. Source: Sagonas et al. 2013 (300-W), its error."""
    left, right = (points[:, index] for index in OUTER_EYE_CORNERS)
    return ((left - right).square().sum(axis=1, keepdim=True) + 1e-12).sqrt()


def predictor_loss(predicted, target):
    """Length of the error of all coordinates together, mean over the batch.

    Args:
        predicted, target: [N, 68, 2] in pixels of the network's input.

    Returns:
        scalar.

    Source: YaN9-Y/lafin src/models.py, loss_landmark.
    """
    error = (predicted - target).flatten(1)
    return (error.square().sum(axis=1) + 1e-12).sqrt().mean()


def hole_weights(points, mask, elsewhere):
    """Weight of each point: 1 in the hole or near it, `elsewhere` outside.

    Args:
        points: [N, K, 2]; those outside the picture count as its nearest pixel.
        mask: [N, 1, H, W], 1 = hole.
        elsewhere: weight of points that the hole leaves visible.

    Returns:
        [N, K], without gradient.

    Source: ours.
    """
    with paddle.no_grad():
        height, width = mask.shape[2:]
        reach = max(1, round(NEAR * max(height, width)))
        grown = paddle.nn.functional.max_pool2d(mask, 2 * reach + 1, stride=1, padding=reach)[:, 0].flatten(1)
        column = (points[:, :, 0] * width).floor().clip(0, width - 1)
        row = (points[:, :, 1] * height).floor().clip(0, height - 1)
        inside = paddle.take_along_axis(grown, (row * width + column).astype("int64"), axis=1)
        return inside + (1 - inside) * elsewhere


def coordinate_loss(predicted, target, weights):
    """Weighted distance of points, in units of the distance between the eyes.

    Args:
        predicted: [N, K, 2]; gradients pass.
        target: [N, K, 2], constant.
        weights: [N, K] of `hole_weights`.

    Returns:
        scalar: mean over points and batch.

    Source: the normalised mean error of Sagonas et al. 2013 as a loss; ours.
    """
    target = target.detach()
    distance = ((predicted - target).square().sum(axis=2) + 1e-12).sqrt()
    return (weights * distance / interocular_distance(target)).mean()


def heatmaps(points, size, sigma):
    """A Gaussian bump for every point.

    Args:
        points: [N, K, 2].
        size: side of the maps.
        sigma: width of the bump, in pixels of the maps.

    Returns:
        [N, K, size, size], 1 at the point; differentiable in the points.

    Source: Bulat and Tzimiropoulos 2017 (FAN), the targets of its heat maps.
    """
    grid = (paddle.arange(size, dtype=points.dtype) + 0.5).reshape([1, 1, size])
    across, down = ((-((grid - points[:, :, axis : axis + 1] * size) / sigma).square() / 2).exp() for axis in (0, 1))
    return down.unsqueeze(3) * across.unsqueeze(2)


def heatmap_loss(predicted, target, weights):
    """Squared difference of the points' heat maps, in units of the area of one bump.

    Args:
        predicted, target, weights: as for `coordinate_loss`.

    Returns:
        scalar in [0, about 2]: 0 for equal points, the sum of two separate bumps for points far apart.

    Source: Bulat and Tzimiropoulos 2017, squared error between heat maps; scale ours.
    """
    difference = heatmaps(predicted, SIZE, SIGMA) - heatmaps(target.detach(), SIZE, SIGMA)
    area = paddle.to_tensor(3.141592653589793 * SIGMA**2)
    return (weights * difference.square().sum(axis=[2, 3]) / area).mean()


def landmark_map(points, size):
    """One picture with a 1 at every point: what a network is conditioned on.

    Args:
        points: [N, K, 2].
        size: (height, width) of the map.

    Returns:
        [N, 1, H, W] of 0 and 1, constant; points outside the picture lie on its border.

    Source: YaN9-Y/lafin src/lafin.py, generate_landmark_map.
    """
    height, width = size
    column = (points[:, :, 0] * width).floor().clip(0, width - 1).astype("int64")
    row = (points[:, :, 1] * height).floor().clip(0, height - 1).astype("int64")
    one_hot = paddle.nn.functional.one_hot
    return paddle.matmul(one_hot(row, height), one_hot(column, width), transpose_x=True).clip(max=1.0).unsqueeze(1)
