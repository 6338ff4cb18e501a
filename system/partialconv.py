"""PartialConv's training: one network, pixel losses in and out of the hole, VGG-16 features and styles, smoothness.

The stage with critics, for either network, is maruru-hub/PartialConv-paddle's; `adversarial_weight` 0 leaves it out.

Source: Liu et al. 2018 (Image Inpainting for Irregular Holes Using Partial Convolutions), sections 3.3 and 4;
maruru-hub/PartialConv-paddle model/base_model.py.
"""

from functools import partial

import paddle

from engine.config import replaced
from engine.images import composite, from_signed, to_signed
from engine.log import logger
from engine.ports import Exported, Hole, Port
from engine.system import System, frozen, prefixed, total
from engine.weights.files import read_loss_weights, read_weights
from engine.weights.networks import load_layers
from loss.adversarial import relativistic_discriminator, relativistic_generator
from loss.inpainting import VGGLoss, hole_loss, hole_total_variation, total_variation, valid_loss
from model.backbones.vgg import imagenet_normalised, imagenet_restored
from model.partialconv.exported import Filling, joined_filling
from model.partialconv.keys import is_in_window_scale
from model.partialconv.maruru import Critic, MaskedUNet
from model.partialconv.network import PartialConvUNet, encoder_kernels
from system.partialconv_recipe import PartialConvRecipe

SPACES = {  # [0, 1] -> the values a network works with, and back
    "unit": (lambda x: x, lambda x: x),
    "signed": (to_signed, from_signed),
    "imagenet": (imagenet_normalised, imagenet_restored),
}


