"""Weights that GFP-GAN's training reads beside its own: the decoder's prior and the networks inside two losses.

Source: TencentARC/GFPGAN models/gfpgan_model.py and its options.
"""

from engine.log import logger
from engine.weights.files import read_weights
from engine.weights.networks import load_layers
from loss.identity import GreyIdentityLoss
from loss.perceptual import PerceptualLoss
from model.backbones.arcface import ResNet18ArcFace


def load_decoder(decoder, path):
    """Give the decoder the weights of a StyleGAN2 file in the official form, and report what was loaded.

    Raises:
        InputError: the file is missing or of another size.
    """
    load_layers({"decoder": decoder}, read_weights(path), path)
    tensors = decoder.state_dict()
    elements = sum(tensor.size for tensor in tensors.values())
    noises = sum(key.startswith("noises.") for key in tensors)
    logger.info(
        f"{path}: loaded into the decoder: {len(tensors)} arrays ({noises} of them noise), {elements} elements; "
        "the U-Net and its conditions are not in it"
    )


def perceptual_loss(arrays, path):
    """`PerceptualLoss` with the weights of a file; layers above those in use are left."""
    loss = PerceptualLoss()
    load_layers({"perceptual": loss.network}, arrays, path)
    return loss


def identity_loss(arrays, path):
    """`GreyIdentityLoss` with the weights of a file."""
    network = ResNet18ArcFace()
    load_layers({"identity": network}, arrays, path)
    return GreyIdentityLoss(network)
