"""GFP-GAN's training: the generator's losses first, then the discriminator with R1, then one critic per facial part.

Source: Wang et al. 2021, section 3.4; reference code: TencentARC/GFPGAN models/gfpgan_model.py and its options.
"""

from functools import partial

import paddle

from engine import distributed
from engine.errors import InputError
from engine.images import from_signed, to_signed
from engine.log import logger
from engine.onednn import plain
from engine.ports import Exported, Port
from engine.system import System, frozen, prefixed, total
from engine.weights.files import read_loss_weights
from loss.adversarial import discriminator_logistic, generator_logistic
from loss.facial_parts import PARTS, crop_size, crops, part_logistic, part_style
from loss.pixel import image_pyramid, l1
from loss.regularization import r1_penalty
from model.gfpgan.clean import GFPGANClean
from model.gfpgan.component import FacialComponentDiscriminator
from model.gfpgan.exported import ExportedGFPGAN
from model.gfpgan.network import GFPGANBilinear, GFPGANOriginal
from model.shared.basicsr_stylegan2 import StyleGAN2Discriminator
from system.gfpgan_recipe import GFPGANRecipe
from system.gfpgan_weights import identity_loss, load_decoder, perceptual_loss

GENERATORS = {"original": GFPGANOriginal, "bilinear": GFPGANBilinear, "clean": GFPGANClean}


