"""GPEN's training: logistic adversarial loss, smooth L1, identity; R1 and path length every few steps.

One system serves the released recipe and the paper's; the YAML's weights and learning rates tell them apart.

Source: Yang et al. 2021, section 3.3; reference code: yangxy/GPEN train_simple.py.
"""

from functools import partial

import paddle
import paddle.nn.functional as F

from engine import distributed
from engine.errors import InputError
from engine.images import from_signed, to_signed
from engine.onednn import plain
from engine.ports import Exported, Port
from engine.system import System, frozen, prefixed, total
from engine.weights.files import read_loss_weights
from engine.weights.networks import load_layers
from loss.adversarial import discriminator_logistic, generator_logistic
from loss.identity import IdentityLoss
from loss.perceptual import feature_matching
from loss.pixel import smooth_l1
from loss.regularization import path_length_penalty, path_lengths, r1_penalty
from model.backbones.ir_se50 import IRSE50
from model.gpen.exported import ExportedGPEN
from model.gpen.network import GPENDiscriminator, GPENGenerator
from system.gpen_recipe import GPENRecipe


class GPEN(System):
    """Blind face restoration with an embedded GAN prior.

    Source: Yang et al. 2021; yangxy/GPEN train_simple.py (order of the updates, weights, intervals).
    """

    Config = GPENRecipe
    averaged = ("generator",)
    static = ("generator",)  # R1 differentiates the discriminator twice, which a captured graph cannot
    scored = ("degraded", "restored")
    shown = ("degraded", "restored", "image")
    passes = {
        "": {"generator": 4, "discriminator": 8},
        "path_every": {"generator": 6},
        "r1_every": {"discriminator": 6},
    }
    smoke = {
        "recipe.size": 32,
        "recipe.channel_multiplier": 1,
        "recipe.narrow": 0.03125,
        "recipe.style_dim": 16,
        "recipe.mapping_layers": 2,
        "recipe.identity_weight": 0.0,
        **{f"data.{split}.{name}": 32 for split in ("train", "validation") for name in ("image_size", "degrade_size")},
    }

    def __init__(self, config):
        """Build the generator."""
        self.config = c = config
        self.generator = GPENGenerator(
            c.size, c.style_dim, c.mapping_layers, c.channel_multiplier, c.narrow, c.is_concat, c.in_size
        )
        self.networks, self.state = {"generator": self.generator}, {"path_length_mean": paddle.zeros([])}
        self.extra_noise = self._extra_noise()

    def prepare_training(self):
        """Build the discriminator and, where it is weighted, the identity loss.

        Raises:
            InputError: the identity network's file is missing and `when_missing` is "stop".
        """
        c = self.config
        self.discriminator = GPENDiscriminator(
            c.size, c.channel_multiplier, c.discriminator_narrow or c.narrow, c.stddev_group
        )
        self.networks["discriminator"] = self.discriminator
        decoder = self.generator.generator.parameters()
        inside = {id(parameter) for parameter in decoder}
        encoder = [parameter for parameter in self.generator.parameters() if id(parameter) not in inside]
        self.trainable = {"encoder": encoder, "decoder": decoder, "discriminator": self.discriminator.parameters()}
        self.identity = self._identity_loss()
        self.log_header = {"identity": "on" if self.identity else "off"}

    def _extra_noise(self):
        """Noise for the decoder levels a smaller input has no maps for: each process its part of the joint batch's."""
        levels = self.generator.generator.num_maps - (2 * (self.generator.num_encoders) - 1)
        return [distributed.normal] * levels or None

    def _identity_loss(self):
        """The identity loss, or None where it has no weight or its file is missing and may be."""
        c = self.config
        if c.identity_weight == 0:
            return None
        arrays = read_loss_weights(c.identity_network, "identity", c.when_missing, "recipe.identity_weight: 0")
        if arrays is None:
            return None
        backbone = IRSE50()
        load_layers({"identity": backbone}, arrays, c.identity_network)
        return IdentityLoss(backbone)

    def train_step(self, batch, step, update):
        """Discriminator, R1, generator, path length, in this order.

        Source: train_simple.py, train(); R1 is a further step of the discriminator, path length one of the generator.
        Differs: one forward of the generator serves both players, whose inputs and weights are the same.
        """
        c = self.config
        degraded, real = self.network_input(batch["degraded"]), to_signed(batch["image"])
        fake = self.generator(degraded, self.extra_noise)
        judged = c.adversarial_weight or c.feature_weight
        scalars = self.discriminator_steps(fake.detach(), real, step, update) if judged else {}

        with frozen(self.discriminator):
            terms = self.generator_terms(fake, real)
            loss = total(terms, self.weights())
            update(("encoder", "decoder"), loss)

        if c.path_every and step % c.path_every == 0:
            with update.float32(), plain():
                penalty = self.path_length(degraded)
                update(("encoder", "decoder"), c.path_weight * c.path_every * penalty)
            scalars["generator/path"] = penalty.detach()

        return {"generator/loss": loss.detach(), **prefixed("generator", terms), **scalars}

    def discriminator_steps(self, fake, real, step, update):
        """The logistic step, and R1 as a step of its own every `r1_every` steps; images in [-1, 1], `fake` detached."""
        c = self.config
        loss = discriminator_logistic(self.discriminator(real), self.discriminator(fake))
        update("discriminator", loss)
        if not c.r1_every or step % c.r1_every:
            return {"discriminator/loss": loss.detach()}
        with update.float32():
            penalty = self.r1(real)
            update(
                "discriminator", c.r1_gamma / 2 * c.r1_every * penalty, reaches_all=True
            )  # there: + 0 * real_pred[0]
        return {"discriminator/loss": loss.detach(), "discriminator/r1": penalty.detach()}

    def network_input(self, degraded):
        """[N, 3, H, W] in [0, 1] -> [-1, 1] at the encoder's size, reduced by area where `in_size` is smaller.

        Raises:
            InputError: the pictures are of another size than the network.
        """
        size = self.config.in_size or self.config.size
        if self.config.in_size and size < degraded.shape[-1]:
            degraded = F.adaptive_avg_pool2d(degraded, size)
        if tuple(degraded.shape[-2:]) != (size, size):
            height, width = degraded.shape[-2:]
            raise InputError(
                f"data: pictures are {height} x {width}, the network takes {size} x {size}; "
                "data.*.image_size must be recipe.size"
            )
        return to_signed(degraded)

    def generator_terms(self, fake, real):
        """The generator's loss terms by name, unweighted; images in [-1, 1]."""
        terms = {"pixel": smooth_l1(fake, real, self.config.pixel_beta)}
        if self.config.adversarial_weight or self.config.feature_weight:
            logits, features = self.discriminator(fake, return_features=True)
            terms["adversarial"] = generator_logistic(logits)
        if self.config.feature_weight:
            with paddle.no_grad():
                _, wanted = self.discriminator(real, return_features=True)
            terms["feature"] = feature_matching(features, wanted)
        if self.identity:
            terms["identity"] = self.identity(fake, real)
        return terms

    def weights(self):
        """Factor of every term of `generator_terms`."""
        c = self.config
        return {
            "adversarial": c.adversarial_weight,
            "pixel": c.pixel_weight,
            "feature": c.feature_weight,
            "identity": c.identity_weight,
        }

    def r1(self, real):
        """R1 penalty at real images, unweighted."""
        real = real.detach()
        real.stop_gradient = False
        with plain():
            return r1_penalty(self.discriminator(real), real)

    def path_length(self, degraded):
        """Path-length penalty, unweighted, over the lengths of all processes; moves the running mean."""
        image, latents = self.generator.forward_with_latents(degraded, self.extra_noise)
        lengths = distributed.joint(path_lengths(image, latents, distributed.normal(image.shape)))
        penalty, mean = path_length_penalty(lengths, self.state["path_length_mean"], self.config.path_decay)
        self.state["path_length_mean"] = mean
        return penalty

    def generate(self, batch, networks):
        """{"restored": [N, 3, size, size] in [0, 1]}."""
        return {"restored": self.restore(networks["generator"], batch["degraded"])}

    def restore(self, generator, degraded):
        """[N, 3, H, W] in [0, 1] -> restored image in [0, 1], clipped."""
        return from_signed(generator(self.network_input(degraded))).clip(0, 1)

    def inference(self, networks):
        """One graph: degraded face in, restored face out."""
        c, generator = self.config, networks["generator"]
        side = c.in_size or c.size
        return {
            "": Exported(
                layer=partial(ExportedGPEN, generator),
                template=self.config.template,
                inputs=[Port("image", (-1, 3, side, side))],
                outputs=[Port("restored", (-1, 3, c.size, c.size))],
                reference=lambda image: self.restore(generator, image),
            )
        }
