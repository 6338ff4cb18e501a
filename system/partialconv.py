"""PartialConv's training: one network, pixel losses in and out of the hole, VGG-16 features and styles, smoothness.

Source: Liu et al. 2018 (Image Inpainting for Irregular Holes Using Partial Convolutions), sections 3.3 and 4.
"""

from pathlib import Path
from typing import Literal

import paddle
from paddle import nn
from pydantic import Field

from engine.images import composite, from_signed, to_signed
from engine.settings import Settings
from engine.system import Exported, Port, System, prefixed, total
from engine.weights import read_loss_weights
from loss.inpainting import VGGLoss, hole_loss, hole_total_variation, total_variation, valid_loss
from model.partialconv import PartialConvUNet, UNetSettings
from model.vgg import imagenet_normalised, imagenet_restored

SPACES = {  # [0, 1] -> the values a network works with, and back
    "unit": (lambda x: x, lambda x: x),
    "signed": (to_signed, from_signed),
    "imagenet": (imagenet_normalised, imagenet_restored),
}


class PartialConv(System):
    """Hole filling by a U-Net of partial convolutions.

    Source: Liu et al. 2018.
    """

    class Config(Settings):
        """Network and weights of the losses.

        `space` is what the network reads and writes and what every L1 and the total variation are taken in: values in
        [0, 1], in [-1, 1], or normalised by ImageNet's statistics. VGG-16 always gets the last.
        """

        network: UNetSettings
        space: Literal["unit", "signed", "imagenet"]
        valid_weight: float = Field(ge=0)
        hole_weight: float = Field(ge=0)
        perceptual_weight: float = Field(ge=0)
        style_weight: float = Field(ge=0)
        tv_weight: float = Field(ge=0)
        tv: Literal["hole", "full"]
        vgg: Path = Path("weights/vgg16.pdparams")
        when_missing: Literal["stop", "skip"] = "stop"

    scored = ("masked", "composite")
    shown = ("masked", "mask", "output", "composite", "image")
    smoke = {
        "recipe.network.size": 32, "recipe.network.layers": 3, "recipe.network.width": 4, "recipe.when_missing": "skip",
        **{f"data.{split}.image_size": 32 for split in ("train", "validation")},
    }

    def __init__(self, config):
        """Build the network and, where they are weighted, the losses on VGG-16.

        Raises:
            InputError: VGG's file is missing and `when_missing` is "stop".
        """
        self.config = config
        self.generator = PartialConvUNet(config.network)
        self.networks = {"generator": self.generator}
        self.trainable = {"generator": [p for p in self.generator.parameters() if not p.stop_gradient]}
        self.state = {}
        self.to_space, self.from_space = SPACES[config.space]
        self.vgg = self._vgg_loss()
        self.log_header = {"vgg": "on" if self.vgg else "off"}

    def _vgg_loss(self):
        """The losses on VGG-16, or None where they have no weight or its file is missing and may be."""
        c = self.config
        if c.perceptual_weight == c.style_weight == 0:
            return None
        ways_out = "recipe.perceptual_weight: 0 and recipe.style_weight: 0"
        arrays = read_loss_weights(c.vgg, "vgg", c.when_missing, ways_out)
        return None if arrays is None else VGGLoss(arrays)

    def train_step(self, batch, step, update):
        """One update of the network on the weighted sum of the losses. Source: Liu et al. 2018, equation (7)."""
        image, mask = self.to_space(batch["image"]), batch["mask"]
        output, _ = self.generator(image, 1 - mask)
        terms = self.terms(output, image, mask)
        loss = total(terms, self.weights())
        update("generator", loss)
        return {"generator/loss": loss.detach(), **prefixed("generator", terms)}

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
        return {"hole": c.hole_weight, "valid": c.valid_weight, "tv": c.tv_weight, "perceptual": c.perceptual_weight,
                "style": c.style_weight}

    def generate(self, batch, networks):
        """Pictures [N, 3, H, W] in [0, 1]: the input with white holes, the network's output, and the composite."""
        image, mask = batch["image"], batch["mask"]
        output = self.output(networks["generator"], image, mask)
        return {"masked": composite(paddle.ones_like(image), image, mask), "output": output,
                "composite": composite(output, image, mask)}

    def output(self, generator, image, mask):
        """[N, 3, H, W] in [0, 1] and mask -> the network's picture in [0, 1], clipped."""
        output, _ = generator(self.to_space(image), 1 - mask)
        return self.from_space(output).clip(0, 1)

    def inference(self, networks):
        """One graph: picture and mask of any size in, the composite out."""
        return {"": Exported(
            layer=Filling(self, networks["generator"]),
            inputs=[Port("image", (-1, 3, -1, -1)), Port("mask", (-1, 1, -1, -1))],
            outputs=[Port("composite", (-1, 3, -1, -1))],
        )}


class Filling(nn.Layer):
    """What is exported: the network between its input's and output's spaces, known pixels as they came.

    Source: Liu et al. 2018, I_comp.
    """

    def __init__(self, system, generator):
        """`generator`: the system's network or its average."""
        super().__init__()
        self.generator = generator
        self.system = system

    def forward(self, image, mask):
        """[N, 3, H, W] in [0, 1], [N, 1, H, W] -> [N, 3, H, W]; a mask counts as hole from 0.5 up."""
        hole = (mask >= 0.5).astype("float32")
        return composite(self.system.output(self.generator, image, hole), image, hole)
