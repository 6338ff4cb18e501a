"""Recorded runs of GFP-GAN's optimize_parameters, by configs/gfpgan_512.yaml, without parts _simple."""

import numpy as np

from loss.perceptual import PerceptualLoss
from model.backbones.arcface import ResNet18ArcFace
from tests.parity.runs import Run, inputs

FORMS = {"GFPGANv1": "original", "GFPGANBilinear": "bilinear", "GFPGANv1Clean": "clean"}


def recorded(meta):
    """The Run of a file's meta: size, batch, narrow, mul, style, mlp, form, fix, parts, vgg, ident, pyramid_steps."""
    size, batch, seed = meta["size"], meta["batch"], meta["seed"]
    shape, losses = (batch, 3, size, size), {}
    changes = {
        "recipe.form": FORMS[meta["form"]],
        "recipe.size": size,
        "recipe.narrow": meta["narrow"],
        "recipe.channel_multiplier": meta["mul"],
        "recipe.style_dim": meta["style"],
        "recipe.mapping_layers": meta["mlp"],
        "recipe.decoder_weights": None,
        "recipe.fixes_decoder": meta["fix"],
        "recipe.pyramid_steps": meta["pyramid_steps"],
        "recipe.r1_first": meta.get("r1_first", 0),
    }
    if meta["vgg"]:
        losses["recipe.perceptual_network"] = (lambda: PerceptualLoss().network, 2.0)
    else:
        changes |= {"recipe.perceptual_weight": 0.0, "recipe.style_weight": 0.0}
    changes["recipe.identity_weight"] = 10.0 if meta["ident"] else 0.0
    if meta["ident"]:
        losses["recipe.identity_network"] = (ResNet18ArcFace, 1.0)

    def arrays(step):
        found = {"image": inputs.pictures(seed, step, shape), "degraded": inputs.degraded(seed, step, shape)}
        parts = {"boxes": inputs.boxes(seed, step, batch, size), "visible": np.ones((batch, 3))}
        return found | (parts if meta["parts"] else {})

    return Run(
        "gfpgan_512.yaml" if meta["parts"] else "gfpgan_512_simple.yaml",
        changes,
        arrays,
        losses=losses,
        noise=lambda call, wanted: inputs.normal(seed, "gnoise", call, wanted),
    )
