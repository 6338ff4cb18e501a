"""Key forms of released MUNIT and SATNet checkpoints, against those of `model/satnet/network.py`.

A released file holds {"a": state, "b": state}, gen_NUMBER.pt of generators, dis_NUMBER.pt of discriminators; a is the
caricature's domain, b the photo's. Layer names are ours; running statistics, which nothing reads, are dropped.

Source: NVlabs/MUNIT trainer.py, save, and utils.py, pytorch03_to_pytorch04; the seed's codes/SATNet/trainer.py.
"""

DOMAINS = {"a": "caricature", "b": "photo"}
UNUSED = ("running_mean", "running_var", "num_batches_tracked")


def from_official(arrays):
    """One network's {official key: array} under our keys: unused statistics left out. Source: see the module."""
    return {key: array for key, array in arrays.items() if not key.endswith(UNUSED)}


def by_network(arrays):
    """The arrays of a released file under `<network>/<key>`; a file of another form comes back as it is.

    Args:
        arrays: {"a/<key>" or "b/<key>": array} as the reader gives them.

    Returns:
        {"caricature_generator/<key>": array, ...}; `*_discriminator` where the keys are a discriminator's (`cnns.`).

    Source: see the module.
    """
    if not arrays or {key.partition("/")[0] for key in arrays} - DOMAINS.keys():
        return arrays
    renamed = {}
    for key, array in from_official(arrays).items():
        domain, _, name = key.partition("/")
        part = "discriminator" if name.startswith("cnns.") else "generator"
        renamed[f"{DOMAINS[domain]}_{part}/{name}"] = array
    return renamed
