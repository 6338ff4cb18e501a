"""Our values for the golden families of GPEN's and BasicSR's networks and of their operators."""

import numpy as np
import paddle

from engine.onednn import plain
from engine.weights.files import load_into
from engine.weights.official_keys import from_official, official_names
from loss.adversarial import discriminator_logistic, generator_logistic
from loss.regularization import path_length_penalty, path_lengths, r1_penalty
from model.backbones.ir_se50 import Bottleneck
from model.gpen.network import GPENDiscriminator, GPENGenerator, StyleGAN2Decoder
from model.shared.basicsr_stylegan2 import StyleGAN2Discriminator, StyleGAN2Generator
from model.shared.convolution import binomial_kernel, separable_fir
from model.shared.stylegan2 import PixelNorm, fused_leaky_relu


def tensors(inputs, *differentiable):
    """{name: tensor} of {in:name: array}; those named further take a gradient."""
    made = {key.partition(":")[2]: paddle.to_tensor(value) for key, value in inputs.items()}
    for name in differentiable:
        made[name].stop_gradient = False
    return made


def loaded(layer, weights):
    """`layer` in evaluation mode with the official weights, in their precision."""
    if next(iter(weights.values())).dtype == np.float64:
        layer.to(dtype="float64")
    load_into(layer, from_official(layer, weights), "the case's weights")
    layer.eval()
    return layer


def gradients(layer, scalar, prefix, **inputs):
    """{prefix:official key: gradient} of a scalar, for every parameter it reaches and the tensors in `inputs`."""
    layer.clear_gradients()
    scalar.backward()
    names = official_names(layer)
    found = {f"{prefix}:in:{name}": tensor.grad for name, tensor in inputs.items()}
    for key, parameter in layer.named_parameters():
        official, transposed = names[key]
        turned = transposed and parameter.grad is not None
        found[f"{prefix}:{official}"] = parameter.grad.T if turned else parameter.grad
    return {key: gradient.numpy() for key, gradient in found.items() if gradient is not None}


def extra_noise(given):
    """Recorded noise maps in call order, or None."""
    count = sum(name.startswith("noise_") for name in given)
    return [given[f"noise_{i}"] for i in range(count)] or None


def gpen_generator_values(config, inputs, weights):
    """FullGenerator and FullGenerator_SR: image, latents, gradients, and path length where its noise is recorded."""
    size = config["out_size"] if "out_size" in config else config["size"]
    architecture = (config["style_dim"], config["n_mlp"], config["channel_multiplier"], config["narrow"])
    network = GPENGenerator(size, *architecture, is_concat=config["isconcat"], in_size=config.get("in_size"))
    network, given = loaded(network, weights), tensors(inputs, "x")
    extra = extra_noise(given)
    image = network(given["x"], extra)
    values = {"out:image": image.numpy()} | gradients(network, (image * given["r"]).sum(), "grad", x=given["x"])
    image, latents = network.forward_with_latents(given["x"].detach(), extra)
    values["out:latent"] = latents.numpy()
    if "pl_noise" in given:
        lengths = path_lengths(image, latents, given["pl_noise"])
        penalty, mean = path_length_penalty(lengths, given["mean_path_length"], decay=0.01)
        values["out:path_lengths"] = lengths.numpy()
        values |= {"out:path_penalty": penalty.numpy(), "out:path_mean": mean.numpy()}
        values |= gradients(network, penalty, "grad_path")
    return values


def stylegan2_decoder_values(config, inputs, weights):
    """GPEN's Generator alone: added one-channel noise, style mixing, truncation."""
    architecture = (config["style_dim"], config["n_mlp"], config["channel_multiplier"], config["narrow"])
    network = loaded(StyleGAN2Decoder(config["size"], *architecture, is_concat=config.get("isconcat", False)), weights)
    given = tensors(inputs)
    noise = extra_noise(given)
    latents = network.latents([given["z1"]])
    image = network(latents, noise)
    values = {"out:style_z1": network.style(given["z1"]).numpy(), "out:image": image.numpy()}
    values["out:latent"] = latents.numpy()
    mixed = network.latents(
        [given["z1"], given["z2"]], config["inject_index"], config["truncation"], given["trunc_latent"]
    )
    values |= {"out:latent_mix_trunc": mixed.numpy(), "out:image_mix_trunc": network(mixed, noise).numpy()}
    return values | gradients(network, (image * given["r"]).sum(), "grad")