class GFPGAN(System):
    """Blind face restoration with a generative facial prior.

    Source: Wang et al. 2021; gfpgan_model.py (order of the updates, weights, intervals).
    """

    Config = GFPGANRecipe
    averaged = ("generator",)
    static = ("generator",)  # R1 differentiates the discriminator twice, which a captured graph cannot
    scored = ("degraded", "restored")
    shown = ("degraded", "restored", "image")
    smoke = {
        "recipe.size": 32,
        "recipe.channel_multiplier": 1,
        "recipe.narrow": 0.03125,
        "recipe.style_dim": 16,
        "recipe.mapping_layers": 2,
        "recipe.discriminator_narrow": 0.03125,
        "recipe.perceptual_weight": 0.0,
        "recipe.style_weight": 0.0,
        "recipe.identity_weight": 0.0,
        "recipe.decoder_weights": None,
        "recipe.fixes_decoder": False,
        **{f"data.{split}.{name}": 32 for split in ("train", "validation") for name in ("image_size", "degrade_size")},
    }

    def __init__(self, config):
        """Build the generator."""
        self.config = c = config
        self.generator = GENERATORS[c.form](
            c.size,
            c.style_dim,
            c.mapping_layers,
            c.channel_multiplier,
            c.narrow,
            c.input_is_latent,
            c.different_w,
            c.sft_half,
        )
        self.networks, self.state = {"generator": self.generator}, {}

    def prepare_training(self):
        """Build the critics, read the decoder's prior and the networks inside perceptual and identity loss.

        Raises:
            InputError: a file is missing; those of losses may be where `when_missing` is "skip".
        """
        c = self.config
        self.discriminator = StyleGAN2Discriminator(
            c.size, c.discriminator_multiplier, c.discriminator_narrow or c.narrow, c.stddev_group
        )
        parts = PARTS if c.part_weight or c.part_style_weight else ()
        self.parts = {part: FacialComponentDiscriminator() for part in parts}
        self.networks["discriminator"] = self.discriminator
        self.networks |= {f"{part}_discriminator": network for part, network in self.parts.items()}
        if c.fixes_decoder:
            for parameter in self.generator.stylegan_decoder.parameters():
                parameter.stop_gradient = True
        self.trainable = {
            name: [p for p in network.parameters() if not p.stop_gradient] for name, network in self.networks.items()
        }
        self.noise = [distributed.normal] * self.generator.stylegan_decoder.num_maps
        self.perceptual = self.identity = None
        if c.decoder_weights:
            load_decoder(self.generator.stylegan_decoder, c.decoder_weights)
        elif c.fixes_decoder:
            logger.warning("recipe.decoder_weights: none; the fixed decoder is random unless --pretrained loads it")
        if c.perceptual_weight or c.style_weight:
            self.perceptual = self._loss_network("perceptual", c.perceptual_network, perceptual_loss)
        if c.identity_weight:
            self.identity = self._loss_network("identity", c.identity_network, identity_loss)
        losses = {"perceptual": self.perceptual, "identity": self.identity}
        self.log_header = {name: "on" if loss else "off" for name, loss in losses.items()}

    def _loss_network(self, name, path, build):
        """The loss with its weights, or None where its file is missing and may be."""
        arrays = read_loss_weights(path, name, self.config.when_missing, f"recipe.{name}_weight: 0")
        return None if arrays is None else build(arrays, path)

    def train_step(self, batch, step, update):
        """Generator, discriminator (every so often with R1), one discriminator a part, in this order.

        Source: gfpgan_model.py, optimize_parameters; R1 joins the discriminator's loss in one step of its optimizer.
        """
        c = self.config
        degraded, real = self.network_input(batch["degraded"]), to_signed(batch["image"])
        fake, pictures = self.generator(degraded, self.noise)
        regions = self.regions(batch) if self.parts else {}
        with frozen(self.discriminator, *self.parts.values()):
            terms = self.generator_terms(fake, pictures, real, regions, step)
            loss = total(terms, self.weights())
            update("generator", loss)
        scalars = {"generator/loss": loss.detach(), **prefixed("generator", terms)}
        fake = fake.detach()
        if c.adversarial_weight:
            scalars |= self.discriminator_step(fake, real, step, update)
        for part, (boxes, weights) in regions.items():
            size = crop_size(part, c.size)
            loss = part_logistic(self.parts[part](crops(real, boxes, size))[0], True, weights) + part_logistic(
                self.parts[part](crops(fake, boxes, size))[0], False, weights
            )
            update(f"{part}_discriminator", loss)
            scalars[f"{part}_discriminator/loss"] = loss.detach()
        return scalars

    def generator_terms(self, fake, pictures, real, regions, step):
        """The generator's loss terms by name, unweighted.

        Args:
            fake, real: [N, 3, size, size] in [-1, 1].
            pictures: the U-Net's pyramid, at 8, 16, ... `size` pixels.
            regions: see `regions`.
        """
        c = self.config
        terms = {"pixel": l1(fake, real)}
        if c.pyramid_weight and step < c.pyramid_steps:
            terms["pyramid"] = sum(map(l1, pictures, image_pyramid(real)))
        if self.perceptual:
            terms["perceptual"], terms["style"] = self.perceptual(fake, real)
        if c.adversarial_weight:
            terms["adversarial"] = generator_logistic(self.discriminator(fake))
        if regions:
            terms |= self.part_terms(fake, real, regions)
        if self.identity:
            terms["identity"] = self.identity(fake, real)
        return terms

    def part_terms(self, fake, real, regions):
        """{"part": adversarial, "part_style": Gram} losses, summed over the parts."""
        terms = {"part": 0.0, "part_style": 0.0}
        for part, (boxes, weights) in regions.items():
            network, size = self.parts[part], crop_size(part, self.config.size)
            logits, features = network(crops(fake, boxes, size))
            with paddle.no_grad():
                _, wanted = network(crops(real, boxes, size))
            terms["part"] = terms["part"] + part_logistic(logits, True, weights)
            terms["part_style"] = terms["part_style"] + part_style(features, wanted, weights)
        return terms

    def regions(self, batch):
        """{part: (boxes [N, 4], weights [N])}; the weights of the joint batch's visible parts add up to 1."""
        visible = batch["visible"].astype(batch["boxes"].dtype)
        count = distributed.joint(visible).sum(axis=0) / distributed.world_size()
        weights = visible / count.clip(min=1.0 / distributed.world_size())
        return {part: (batch["boxes"][:, i], weights[:, i]) for i, part in enumerate(PARTS)}

    def weights(self):
        """Factor of every term of `generator_terms`."""
        c = self.config
        return {
            "pixel": c.pixel_weight,
            "pyramid": c.pyramid_weight,
            "perceptual": c.perceptual_weight,
            "style": c.style_weight,
            "adversarial": c.adversarial_weight,
            "part": c.part_weight,
            "part_style": c.part_style_weight,
            "identity": c.identity_weight,
        }

    def discriminator_step(self, fake, real, step, update):
        """One step on the logistic loss, R1 added every `r1_every` steps; images in [-1, 1], `fake` detached."""
        c = self.config
        loss = discriminator_logistic(self.discriminator(real), self.discriminator(fake))
        scalars = {"discriminator/loss": loss.detach()}
        if self.is_r1_step(step):
            with update.float32(), plain():
                image = real.detach()
                image.stop_gradient = False
                penalty = r1_penalty(self.discriminator(image), image)
            loss = loss + c.r1_gamma / 2 * c.r1_every * penalty
            scalars["discriminator/r1"] = penalty.detach()
        update("discriminator", loss)
        return scalars

    def is_r1_step(self, step):
        """Whether R1 joins the discriminator's loss at a step counted from 0.

        Source: gfpgan_model.py, optimize_parameters: current_iter % net_d_reg_every == 0; BasicSR's train.py calls the
        first iteration 1.
        """
        every, first = self.config.r1_every, self.config.r1_first
        first = every - 1 if first is None else first
        return every > 0 and step >= first and (step - first) % every == 0

    def network_input(self, degraded):
        """[N, 3, size, size] in [0, 1] -> [-1, 1].

        Raises:
            InputError: the pictures are of another size than the network.
        """
        size, (height, width) = self.config.size, degraded.shape[-2:]
        if (height, width) != (size, size):
            raise InputError(
                f"data: pictures are {height} x {width}, the network takes {size} x {size}; "
                "data.*.image_size must be recipe.size"
            )
        return to_signed(degraded)

    def generate(self, batch, networks):
        """{"restored": [N, 3, size, size] in [0, 1]}."""
        return {"restored": self.restore(networks["generator"], batch["degraded"])}

    def restore(self, generator, degraded):
        """[N, 3, H, W] in [0, 1] -> restored image in [0, 1], clipped."""
        return from_signed(generator(self.network_input(degraded))[0]).clip(0, 1)

    def inference(self, networks):
        """One graph: degraded face in, restored face out; the stored noise, so that runs repeat."""
        generator, shape = networks["generator"], (-1, 3, self.config.size, self.config.size)
        return {
            "": Exported(
                layer=partial(ExportedGFPGAN, generator),
                template="ffhq",
                inputs=[Port("image", shape)],
                outputs=[Port("restored", shape)],
                reference=lambda image: self.restore(generator, image),
            )
        }
