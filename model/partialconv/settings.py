"""Sizes and options of the two U-Nets. Source: Liu et al. 2018; the project that maruru.py names."""

import math
from typing import Literal

from pydantic import Field

from engine.settings import Settings


class UNetSettings(Settings):
    """Size and options of the network; the defaults of the options are the paper's network.

    Attributes:
        size: side of the training pictures; decides the depth where `layers` is not given.
        layers: encoder layers, as many in the decoder.
        width: channels of the first layer, doubled up to eight times.
        bias: which convolutions have one: the last of the network, those without a norm, all.
        encoder_residual: an ordinary convolution beside the partial ones from the second layer on. "gamma" adds
            gamma * conv(x), "swap" adds gamma * partial convolution to conv(x); gamma starts at 0.
        bottleneck_fill: "mean" gives cells that are still empty after the encoder the mean of the others.
        skips: "raw" takes the encoder's features with their holes as they are.
        frozen_norm: the encoder's batch norms keep their statistics, or their affine parameters too.
        scale: of the convolutions' weights. "paper": windows are multiplied by their size; "window": naoto0804's rule,
            they are not, so weights are larger by the size, and an optimizer's steps are his. None: "window" where
            train.py is given such a file, else "paper".
    """

    kind: Literal["partialconv"] = "partialconv"
    size: int = Field(ge=4)
    layers: int | None = Field(default=None, ge=1)
    width: int = Field(default=64, ge=1)
    bias: Literal["last", "unnormalised", "all"] = "last"
    encoder_residual: Literal["none", "gamma", "swap"] = "none"
    bottleneck_fill: Literal["none", "mean"] = "none"
    skips: Literal["masked", "raw"] = "masked"
    frozen_norm: Literal["none", "statistics", "all"] = "none"
    scale: Literal["paper", "window"] | None = None

    @property
    def depth(self):
        """Encoder layers: as given, or so many that the smallest feature map is 2 x 2."""
        return self.layers or max(1, int(math.log2(self.size)) - 1)

    def has_bias(self, layer_is_last, has_norm):
        """Whether a convolution has a bias."""
        return {"last": layer_is_last, "unnormalised": not has_norm, "all": True}[self.bias]


class MaruruSettings(Settings):
    """Size and options; the defaults are the published network.

    Attributes:
        size: side of the training pictures, at least 3 * 2 ** (layers - 1) for the reflecting middle.
        skips: "masked" multiplies the encoder's features by their masks before the decoder reads them.
    """

    kind: Literal["maruru"] = "maruru"
    size: int = Field(ge=4)
    layers: int = Field(default=6, ge=2, le=6)
    width: int = Field(default=64, ge=1)
    blocks: int = Field(default=4, ge=0)
    skips: Literal["raw", "masked"] = "raw"
