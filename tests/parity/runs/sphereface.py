"""Recorded runs of sphereface_pytorch's train.py, by configs/sphereface.yaml with every stage trained."""

from tests.parity.runs import Run, inputs


def recorded(meta):
    """The Run of a file's meta: size (height and width), batch, width, embedding, classes, lr."""
    shape, seed = (meta["batch"], 3, *meta["size"]), meta["seed"]
    return Run(
        "sphereface.yaml",
        {
            "recipe.image_size": meta["size"],
            "recipe.width": meta["width"],
            "recipe.embedding_size": meta["embedding"],
            "recipe.num_classes": meta["classes"],
            "recipe.trained_from": 1,
            "optimizers.recognizer.lr": meta["lr"],
        },
        lambda step: {
            "image": inputs.pictures(seed, step, shape),
            "identity": inputs.people(seed, step, meta["batch"], meta["classes"]),
        },
    )
