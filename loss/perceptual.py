"""Losses on feature maps."""

from engine.images import from_signed
from model.backbones.vgg import VGG, imagenet_normalised
from model.shared.constant import as_constant
from model.shared.normalization import mean_of_all, sample_mean


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
        total = total + (sample_mean(distance * distance) + 1e-12).sqrt().mean()
    return total


class PerceptualLoss:
    """Distances of VGG-19 features and of their correlations, L1, over chosen layers.

    The network sits inside, frozen, so it is in no checkpoint.

    Source: Johnson et al. 2016; XPixelGroup/BasicSR losses/basic_loss.py, PerceptualLoss, with GFP-GAN's layer weights.
    """

    LAYERS = {"conv1_2": 0.1, "conv2_2": 0.1, "conv3_4": 1.0, "conv4_4": 1.0, "conv5_4": 1.0}

    def __init__(self, network=None):
        """`network`: a `VGG` with its weights loaded; None makes one of random weights, to be loaded into."""
        self.network = as_constant(VGG(19, list(self.LAYERS)) if network is None else network)

    def features(self, image):
        """[N, 3, H, W] in [-1, 1] -> {layer: [N, C, h, w]}, before ReLU."""
        return self.network(imagenet_normalised(from_signed(image)))

    def __call__(self, output, image):
        """(feature distance, Gram distance), both unweighted scalars; `image` is the target and gets no gradient."""
        ours, theirs = self.features(output), self.features(image.detach())
        perceptual = sum(w * mean_of_all((ours[n] - theirs[n]).abs()) for n, w in self.LAYERS.items())
        grams = {name: (gram_matrix(ours[name]), gram_matrix(theirs[name])) for name in self.LAYERS}
        style = sum(w * mean_of_all((grams[n][0] - grams[n][1]).abs()) for n, w in self.LAYERS.items())
        return perceptual, style
