"""Losses of hole filling: pixels in and out of the hole, features and styles of VGG-16, smoothness around the hole.

Masks are [N, 1, H, W], 1 = hole. Every L1 is a mean over all values of the picture, not over the hole alone.

Source: Liu et al. 2018 (Partial Convolutions), section 3.3; reference code:
naoto0804/pytorch-inpainting-with-partial-conv loss.py.
"""

import paddle
import paddle.nn.functional as F

from loss.perceptual import gram_matrix
from model.backbones.vgg import VGG
from model.shared.constant import as_constant
from model.shared.normalization import mean_of_all

LAYERS = ("pool1", "pool2", "pool3")


def hole_loss(output, image, mask):
    """mean |M (output - image)|, over all values. Source: Liu et al. 2018, L_hole."""
    return mean_of_all((mask * (output - image)).abs())


def valid_loss(output, image, mask):
    """mean |(1 - M) (output - image)|, over all values. Source: Liu et al. 2018, L_valid."""
    return mean_of_all(((1 - mask) * (output - image)).abs())


def total_variation(image):
    """Mean distance of horizontal neighbours plus that of vertical ones, over the whole picture.

    Source: loss.py, total_variation_loss.
    """
    across, down = neighbour_distances(image)
    return mean_of_all(across) + mean_of_all(down)


def hole_total_variation(image, mask):
    """Distances of neighbours that both lie in the hole grown by one pixel, summed and divided by N * C * H * W.

    Source: Liu et al. 2018, L_tv.
    """
    grown = F.max_pool2d(mask, 3, 1, 1)
    across, down = neighbour_distances(image)
    across = across * grown[:, :, :, 1:] * grown[:, :, :, :-1]
    down = down * grown[:, :, 1:] * grown[:, :, :-1]
    return (across.sum() + down.sum()) / image.size


def neighbour_distances(image):
    """|differences| along the rows [N, C, H, W - 1] and along the columns [N, C, H - 1, W]. Source: the definition."""
    return (image[:, :, :, 1:] - image[:, :, :, :-1]).abs(), (image[:, :, 1:] - image[:, :, :-1]).abs()


def at_least_float32(x):
    """A tensor out of autocast: half precision becomes float32, float64 stays. Source: ours."""
    return x if x.dtype == paddle.float64 else x.astype("float32")


class VGGLoss:
    """Perceptual and style loss of an output and its composite, on three pooled layers of a frozen VGG-16.

    Source: Liu et al. 2018, L_perceptual and L_style; loss.py, InpaintingLoss.
    """

    def __init__(self):
        """Random weights; the caller loads published ones into `network`."""
        self.network = as_constant(VGG(16, LAYERS))

    def __call__(self, output, composite, image):
        """Compare.

        Args:
            output, composite, image: [N, 3, H, W], normalised by ImageNet's statistics; `image` is a constant.

        Returns:
            {"perceptual": scalar, "style": scalar}.
        """
        with paddle.no_grad():
            wanted = self.network(image)
        found = self.network(paddle.concat([output, composite]))
        perceptual = style = 0.0
        for layer in LAYERS:
            target, count = at_least_float32(wanted[layer]), len(image)
            target_gram = gram_matrix(target)
            for feature in (found[layer][:count], found[layer][count:]):
                feature = at_least_float32(feature)
                perceptual = perceptual + mean_of_all((feature - target).abs())
                style = style + mean_of_all((gram_matrix(feature) - target_gram).abs())
        return {"perceptual": perceptual, "style": style}


def hole_error(output, image, mask):
    """Squared error inside the hole, mean over all pixels. Source: losses.py, completion_network_loss."""
    return mean_of_all(((output - image) * mask).square())
