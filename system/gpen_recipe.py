"""The typed recipe of GPEN's YAML files.

Source: Yang et al. 2021, section 3.3; yangxy/GPEN train_simple.py.
"""

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from engine.settings import Settings
from system.degrading import DIALECTS


class GPENRecipe(Settings):
    """Size of the networks, weights of the losses, intervals of the penalties in steps (0: never).

    `discriminator_narrow` is the discriminator's width where it is not the generator's. `stddev_group`:
    neighbours in a batch whose deviation the discriminator sees; null: the whole batch of a process.
    `template`: how faces of whole photos are placed for the network: as FFHQ's, or as GPEN's own program does.
    """

    dialects: ClassVar = DIALECTS

    size: int = Field(gt=0)
    in_size: int | None = Field(default=None, gt=0)
    channel_multiplier: int = Field(gt=0)
    narrow: float = Field(gt=0)
    discriminator_narrow: float | None = Field(default=None, gt=0)
    stddev_group: int | None = Field(default=None, gt=0)
    style_dim: int = Field(default=512, gt=0)
    mapping_layers: int = Field(default=8, gt=0)
    is_concat: bool = True
    adversarial_weight: float = Field(ge=0)
    pixel_weight: float = Field(ge=0)
    pixel_beta: float = Field(gt=0)
    feature_weight: float = Field(ge=0)
    identity_weight: float = Field(ge=0)
    identity_network: Path = Path("weights/model_ir_se50.pdparams")
    when_missing: Literal["stop", "skip"] = "stop"
    r1_gamma: float = Field(ge=0)
    r1_every: int = Field(ge=0)
    path_weight: float = Field(ge=0)
    path_every: int = Field(ge=0)
    path_decay: float = Field(gt=0, le=1)
    template: Literal["ffhq", "gpen"] = "gpen"
