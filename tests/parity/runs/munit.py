"""Recorded runs of MUNIT's trainer, by configs/munit_256.yaml; domain a is the caricature's, b the photo's."""

from tests.parity.runs import Run, inputs

DOMAINS = {"caricature": 0, "photo": 1}  # what is added to the seed for its pictures


def recorded(meta):
    """The Run of a file's meta: size, batch, gen and dis (sections of the YAML), seed.

    The drawn styles are the calls of kind "noise" in the order of a step: discriminators, then generators, the
    caricature's domain first.
    """
    shape, seed = (meta["batch"], 3, meta["size"], meta["size"]), meta["seed"]
    changes = {"recipe.image_size": [meta["size"]] * 2}
    changes |= {f"recipe.generator.{key}": value for key, value in meta["gen"].items()}
    changes |= {f"recipe.discriminator.{key}": value for key, value in meta["dis"].items()}
    return Run(
        "munit_256.yaml",
        changes,
        lambda step: {
            **{domain: inputs.pictures(seed + offset, step, shape) for domain, offset in DOMAINS.items()},
            "identity": inputs.people(seed, step, meta["batch"], 4),
            "caricature_identity": inputs.people(seed + 1, step, meta["batch"], 4),
        },
        noise=lambda call, wanted: inputs.normal(seed, "noise", call, wanted),
    )
