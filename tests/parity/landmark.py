"""Our values for the golden families of GLCIC's networks: evaluation and training forward, losses, gradients."""

import paddle
import paddle.nn.functional as F

from model.landmark.network import CompletionNetwork, ContextDiscriminator
from tests.parity.stylegan2 import gradients, loaded, tensors


def completion_values(config, inputs, weights):
    """Completion of an image, and 1000 times the error inside the hole, from running and from batch statistics."""
    network, given = loaded(CompletionNetwork(), weights), tensors(inputs)
    values = {}
    for mode in ("eval", "train"):
        network.train() if mode == "train" else network.eval()
        output = network(given["inp"])
        loss = F.mse_loss(output * given["mask"], given["x"] * given["mask"])
        values |= {f"out:{mode}": output.numpy(), f"out:{mode}_mse_loss": loss.numpy()}
        if mode == "eval":
            values |= gradients(network, 1000 * loss, "grad")
    return values


def discriminator_values(config, inputs, weights):
    """Probabilities, the local branch's features, and the cross entropy of each label."""
    sizes = [(config[key], config[key]) for key in ("local", "glob")]
    network, given = loaded(ContextDiscriminator(*sizes, arc=config["arc"]), weights), tensors(inputs)
    logits = network(given["local"], given["glob"])
    fake = F.binary_cross_entropy_with_logits(logits, paddle.zeros_like(logits))
    values = {
        "out:eval_local_feat": network.model_ld(given["local"]).numpy(),
        "out:eval": F.sigmoid(logits).numpy(),
        "out:eval_bce_fake": fake.numpy(),
    }
    values |= gradients(network, 100 * fake, "grad")
    network.train()
    logits = network(given["local"], given["glob"])
    real = F.binary_cross_entropy_with_logits(logits, paddle.ones_like(logits))
    return values | {"out:train": F.sigmoid(logits).numpy(), "out:train_bce_real": real.numpy()}


CASES = {"glcic_completion": completion_values, "glcic_context": discriminator_values}
