"""Identity losses: a frozen recognition network compares output and target."""

from model.backbones.ir_se50 import face_crop
from model.shared.constant import as_constant
from model.shared.resample import bilinear_resize

LUMA = (0.2989, 0.5870, 0.1140)


class GreyIdentityLoss:
    """Mean absolute difference of the face features of two pictures in grey, not normalised.

    The recognition network sits inside, frozen and in evaluation mode, so it is in no checkpoint.

    Source: Wang et al. 2021 (GFP-GAN), section 3.4; TencentARC/GFPGAN models/gfpgan_model.py, cri_identity.
    """

    def __init__(self, backbone):
        """`backbone`: a `ResNet18ArcFace` with its weights loaded."""
        self.backbone = as_constant(backbone)

    def __call__(self, output, image):
        """Scalar; pictures [N, 3, S, S] RGB in [-1, 1]; `image` is the target and gets no gradient."""
        target = self.backbone(gray_for_identity(image)).detach()
        return (self.backbone(gray_for_identity(output)) - target).abs().mean()


class IdentityLoss:
    """1 - cosine similarity of face features, mean over the batch.

    The recognition network sits inside, frozen and in evaluation mode, so it is in no checkpoint.

    Source: yangxy/GPEN training/loss/id_loss.py, IDLoss.
    Differs: images below 256 px are cropped in proportion (official: to nothing); the input's features, which only
    feed a log line, are not computed.
    """

    def __init__(self, backbone):
        """`backbone`: an `IRSE50` with its weights loaded (see `engine.weights.official_keys.from_official`)."""
        self.backbone = as_constant(backbone)

    def features(self, image):
        """[N, 3, S, S] RGB in [-1, 1] -> unit vectors [N, 512]."""
        return self.backbone(face_crop(image))

    def __call__(self, output, image):
        """Scalar in [0, 2]; `image` is the target and gets no gradient."""
        target = self.features(image).detach()
        return 1.0 - (self.features(output) * target).sum(axis=1).mean()


def gray_for_identity(image, size=128):
    """RGB [N, 3, H, W] -> luma [N, 1, size, size], bilinear: the input of GFP-GAN's ArcFace.

    Source: TencentARC/GFPGAN models/gfpgan_model.py, gray_resize_for_identity.
    """
    red, green, blue = (image[:, i : i + 1] * weight for i, weight in enumerate(LUMA))
    return bilinear_resize(red + green + blue, size, size)
