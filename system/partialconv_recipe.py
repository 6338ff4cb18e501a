"""The typed recipe of PartialConv's YAML files.

Source: Liu et al. 2018; the projects named in system/partialconv.py.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from engine.settings import Settings
from model.partialconv.settings import MaruruSettings, UNetSettings


class PartialConvRecipe(Settings):
    """Network and weights of the losses.

    `space` is what the network reads and writes and what every L1 and the total variation are taken in: values in
    [0, 1], in [-1, 1], or normalised by ImageNet's statistics. VGG-16 always gets the last. `local_size` is the
    side of the random crop that the second critic judges.
    """

    network: Annotated[UNetSettings | MaruruSettings, Field(discriminator="kind")]
    space: Literal["unit", "signed", "imagenet"]
    valid_weight: float = Field(ge=0)
    hole_weight: float = Field(ge=0)
    perceptual_weight: float = Field(ge=0)
    style_weight: float = Field(ge=0)
    tv_weight: float = Field(ge=0)
    tv: Literal["hole", "full"]
    vgg: Path = Path("weights/vgg16.pdparams")
    when_missing: Literal["stop", "skip"] = "stop"
    adversarial_weight: float = Field(default=0.0, ge=0)
    critic_width: int = Field(default=64, ge=1)
    local_size: int = Field(default=64, ge=32)

    @model_validator(mode="after")
    def _space_fits(self):
        if self.network.kind == "maruru" and self.space != "signed":
            raise ValueError(f"space is {self.space}; the network maruru writes [-1, 1], expected signed")
        return self
