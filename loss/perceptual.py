"""Losses on feature maps."""


def gram_matrix(features):
    """Channel correlations of [N, C, H, W] -> [N, C, C], divided by C * H * W.

    Source: Gatys et al. 2016; XPixelGroup/BasicSR losses/basic_loss.py, PerceptualLoss._gram_mat.
    """
    n, c, h, w = features.shape
    flat = features.reshape([n, c, h * w])
    return flat @ flat.transpose([0, 2, 1]) / (c * h * w)


def feature_matching(fake_features, real_features):
    """Sum over the discriminator's layers of the distance between the features of two images.

    Args:
        fake_features, real_features: lists of [N, C, H, W], from `GPENDiscriminator(image, return_features=True)`; the
            real ones are constants.

    Returns:
        scalar, mean over the batch.

    Source: Yang et al. 2021 (GPEN), L_F.
    Differs: the 2-norm is divided by sqrt(C * H * W), so that the weight does not depend on image size and width.
    """
    total = 0.0
    for fake, real in zip(fake_features, real_features, strict=True):
        distance = fake - real.detach()
        total = total + ((distance * distance).mean(axis=[1, 2, 3]) + 1e-12).sqrt().mean()
    return total
