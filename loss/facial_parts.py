"""GFP-GAN's losses on facial parts: crops, their adversarial terms, and the correlations of their features.

Every term weighs its samples: a face without a visible part has weight 0 in that part's terms, the others share 1.

Source: Wang et al. 2021 (GFP-GAN), section 3.4; TencentARC/GFPGAN models/gfpgan_model.py.
"""

import paddle
import paddle.nn.functional as F
from paddle.vision.ops import roi_align

from loss.perceptual import gram_matrix

PARTS = ("left_eye", "right_eye", "mouth")  # order of a sample's boxes; left is the left of the picture
CROP_AT_512 = {"left_eye": 80, "right_eye": 80, "mouth": 120}
FEATURE_WEIGHTS = (0.5, 1.0)


def crop_size(part, image_size):
    """Side of a part's crop, 80 or 120 pixels in a picture of 512 and in proportion. Source: get_roi_regions.

    Differs: the reference scales pixel values with the size; here the values stay.
    """
    return max(1, round(CROP_AT_512[part] * image_size / 512))


def crops(image, boxes, size):
    """One box of every picture, resampled to a square.

    Args:
        image: [N, 3, H, W].
        boxes: [N, 4], x0, y0, x1, y1 in pixels of the picture.
        size: side of the crops.

    Returns:
        [N, 3, size, size].

    Source: gfpgan_model.py, get_roi_regions (roi_align of torchvision with its defaults: aligned False).
    """
    count = paddle.ones([image.shape[0]], dtype="int32")
    return roi_align(image, boxes, count, size, spatial_scale=1.0, sampling_ratio=-1, aligned=False)


def weighted(values, weights):
    """Sum over samples of the mean of each sample's values times its weight: values [N, ...], weights [N].

    Source: ours; with weights 1 / N it is the mean.
    """
    return (values.reshape([values.shape[0], -1]).mean(axis=1) * weights).sum()


def part_logistic(logits, is_real, weights):
    """Cross-entropy of a map of logits against 1 or 0. Source: gfpgan_model.py, cri_component (gan_type vanilla)."""
    return weighted(F.softplus(-logits if is_real else logits), weights)


def part_style(features, wanted, weights):
    """Distance of Gram matrices at both depths of a part's discriminator, the first at half weight.

    Args:
        features, wanted: of `FacialComponentDiscriminator`; the wanted ones are constants.
        weights: [N].

    Source: gfpgan_model.py, comp_style (L1).
    """
    terms = zip(FEATURE_WEIGHTS, features, wanted, strict=True)
    return sum(
        w * weighted((gram_matrix(ours) - gram_matrix(theirs.detach())).abs(), weights) for w, ours, theirs in terms
    )
