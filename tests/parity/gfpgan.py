"""Our values for the golden families of GFP-GAN's networks and of its perceptual and style losses."""

from engine.errors import InputError
from loss.perceptual import PerceptualLoss, gram_matrix
from model.backbones.arcface import IRBlock, ResNet18ArcFace
from model.backbones.vgg import VGG
from model.gfpgan.clean import CleanStyleGAN2Generator, GFPGANClean
from model.gfpgan.component import FacialComponentDiscriminator
from model.gfpgan.network import GFPGANBilinear, GFPGANOriginal
from tests.parity.stylegan2 import gradients, loaded, tensors


def generator_values(kind):
    """The function that computes a generator's case: picture, pyramid, and gradients of their scalar."""

    def values(config, inputs, weights):
        network = kind(
            config["size"],
            config["num_style_feat"],
            config["num_mlp"],
            config["channel_multiplier"],
            config["narrow"],
            config["input_is_latent"],
            config["different_w"],
            config["sft_half"],
        )
        network, given = loaded(network, weights), tensors(inputs, "x")
        image, pictures = network(given["x"])
        found = {"out:image": image.numpy()}
        found |= {f"out:rgb_{level}": picture.numpy() for level, picture in enumerate(pictures)}
        scalar = (image * given["r"]).sum() + sum((picture * picture).sum() for picture in pictures)
        return found | gradients(network, scalar, "grad", x=given["x"])

    return values


def decoder_values(config, inputs, weights):
    """The clean decoder alone; the conditions' number and channels say which levels and channels they are for."""
    half, without = config["sft_half"], config["skip_top"]
    network = CleanStyleGAN2Generator(
        config["size"], config["num_style_feat"], config["num_mlp"], config["channel_multiplier"], config["narrow"]
    )
    network, given = loaded(network, weights), tensors(inputs)
    count = sum(name.startswith("cond_") for name in given)
    conditions = [(given[f"cond_{i}"], given[f"cond_{i + 1}"]) for i in range(0, count, 2)]
    whole = network.style_convs[0].modulated_conv.weight.shape[1]
    if given["cond_0"].shape[1] != (whole // 2 if half else whole) or len(conditions) + without != len(network.to_rgbs):
        raise InputError(f"options 'sft_half': {half}, 'skip_top': {without} are not those of the recorded conditions")
    latents = network.latents([given["z"]])
    image = network(latents, conditions=conditions)
    values = {"out:image": image.numpy(), "out:latent": latents.numpy()}
    return values | gradients(network, (image * given["r"]).sum(), "grad")


def component_values(config, inputs, weights):
    """A part's discriminator: logits, channel means and the first Gram row of both features, gradients of a scalar."""
    network, given = loaded(FacialComponentDiscriminator(), weights), tensors(inputs, "x")
    logits, features = network(given["x"])
    values = {"out:pred": logits.numpy()}
    for i, feature in enumerate(features):
        values[f"out:feat_{i}_mean_c"] = feature.mean(axis=[2, 3]).numpy()
        values[f"out:gram_{i}_row0"] = gram_matrix(feature)[:, 0].numpy()
    scalar = (logits * logits).sum() + sum(feature.mean() for feature in features)
    return values | gradients(network, scalar, "grad", x=given["x"])


def arcface_values(config, inputs, weights):
    """The recognition network: features, and the gradients of their sum."""
    config.expect("block", "IRBlock")
    network, given = loaded(ResNet18ArcFace(config["use_se"], config["layers"]), weights), tensors(inputs, "x")
    features = network(given["x"])
    return {"out:feat": features.numpy()} | gradients(network, features.sum(), "grad", x=given["x"])


def block_values(config, inputs, weights):
    """One block of the recognition network, with gates, and the gradients of sum(y^2)."""
    network = loaded(IRBlock(config["inp"], config["out"], config["stride"], config["use_se"]), weights)
    given = tensors(inputs)
    out = network(given["x"])
    return {"out:y": out.numpy()} | gradients(network, (out * out).sum(), "grad")


def perceptual_values(config, inputs, weights):
    """VGG-19's perceptual and style loss, the gradient of their sum, and channel means of the target's features."""
    loss = PerceptualLoss(loaded(VGG(19, list(PerceptualLoss.LAYERS)), weights))
    given = tensors(inputs, "x")
    perceptual, style = loss(given["x"], given["gt"])
    style = STYLE_WEIGHT * style
    (perceptual + style).backward()
    values = {"out:percep": perceptual.numpy(), "out:style": style.numpy(), "grad:in:x": given["x"].grad.numpy()}
    for name, feature in loss.features(given["gt"]).items():
        values[f"out:{name}_mean_c"] = feature.mean(axis=[2, 3]).numpy()
    return values


STYLE_WEIGHT = 50.0  # GFP-GAN's
CASES = {
    "gfpgan_v1_clean": generator_values(GFPGANClean),
    "gfpgan_v1": generator_values(GFPGANOriginal),
    "gfpgan_bilinear": generator_values(GFPGANBilinear),
    "gfpgan_stylegan2_csft": decoder_values,
    "gfpgan_facial_component_disc": component_values,
    "gfpgan_resnet_arcface": arcface_values,
    "gfpgan_irblock": block_values,
    "vgg19_perceptual_gfpgan": perceptual_values,
}
