"""Our values for the golden families of GFP-GAN's networks and of its perceptual and style losses."""

import paddle

from model.gfpgan.clean import CleanStyleGAN2Generator, GFPGANClean
from model.gfpgan.generator import GFPGANBilinear, GFPGANOriginal
from tools.parity_cases.stylegan2 import gradients, loaded, tensors


def generator_values(kind):
    """The function that computes a generator's case: picture, pyramid, and gradients of their scalar."""

    def values(config, inputs, weights):
        network = kind(config["size"], config["num_style_feat"], config["num_mlp"], config["channel_multiplier"],
                       config["narrow"], config["input_is_latent"], config["different_w"], config["sft_half"])
        network, given = loaded(network, weights), tensors(inputs, "x")
        image, pictures = network(given["x"])
        found = {"out:image": image.numpy()}
        found |= {f"out:rgb_{level}": picture.numpy() for level, picture in enumerate(pictures)}
        scalar = (image * given["r"]).sum() + sum((picture * picture).sum() for picture in pictures)
        return found | gradients(network, scalar, "grad", x=given["x"])

    return values


def decoder_values(config, inputs, weights):
    """The clean decoder alone, its top levels without conditions."""
    network = CleanStyleGAN2Generator(config["size"], config["num_style_feat"], config["num_mlp"],
                                      config["channel_multiplier"], config["narrow"])
    network, given = loaded(network, weights), tensors(inputs)
    count = sum(name.startswith("cond_") for name in given)
    conditions = [(given[f"cond_{i}"], given[f"cond_{i + 1}"]) for i in range(0, count, 2)]
    latents = network.latents([given["z"]])
    image = network(latents, conditions)
    values = {"out:image": image.numpy(), "out:latent": latents.numpy()}
    return values | gradients(network, (image * given["r"]).sum(), "grad")


CASES = {
    "gfpgan_v1_clean": generator_values(GFPGANClean),
    "gfpgan_v1": generator_values(GFPGANOriginal),
    "gfpgan_bilinear": generator_values(GFPGANBilinear),
    "gfpgan_stylegan2_csft": decoder_values,
}
