"""Our values for the golden families of partial convolutions: NVIDIA's and naoto0804's layer, U-Net, losses."""

import numpy as np
import paddle

from engine.weights.files import load_into
from loss.inpainting import LAYERS, VGGLoss, hole_loss, total_variation, valid_loss
from model.partialconv.keys import from_naoto
from model.partialconv.network import PartialConv2D, PartialConvUNet
from model.partialconv.settings import UNetSettings
from tests.parity.stylegan2 import tensors

WEIGHTS = {"valid": 1.0, "hole": 6.0, "perceptual": 0.05, "style": 120.0, "tv": 0.1}


def layer_of(config, weight, bias, mask_channels):
    """A layer with one part a mask channel, so that masks may differ between channels."""
    parts, dilation = [config["inp"]] if mask_channels == 1 else [1] * config["inp"], config.get("dil", 1)
    sizes = (config["out"], config["k"], config["stride"])
    layer = PartialConv2D(parts, *sizes, config["bias"], dilation=dilation, padding=config["pad"])
    layer.to(dtype=str(weight.dtype))
    layer.weight.set_value(weight)
    if config["bias"]:
        layer.bias.set_value(bias)
    return layer


def layer_gradients(layer, prefix, factor=1.0):
    """{prefix + name: gradient} of a layer's weight, divided by `factor`, and of its bias, if it has one."""
    found = {f"{prefix}weight": layer.weight.grad.numpy() / factor}
    return found if layer.bias is None else found | {f"{prefix}bias": layer.bias.grad.numpy()}


def in_parts(layer, tensor):
    """The list of parts a layer takes, of [N, C, H, W] or of a mask with as many channels or one."""
    return [tensor] if len(layer.parts) == 1 else paddle.split(tensor, len(layer.parts), axis=1)


def nvidia_layer_values(config, inputs, weights):
    """NVIDIA's layer and the gradient of sum(y^2).

    A second call without mask takes the input as it is but keeps the first call's ratio and mask, because the layer
    stores them by the input's shape.
    """
    given = tensors(inputs)
    layer = layer_of(config, weights["weight"], weights.get("bias"), given["mask"].shape[1])
    channels, valid = config["out"] if config["multi"] else 1, in_parts(layer, given["mask"])
    y, after = layer(in_parts(layer, given["x"]), valid)
    whole, _ = layer.renormalised(layer.convolved(given["x"]), valid)
    (y * y).sum().backward()
    mask = after.numpy().repeat(channels, 1)
    return {
        "out:y": y.numpy(),
        "out:mask": mask,
        "out:y_nomask": whole.numpy(),
        "out:mask_nomask": mask,
        **layer_gradients(layer, "grad:"),
    }


def naoto_layer_values(config, inputs, weights):
    """naoto0804's layer: its weights are ours times the window's size, its gradients ours divided by it."""
    given, weight = tensors(inputs), weights["input_conv.weight"]
    window = weight[0].size
    layer = layer_of(config, weight / window, weights.get("input_conv.bias"), given["mask"].shape[1])
    y, after = layer(in_parts(layer, given["x"]), in_parts(layer, given["mask"]))
    (y * y).sum().backward()
    return {
        "out:y": y.numpy(),
        "out:mask": after.numpy().repeat(config["out"], 1),
        **layer_gradients(layer, "grad:input_conv.", window),
    }


def unet_values(config, inputs, weights):
    """naoto0804's U-Net: evaluation, then training with the gradient of sum(image * r) and the moved statistics."""
    given = tensors(inputs)
    network = PartialConvUNet(UNetSettings(size=config["size"], layers=config["layer_size"]))
    network.to(dtype=str(inputs["in:x"].dtype))
    load_into(network, from_naoto(weights), "the case's weights")
    valid = given["mask"][:, :1]
    network.eval()
    image, reached = network(given["x"], valid)
    values = {"out:eval_image": image.numpy(), "out:eval_mask": reached.expand_as(image).numpy()}
    network.train()
    image, _ = network(given["x"], valid)
    (image * given["r"]).sum().backward()
    values["out:train_image"] = image.numpy()
    official = {"_mean": "running_mean", "_variance": "running_var"}
    for key, tensor in network.state_dict().items():
        head, _, last = key.rpartition(".")
        if last in official:
            values[f"out:bn_after_train:{head}.{official[last]}"] = tensor.numpy()
        elif key.endswith("conv.weight"):
            values[f"grad:{head}.input_conv.weight"] = tensor.grad.numpy() / np.prod(tensor.shape[1:])
        else:
            values[f"grad:{head.replace('conv', 'conv.input_conv')}.{last}"] = tensor.grad.numpy()
    return values


def loss_values(config, inputs, weights):
    """naoto0804's five terms, their weighted total and its gradient; pictures are normalised already."""
    given = tensors(inputs, "output")
    losses = VGGLoss()
    losses.network.to(dtype=str(inputs["in:gt"].dtype))
    load_into(losses.network, weights, "the case's weights")
    output, image, mask = given["output"], given["gt"], 1 - given["mask"]
    filled = mask * output + (1 - mask) * given["input"]
    features = losses.network(image)
    terms = losses(output, filled, image) | {
        "hole": hole_loss(output, image, mask),
        "tv": total_variation(filled),
        "valid": valid_loss(output, image, mask),
    }
    loss = sum(terms[name] * weight for name, weight in WEIGHTS.items())
    loss.backward()
    values = {f"out:feat{i}_mean_c": features[layer].mean([2, 3]).numpy() for i, layer in enumerate(LAYERS)}
    names = {"hole": "hole", "valid": "valid", "prc": "perceptual", "style": "style", "tv": "tv"}
    values |= {f"out:loss_{official}": terms[name].numpy() for official, name in names.items()}
    return values | {"out:loss_total_1_6_.05_120_.1": loss.numpy(), "grad:in:output": output.grad.numpy()}


CASES = {
    "pconv_layer_nvidia": nvidia_layer_values,
    "pconv_layer_naoto": naoto_layer_values,
    "pconv_unet_naoto": unet_values,
    "pconv_losses_vgg16": loss_values,
}
