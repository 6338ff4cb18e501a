"""MUNIT and SATNet in published files: how to recognise their networks, sizes from shapes, and which domain is which.

A released file holds {"a": state, "b": state}, gen_NUMBER.pt of generators, dis_NUMBER.pt of discriminators; a is the
caricature's domain, b the photo's. Layer names are ours; running statistics, which nothing reads, are dropped.

Source: NVlabs/MUNIT trainer.py, save, and utils.py, pytorch03_to_pytorch04; the seed's codes/SATNet/trainer.py.
"""

from engine.weights.known import Network
from engine.weights.shapes import count, width

STATISTICS = r".*\.(running_mean|running_var|num_batches_tracked)"
GENERATORS = {"caricature_generator": ("a", "gen_a"), "photo_generator": ("b", "gen_b")}
DISCRIMINATORS = {"caricature_discriminator": ("a", "dis_a"), "photo_discriminator": ("b", "dis_b")}
NORM_KEYS = {"sn": "cnns.0.1.conv.module.weight_bar", "ln": "cnns.0.1.norm.gamma"}
SMALL = {"dim": 4, "mlp_dim": 8, "style_dim": 8, "n_downsample": 2, "n_res": 1}


def generator(arrays):
    """A generator of MUNIT or SATNet: widths and depths, with or without attention."""
    downs = count(arrays, r"enc_content\.model\.\d+\.conv\.weight") - 1
    return {
        "dim": width(arrays, "enc_content.model.0.conv.weight"), "mlp_dim": width(arrays, "mlp.model.0.fc.weight"),
        "style_dim": width(arrays, "mlp.model.0.fc.weight", 1), "n_downsample": downs,
        "n_res": count(arrays, rf"enc_content\.model\.{downs + 1}\.model\.\d+\.model\.0\.conv\.weight"),
        "attention": "dec.model.1.gamma" in arrays,
    }  # fmt: skip


def discriminator(arrays):
    """A discriminator of MUNIT or SATNet: width, layers, scales, spectral norm and attention."""
    return {
        "dim": width(arrays, "cnns.0.0.conv.weight"),
        "n_layer": count(arrays, r"cnns\.0\.\d+\.conv\.(module\.)?bias"),
        "num_scales": count(arrays, r"cnns\.\d+\.0\.conv\.weight"),
        "norm": next((norm for norm, key in NORM_KEYS.items() if key in arrays), "none"),
        "attention": count(arrays, r"cnns\.0\.\d+\.gamma") == 1,
        "init": "gaussian",  # of weights that are about to be replaced
    }  # fmt: skip


def with_offsets(layer, arrays):
    """The deformable convolutions' offsets start at the network's own, 0, where a file is of plain convolutions."""
    return {key: tensor.numpy() for key, tensor in layer.state_dict().items() if ".offset_" in key} | arrays


def _generator(name, title, signature, attention):
    return Network(
        name, title, "model.satnet.network.AdaINGenerator", signature, generator, SMALL | {"attention": attention},
        completed=with_offsets, dropped=STATISTICS, goes_back=False, places=GENERATORS,
        settings="model.satnet.settings.GeneratorSettings",
    )  # fmt: skip


STYLED = ("enc_style.model.0.conv.weight", "mlp.model.0.fc.weight")
NETWORKS = (
    _generator("satnet_generator", "SATNet generator", (*STYLED, "dec.model.1.gamma"), True),
    _generator("munit_generator", "MUNIT generator", STYLED, False),
    Network(
        "satnet_discriminator", "discriminator of SATNet or MUNIT", "model.satnet.network.MultiScaleDiscriminator",
        ("cnns.0.0.conv.weight",), discriminator,
        {"dim": 8, "n_layer": 2, "num_scales": 1, "norm": "sn", "attention": True, "init": "gaussian"},
        dropped=STATISTICS, places=DISCRIMINATORS, settings="model.satnet.settings.DiscriminatorSettings",
    ),
)  # fmt: skip
