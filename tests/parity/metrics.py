"""Our values for the golden families of metrics: Inception features, FID, LPIPS. PSNR and SSIM are in `data`."""

import numpy as np
import paddle

from engine.weights.official_keys import official_names
from metric.fid import FeatureStatistics, frechet_distance
from model.backbones.inception import INPUT_SIZE, FIDInception
from model.backbones.lpips import LPIPS
from model.shared.resample import bilinear_resize
from tests.parity import recipe_array
from tests.parity.stylegan2 import loaded, tensors

INCEPTION_RECIPE = "he2"
EVERY = (8, 9, 9)  # channel, row and column of the first block are recorded


def inception_values(config, inputs, weights):
    """Maps of the four blocks; the recipe names no shapes, so the weights are drawn for the keys of our network."""
    network = FIDInception()
    shapes = {official: network.state_dict()[key].shape for key, (official, _) in official_names(network).items()}
    shapes["fc.weight"] = shapes["fc.weight"][::-1]
    drawn = {key: recipe_array(key, tuple(shape), INCEPTION_RECIPE, config["seed"]) for key, shape in shapes.items()}
    network = loaded(network, {key: array.astype(inputs["in:x"].dtype) for key, array in drawn.items()})
    with paddle.no_grad():
        image = bilinear_resize(tensors(inputs)["x"], INPUT_SIZE, INPUT_SIZE)
        maps = [each.numpy() for each in network.blocks(2 * image - 1)]
    values = {f"out:block{number}_mean_c": each.mean(axis=(2, 3)) for number, each in enumerate(maps)}
    channels, rows, columns = EVERY
    values["out:block0_crop"] = maps[0][:, ::channels, ::rows, ::columns]
    return values | {"out:block3": maps[3].mean(axis=(2, 3), keepdims=True)}


def fid_values(config, inputs, weights):
    """The distance of two sets of features, each added in two batches, and what it is made of."""
    results = []
    for key in ("in:f1", "in:f2"):
        statistics = FeatureStatistics()
        for part in np.array_split(inputs[key], 2):
            statistics.update(part)
        results.append(statistics.result())
    (mean, covariance), other = results
    distance = np.float64(frechet_distance(mean, covariance, *other))
    return {"out:fid": distance, "out:mu1": mean, "out:trace1": np.trace(covariance)}


def lpips_values(config, inputs, weights):
    """Distance and its parts by layer; the first part is recorded as `layer0_fixed`."""
    network, given = loaded(LPIPS("alex"), weights), tensors(inputs)
    with paddle.no_grad():
        parts = [part.numpy() for part in network.layers(network.embed(given["a"]), network.embed(given["b"]))]
        total = network(given["a"], given["b"]).numpy().reshape(-1, 1, 1, 1)
    values = {f"out:layer{number}": parts[number] for number in range(1, len(parts))}
    return values | {"out:layer0_fixed": parts[0], "out:lpips": total}


CASES = {"fid_inception_v3": inception_values, "fid_value": fid_values, "lpips_alex": lpips_values}