def basicsr_generator_values(config, inputs, weights):
    """BasicSR's StyleGAN2Generator with its stored noise."""
    architecture = (config["num_style_feat"], config["num_mlp"], config["channel_multiplier"], config["narrow"])
    network = loaded(StyleGAN2Generator(config["size"], *architecture), weights)
    given = tensors(inputs)
    latents = network.latents([given["z"]])
    image = network(latents)
    values = {"out:image": image.numpy(), "out:latent": latents.numpy()}
    return values | gradients(network, (image * given["r"]).sum(), "grad")


def discriminator_values(build):
    """The function that computes a discriminator's case: logits, logistic losses, R1 and their gradients."""

    def values(config, inputs, weights):
        network = loaded(build(config["size"], config["channel_multiplier"], config["narrow"]), weights)
        given = tensors(inputs, "real")
        real = network(given["real"])
        found = {"out:pred_real": real.numpy()}
        found |= gradients(network, (real * given["r"]).sum(), "grad", real=given["real"])
        real, fake = network(given["real"].detach()), network(given["fake"])
        loss = discriminator_logistic(real, fake)
        found |= {"out:pred_fake": fake.numpy(), "out:d_logistic_loss": loss.numpy()}
        found["out:g_nonsaturating_adv"] = generator_logistic(fake).numpy()
        found |= gradients(network, loss, "grad_dlogistic")
        with plain():
            penalty = r1_penalty(network(given["real"]), given["real"])
        return found | {"out:r1_penalty": penalty.numpy()} | gradients(network, penalty, "grad_r1")

    return values


def bottleneck_values(config, inputs, weights):
    """One residual unit of IR-SE50 and the gradients of sum(y^2)."""
    network = loaded(Bottleneck(config["inp"], config["out"], config["stride"]), weights)
    given = tensors(inputs, "x")
    out = network(given["x"])
    return {"out:y": out.numpy()} | gradients(network, (out * out).sum(), "grad", x=given["x"])


def upfirdn2d(x, kernel, up=1, down=1, pad=(0, 0)):
    """Zero-insert, pad, convolve with any 2-D kernel, stride.

    A kernel that is no outer product is a sum of at most min(kh, kw) of them (singular value decomposition).

    Args:
        x: [N, C, H, W].
        kernel: array [kh, kw].
        up, down: factors, the same for both axes.
        pad: (before, after), the same for both axes; negative crops.

    Source: yangxy/GPEN op/upfirdn2d.py, upfirdn2d_native.
    """
    u, s, v = np.linalg.svd(np.asarray(kernel, np.float64), full_matrices=False)
    terms = [(u[:, i] * s[i], v[i]) for i in range(len(s)) if s[i] > s[0] * 1e-12]
    return sum(separable_fir(x, tuple(rows), tuple(columns), up, down, pad) for rows, columns in terms)


def operator_values(config, inputs, weights):
    """upfirdn2d with the 4x4 binomial and a given asymmetric kernel, the fused activation, and pixel norm."""
    given = tensors(inputs)
    x, values = given["x"], {}
    modes = {
        "blur": {"pad": (2, 1)},
        "up2": {"up": 2, "pad": (2, 1)},
        "down2": {"down": 2, "pad": (1, 1)},
        "neg": {"pad": (-1, 2)},
        "up3down2": {"up": 3, "down": 2, "pad": (3, 0)},
    }
    for kernel_name, kernel in (("k4", binomial_kernel()), ("asym", inputs["in:k"])):
        for mode, arguments in modes.items():
            values[f"out:{kernel_name}_{mode}"] = upfirdn2d(x, kernel, **arguments).numpy()
    values["out:fused_lrelu"] = fused_leaky_relu(x, given["b"]).numpy()
    values["out:pixelnorm"] = PixelNorm()(x[:, :, 0, 0]).numpy()
    return values


CASES = {
    "gpen_fullgenerator": gpen_generator_values,
    "gpen_stylegan2_generator": stylegan2_decoder_values,
    "gpen_discriminator": discriminator_values(GPENDiscriminator),
    "gpen_irse_bottleneck": bottleneck_values,
    "basicsr_stylegan2_generator": basicsr_generator_values,
    "basicsr_stylegan2_discriminator": discriminator_values(StyleGAN2Discriminator),
    "ops_upfirdn_modconv": operator_values,
}
