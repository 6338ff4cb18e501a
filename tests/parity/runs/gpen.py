"""Recorded runs of GPEN's train_simple.py, by configs/gpen_256.yaml."""

from model.backbones.ir_se50 import IRSE50
from tests.parity.runs import Run, inputs


def recorded(meta):
    """The Run of a file's meta: size, batch, narrow, mul, style, mlp, identity."""
    shape, seed = (meta["batch"], 3, meta["size"], meta["size"]), meta["seed"]
    return Run(
        "gpen_256.yaml",
        {
            "recipe.size": meta["size"],
            "recipe.narrow": meta["narrow"],
            "recipe.channel_multiplier": meta["mul"],
            "recipe.style_dim": meta["style"],
            "recipe.mapping_layers": meta["mlp"],
            "recipe.identity_weight": float(meta["identity"]),
        },
        lambda step: {"image": inputs.pictures(seed, step, shape), "degraded": inputs.degraded(seed, step, shape)},
        losses={"recipe.identity_network": (IRSE50, 0.1)} if meta["identity"] else {},
        noise=lambda call, wanted: inputs.normal(seed, "noise", call, wanted),
        state=("path_length_mean",),
    )
