"""The typed recipe of GFP-GAN's YAML files.

Source: Wang et al. 2021; TencentARC/GFPGAN gfpgan_model.py.
"""

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from engine.settings import Settings
from system.degrading import DIALECTS


class GFPGANRecipe(Settings):
    """Form and size of the networks, weights of the losses, intervals and ends in steps.

    `decoder_weights` is a StyleGAN2 in the official form, loaded before training; `fixes_decoder` never moves it.
    The pyramid loss ends at `pyramid_steps`. `discriminator_narrow`: the discriminator's width where it differs.
    `stddev_group`: neighbours in a batch whose deviation the discriminator sees; null: groups of at most four.
    `r1_first`: the first step, counted from 0, with R1; None: `r1_every` - 1, as BasicSR counts from 1.
    """

    dialects: ClassVar = DIALECTS

    form: Literal["original", "bilinear", "clean"]
    size: int = Field(gt=0)
    channel_multiplier: int = Field(gt=0)
    narrow: float = Field(gt=0)
    discriminator_multiplier: int = Field(gt=0)
    discriminator_narrow: float | None = Field(default=None, gt=0)
    stddev_group: int | None = Field(default=None, gt=0)
    style_dim: int = Field(default=512, gt=0)
    mapping_layers: int = Field(default=8, gt=0)
    input_is_latent: bool = True
    different_w: bool = True
    sft_half: bool = True
    decoder_weights: Path | None = None
    fixes_decoder: bool
    pixel_weight: float = Field(ge=0)
    pyramid_weight: float = Field(ge=0)
    pyramid_steps: int = Field(ge=0)
    perceptual_weight: float = Field(ge=0)
    style_weight: float = Field(ge=0)
    perceptual_network: Path = Path("weights/vgg19.pdparams")
    adversarial_weight: float = Field(ge=0)
    part_weight: float = Field(ge=0)
    part_style_weight: float = Field(ge=0)
    identity_weight: float = Field(ge=0)
    identity_network: Path = Path("weights/arcface_resnet18.pdparams")
    when_missing: Literal["stop", "skip"] = "stop"
    r1_gamma: float = Field(ge=0)
    r1_every: int = Field(ge=0)
    r1_first: int | None = Field(default=None, ge=0)
