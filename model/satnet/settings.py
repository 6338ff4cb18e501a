"""Sizes and switches of SATNet's networks. Source: NVlabs/MUNIT configs and networks.py; see network.py."""

from typing import Literal

from pydantic import Field, model_validator

from engine.settings import Settings

SMALLEST_SIDE = 16  # of a picture: the style encoder's last convolution mirrors 1 pixel of what is halved three times


PadType = Literal["reflect", "replicate", "zero"]


class GeneratorSettings(Settings):
    """Widths and depths of a generator; `deformable`: the last residual block of encoder and decoder may deform.

    `activ` of all hidden layers and `pad_type` of all convolutions are MUNIT's, whose configurations have these values.

    Source: MUNIT configs, section `gen`.
    """

    dim: int = Field(ge=2)
    mlp_dim: int = Field(gt=0)
    style_dim: int = Field(gt=0)
    n_downsample: int = Field(ge=1)
    n_res: int = Field(ge=1)
    attention: bool
    deformable: bool = False
    activ: Literal["relu", "lrelu"] = "relu"
    pad_type: PadType = "reflect"


class DiscriminatorSettings(Settings):
    """Widths and depths of a discriminator. Source: MUNIT configs, section `dis`.

    `init`: "gaussian" draws weights from N(0, 0.02) as the references do, "kaiming" by their fan-in, which a narrow
    network needs to tell anything apart within its first thousand steps.
    """

    dim: int = Field(ge=1)
    n_layer: int = Field(ge=1)
    num_scales: int = Field(ge=1)
    norm: Literal["none", "in", "ln", "sn"]
    init: Literal["gaussian", "kaiming"]
    attention: bool
    activ: Literal["relu", "lrelu"] = "lrelu"
    pad_type: PadType = "reflect"

    @model_validator(mode="after")
    def _attends(self):
        if self.attention and self.dim * 2 ** (self.n_layer - 1) < 8:
            raise ValueError("attention needs at least 8 channels; raise dim or n_layer")
        return self


def smallest_maps(image_size, settings):
    """(height, width) of what the last 4x4 convolution of each scale of a discriminator is given.

    Args:
        image_size: (height, width) of the picture.
        settings: DiscriminatorSettings.

    Returns:
        list of (height, width); its reflection padding needs at least 2 of each.

    Source: the strides: a convolution halves and rounds down, the pooling between scales rounds up.
    """
    maps, size = [], image_size
    for _ in range(settings.num_scales):
        maps.append(tuple(side // 2 ** (settings.n_layer - 1) for side in size))
        size = tuple(-(-side // 2) for side in size)
    return maps
