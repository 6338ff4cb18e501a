"""Our values for the golden families of losses: adversarial, identity, and the parts of color_ops that losses own."""

import itertools

import paddle.nn.functional as F

from engine.images import to_signed
from loss.adversarial import KINDS
from loss.identity import IdentityLoss, gray_for_identity
from loss.perceptual import gram_matrix
from loss.pixel import image_pyramid
from model.backbones.ir_se50 import IRSE50
from tests.parity.stylegan2 import loaded, tensors

GENERATOR_WEIGHT = 0.1


def adversarial_values(config, inputs, weights):
    """Every kind of loss, for both labels and both players, with the generator's weight 0.1."""
    logits, values = tensors(inputs)["pred"], {}
    for kind, real, critic in itertools.product(KINDS, (0, 1), (0, 1)):
        loss = KINDS[kind](logits, bool(real), bool(critic))
        values[f"out:{kind}_{real}_{critic}"] = (loss if critic else loss * GENERATOR_WEIGHT).numpy()
    return values


def identity_values(config, inputs, weights):
    """GPEN's identity loss on IR-SE50: features, loss, improvement over the input, and the gradient in 8x8 sums."""
    given = tensors(inputs, "y_hat")
    loss = IdentityLoss(loaded(IRSE50(), weights))
    value = loss(given["y_hat"], given["y"])
    value.backward()
    target = loss.features(given["y"])
    before = (target * loss.features(given["x"])).sum(axis=1).mean()
    return {
        "out:feat_y": target.numpy(),
        "out:id_loss": value.numpy(),
        "out:sim_improvement": (1.0 - value - before).numpy(),
        "grad:in:y_hat_pooled8": (F.avg_pool2d(given["y_hat"].grad, 8) * 64).numpy(),
    }


def colour_loss_values(config, inputs, weights):
    """Gram matrix, image pyramid below full size, and the grey input of ArcFace."""
    given = tensors(inputs)
    values = {"out:gram": gram_matrix(given["feat"]).numpy()}
    gray = gray_for_identity(to_signed(given["x"]))
    values["out:identity_gray128"] = gray.numpy()[:, :, ::4, ::4]  # every fourth pixel is recorded
    for level, image in enumerate(image_pyramid(given["x"], smallest=config["size"] >> (config["log_size"] - 3))):
        values[f"out:pyramid_{level}"] = image.numpy()
    return values


CASES = {"gan_losses": adversarial_values, "gpen_ir_se50_idloss": identity_values, "color_ops": colour_loss_values}
