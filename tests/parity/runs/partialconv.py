"""Recorded runs of naoto0804's train.py, by configs/partialconv_256.yaml in his space, scale and total variation."""

from loss.inpainting import VGGLoss
from model.partialconv.keys import from_naoto, in_scale_of
from tests.parity.runs import Run, inputs


def recorded(meta):
    """The Run of a file's meta: size, batch, layers, width, lr, frozen (the encoder's batch norms)."""
    size, seed = meta["size"], meta["seed"]
    shape = (meta["batch"], 3, size, size)
    network = {"size": size, "layers": meta["layers"], "width": meta["width"], "scale": meta.get("scale", "window")}
    changes = {f"recipe.network.{key}": value for key, value in network.items()}
    changes |= {
        "recipe.network.frozen_norm": "statistics" if meta["frozen"] else "none",
        "recipe.space": "imagenet",
        "recipe.tv": "full",
        "optimizers.generator.lr": meta["lr"],
    }
    return Run(
        "partialconv_256.yaml",
        changes,
        lambda step: {"image": inputs.pictures(seed, step, shape), "mask": inputs.holes(seed, step, shape)},
        losses={"recipe.vgg": (lambda: VGGLoss().network, 2.0)},
        renamed=lambda layer, arrays: in_scale_of(layer, from_naoto(arrays)),
    )