class PartialConv(System):
    """Hole filling by a U-Net of partial convolutions.

    Source: Liu et al. 2018.
    """

    Config = PartialConvRecipe
    static = ("generator",)
    needed = ("generator",)
    scored = ("masked", "composite")
    shown = ("masked", "mask", "output", "composite", "image")
    smoke = {
        "recipe.network.size": 32,
        "recipe.network.layers": 3,
        "recipe.network.width": 4,
        "recipe.when_missing": "skip",
        "recipe.critic_width": 4,
        "recipe.local_size": 32,
        **{f"data.{split}.image_size": 32 for split in ("train", "validation")},
        **{
            f"data.{split}.masks": {"kinds": {"rectangle": 1.0}, "ratios": [[0.1, 0.4]]}
            for split in ("train", "validation")
        },
    }

    @classmethod
    def settle_for(cls, config, path):
        """Train weights in naoto0804's scale in that scale: his learning rates are for weights of that size."""
        network = config.recipe.network
        if network.kind != "partialconv" or network.scale or not is_in_window_scale(read_weights(path)):
            return config
        logger.info(f"{path}: weights in naoto0804's scale, trained so; recipe.network.scale: window")
        return replaced(config, {"recipe.network.scale": "window"})

    def __init__(self, config):
        """Build the network."""
        self.config = config
        network = {"partialconv": PartialConvUNet, "maruru": MaskedUNet}[config.network.kind]
        self.generator = network(config.network)
        self.networks, self.state = {"generator": self.generator}, {}
        self.to_space, self.from_space = SPACES[config.space]

    def prepare_training(self):
        """Build the critics and read VGG-16, where they are weighted.

        Raises:
            InputError: VGG's file is missing and `when_missing` is "stop", or it holds another network.
        """
        names = ("global_critic", "local_critic") if self.config.adversarial_weight else ()
        self.critics = {name: Critic(self.config.critic_width) for name in names}
        self.networks |= self.critics
        self.trainable = {"generator": trained_parameters(self.generator)}
        if self.critics:
            self.trainable["critics"] = [p for critic in self.critics.values() for p in trained_parameters(critic)]
        self.vgg = self._vgg_loss()
        self.log_header = {"vgg": "on" if self.vgg else "off"}

    def _vgg_loss(self):
        """The losses on VGG-16, or None where they have no weight or its file is missing and may be."""
        c = self.config
        if c.perceptual_weight == c.style_weight == 0:
            return None
        ways_out = "recipe.perceptual_weight: 0 and recipe.style_weight: 0"
        arrays = read_loss_weights(c.vgg, "vgg", c.when_missing, ways_out)
        if arrays is None:
            return None
        loss = VGGLoss()
        load_layers({"vgg": loss.network}, arrays, c.vgg)
        return loss

    def train_step(self, batch, step, update):
        """One update of the network on the weighted sum of the losses, after one of the critics where there are any.

        Source: Liu et al. 2018, equation (7); base_model.py, optimize_parameters.
        """
        image, mask = self.to_space(batch["image"]), batch["mask"]
        output, _ = self.generator(image, 1 - mask)
        terms, scalars = self.terms(output, image, mask), {}
        if self.critics:
            window = self.random_window(image)
            loss = self.adversarial(relativistic_discriminator, image, output.detach(), window)
            update("critics", loss)
            scalars["critics/loss"] = loss.detach()
            with frozen(*self.critics.values()):
                terms["adversarial"] = self.adversarial(relativistic_generator, image, output, window)
        loss = total(terms, self.weights())
        update("generator", loss)
        return {"generator/loss": loss.detach(), **prefixed("generator", terms), **scalars}

    def adversarial(self, loss, real, fake, window):
        """The sum over the critic of the whole picture and that of a window."""
        whole, local = self.critics["global_critic"], self.critics["local_critic"]
        return loss(whole(real), whole(fake)) + loss(local(real[window]), local(fake[window]))

    def random_window(self, image):
        """Indices of a square of `local_size`, anywhere in the picture. Source: base_model.py, set_input."""
        window = [slice(None), slice(None)]
        for side in image.shape[2:]:
            size = min(self.config.local_size, side)
            start = paddle.randint(0, side - size + 1, [1]).item()
            window.append(slice(start, start + size))
        return tuple(window)

    def terms(self, output, image, mask):
        """The loss terms by name, unweighted; pictures in the network's space."""
        filled = composite(output, image, mask)
        smooth = hole_total_variation(filled, mask) if self.config.tv == "hole" else total_variation(filled)
        terms = {"hole": hole_loss(output, image, mask), "valid": valid_loss(output, image, mask), "tv": smooth}
        if self.vgg:
            terms |= self.vgg(*(imagenet_normalised(self.from_space(x)) for x in (output, filled, image)))
        return terms

    def weights(self):
        """Factor of every term of `terms`."""
        c = self.config
        return {
            "hole": c.hole_weight,
            "valid": c.valid_weight,
            "tv": c.tv_weight,
            "perceptual": c.perceptual_weight,
            "style": c.style_weight,
            "adversarial": c.adversarial_weight,
        }

    def generate(self, batch, networks):
        """Pictures [N, 3, H, W] in [0, 1]: the input with white holes, the network's output, and the composite."""
        image, mask = batch["image"], batch["mask"]
        output = self.output(networks["generator"], image, mask)
        return {
            "masked": composite(paddle.ones_like(image), image, mask),
            "output": output,
            "composite": composite(output, image, mask),
        }

    def output(self, generator, image, mask):
        """[N, 3, H, W] in [0, 1] and mask -> the network's picture in [0, 1], clipped."""
        output, _ = generator(self.to_space(image), 1 - mask)
        return self.from_space(output).clip(0, 1)

    def _kernels(self, generator):
        """What closes a hole in this network; nothing has to where open cells get the mean of the others."""
        fills = getattr(self.config.network, "bottleneck_fill", "none") != "none"
        return () if fills else tuple(encoder_kernels(generator))

    def inference(self, networks):
        """One graph: picture and mask of any size in, the composite out."""
        generator = networks["generator"]
        return {
            "": Exported(
                layer=partial(joined_filling, self.output, generator),
                inputs=[Port("image", (-1, 3, -1, -1)), Port("mask", (-1, 1, -1, -1), "mask")],
                outputs=[Port("composite", (-1, 3, -1, -1))],
                reference=Filling(self.output, generator),
                hole=Hole(kernels=self._kernels(generator)),
                template="ffhq",
            )
        }


def trained_parameters(network):
    """The parameters of a network that take a gradient; running statistics and frozen norms do not. Source: ours."""
    return [parameter for parameter in network.parameters() if not parameter.stop_gradient]
