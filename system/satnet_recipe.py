"""The typed recipe of the YAML files of SATNet and MUNIT, and MUNIT's own command line.

Source: NVlabs/MUNIT test.py, in whose data set a is the caricature here.
"""

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from engine.cli import Dialect, OwnFlag
from engine.flags import boolean
from engine.settings import Settings
from model.satnet.settings import SMALLEST_SIDE, DiscriminatorSettings, GeneratorSettings, smallest_maps

A2B = OwnFlag(
    "MUNIT's word for --to photo (0: --to caricature)",
    boolean,
    means=lambda value: {"to": "photo" if value else "caricature"},
)
B2A = OwnFlag(
    "MUNIT's word for --to caricature (0: --to photo)",
    boolean,
    means=lambda value: {"to": "caricature" if value else "photo"},
)
DIALECTS = {"predict": Dialect({"a2b": A2B, "b2a": B2A})}


class IdentitySettings(Settings):
    """The identity term and its recognition network, which the measure `identity_similarity` uses too.

    Source: the seed's configurations.
    """

    mode: Literal["none", "hinge", "cosine", "feature", "kd", "cls"]
    threshold: float = Field(default=0.2875, ge=-1, le=1)
    temperature: float = Field(default=4.0, gt=0)
    network: Path = Path("weights/sphere20a.pdparams")
    image_size: tuple[int, int] = (112, 96)
    width: float = Field(default=1.0, gt=0)
    embedding_size: int = Field(default=512, gt=0)
    num_classes: int | None = None
    when_missing: Literal["stop", "skip"] = "stop"

    @model_validator(mode="after")
    def _has_classes(self):
        if self.mode in ("kd", "cls") and not self.num_classes:
            raise ValueError(f"mode {self.mode} needs num_classes, those of the recognition network")
        return self


class SATNetRecipe(Settings):
    """Sizes of the networks and weights of the losses.

    `spectral_init` "torch" leaves spectral convolutions as the seed does; `same_identity_weight` and `swap_weight`
    act on samples whose two pictures show one person. `r1_gamma`: gamma of the R1 penalty on both discriminators,
    which the references do not have and a run of a few thousand steps needs, or generator and discriminator chase
    each other in fine noise. `critic_crop`: rows and columns that a discriminator does not see, at a place drawn for
    each look, so that no pattern of one or two pixels can stand on the grid of its strides. The references do not have
    it either. Source: Zhao et al. 2020 (DiffAugment), translation, here without an empty border.
    """

    dialects: ClassVar = DIALECTS

    image_size: tuple[int, int]
    generator: GeneratorSettings
    discriminator: DiscriminatorSettings
    spectral_init: Literal["all", "torch"]
    gan: Literal["hinge", "lsgan", "nsgan"]
    adversarial_weight: float = Field(ge=0)
    r1_gamma: float = Field(default=0.0, ge=0)
    critic_crop: int = Field(default=0, ge=0)
    image_weight: float = Field(ge=0)
    style_weight: float = Field(ge=0)
    content_weight: float = Field(ge=0)
    cycle_weight: float = Field(ge=0)
    identity: IdentitySettings
    identity_weight: float = Field(ge=0)
    same_identity_weight: float = Field(default=0.0, ge=0)
    swap_weight: float = Field(default=0.0, ge=0)

    @model_validator(mode="after")
    def _sizes_fit(self):
        multiple = 2**self.generator.n_downsample
        if any(side % multiple for side in self.image_size):
            raise ValueError(f"image_size is {list(self.image_size)}; expected multiples of {multiple}")
        if min(self.image_size) < SMALLEST_SIDE:
            raise ValueError(f"image_size is {list(self.image_size)}; expected at least {SMALLEST_SIDE}")
        seen = [side - self.critic_crop for side in self.image_size]
        if min(min(size) for size in smallest_maps(seen, self.discriminator)) < 2:
            less = f" less critic_crop {self.critic_crop}" if self.critic_crop else ""
            raise ValueError(
                f"image_size {list(self.image_size)}{less} is too small for discriminator.num_scales "
                f"{self.discriminator.num_scales} with n_layer {self.discriminator.n_layer}"
            )
        if self.same_identity_weight and self.identity.mode == "none":
            raise ValueError("same_identity_weight needs an identity.mode other than none, for its network")
        return self
