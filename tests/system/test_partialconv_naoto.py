"""naoto0804's training loop, written here from its equations, against the Trainer with weights in its scale.

Source: naoto0804/pytorch-inpainting-with-partial-conv net.py, loss.py, train.py.
"""

import json

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest

from tests.parity.runs import in_float64, inputs, run_lines

MEAN, DEVIATION = (np.array(values).reshape(3, 1, 1) for values in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
META = {"kind": "partialconv", "seed": 7, "size": 16, "batch": 2, "layers": 3, "width": 4, "lr": 5e-5, "frozen": False}
LAMBDA = {"valid": 1.0, "hole": 6.0, "tv": 0.1, "perceptual": 0.05, "style": 120.0}
VGG = ((0, 2), (5, 7), (10, 12, 14))  # convolutions before each of the three poolings


def initial(meta):
    """Official keys -> arrays: Kaiming normal weights, batch norms at rest."""
    random, widths = np.random.default_rng(meta["seed"]), [meta["width"] * 2**i for i in range(meta["layers"])]
    shapes = {}
    for number, width in enumerate(widths, 1):
        kernel = (7, 5, 5)[number - 1] if number <= 3 else 3
        shapes[f"enc_{number}"] = (width, widths[number - 2] if number > 1 else 3, kernel, kernel)
        skip = widths[number - 2] if number > 1 else 3
        shapes[f"dec_{number}"] = (skip, widths[number - 1] + skip, 3, 3)
    arrays = {"dec_1.conv.input_conv.bias": np.zeros(3)}
    for name, shape in shapes.items():
        deviation = (2 / np.prod(shape[1:])) ** 0.5
        arrays[f"{name}.conv.input_conv.weight"] = deviation * random.standard_normal(shape)
        if not name.endswith("_1"):
            ends = {"weight": 1.0, "bias": 0.0, "running_mean": 0.0, "running_var": 1.0}
            arrays |= {f"{name}.bn.{end}": np.full(shape[0], value) for end, value in ends.items()}
    return {key: np.float32(array) for key, array in arrays.items()}


class Net:
    """PConvUNet on a dict of tensors under the official keys."""

    def __init__(self, arrays, meta):
        self.meta, self.values = meta, {key: paddle.to_tensor(np.float64(array)) for key, array in arrays.items()}
        self.trained = [key for key in arrays if "running" not in key]
        for key in self.trained:
            self.values[key].stop_gradient = False

    def stage(self, name, x, mask, stride, slope):
        weight, bias = (self.values.get(f"{name}.conv.input_conv.{end}") for end in ("weight", "bias"))
        padding = weight.shape[-1] // 2
        count = F.conv2d(mask, paddle.ones_like(weight).detach(), stride=stride, padding=padding)
        empty = count == 0
        y = F.conv2d(x * mask, weight, stride=stride, padding=padding) / paddle.where(empty, count + 1, count)
        y = y if bias is None else y + bias.reshape([1, -1, 1, 1])
        y = paddle.where(empty, paddle.zeros_like(y), y)
        if f"{name}.bn.weight" in self.values:
            y = self.normalised(f"{name}.bn", y, name.startswith("enc") and self.meta["frozen"])
        if slope is not None:
            y = paddle.where(y > 0, y, slope * y)
        return y, 1 - empty.astype("float64")

    def normalised(self, name, y, frozen):
        gain, bias, mean, variance = (
            self.values[f"{name}.{end}"] for end in ("weight", "bias", "running_mean", "running_var")
        )
        if not frozen:
            count = y.size // y.shape[1]
            now, spread = y.mean([0, 2, 3]), y.var([0, 2, 3], unbiased=False)
            self.values[f"{name}.running_mean"] = (0.9 * mean + 0.1 * now).detach()
            self.values[f"{name}.running_var"] = (0.9 * variance + 0.1 * spread * count / (count - 1)).detach()
            mean, variance = now, spread
        mean, variance, gain, bias = (value.reshape([1, -1, 1, 1]) for value in (mean, variance, gain, bias))
        return (y - mean) / (variance + 1e-5).sqrt() * gain + bias

    def __call__(self, image, mask):
        maps, layers = [(image, mask)], self.meta["layers"]
        for number in range(1, layers + 1):
            maps.append(self.stage(f"enc_{number}", *maps[-1], 2, 0.0))
        x, mask = maps[-1]
        for number in range(layers, 0, -1):
            x, mask = (value.repeat_interleave(2, 2).repeat_interleave(2, 3) for value in (x, mask))
            joined = (paddle.concat(pair, axis=1) for pair in zip((x, mask), maps[number - 1], strict=True))
            x, mask = self.stage(f"dec_{number}", *joined, 1, 0.2 if number > 1 else None)
        return x


def features(x):
    """What VGG-16 has at its first three poolings."""
    found, before = [], 3
    for width, indices in zip((64, 128, 256), VGG, strict=True):
        for index in indices:
            weight = inputs.fill(f"features.{index}.weight", (width, before, 3, 3), 2.0)
            bias, before = inputs.fill(f"features.{index}.bias", (width,), 2.0), width
            weight, bias = (paddle.to_tensor(np.float64(array)) for array in (weight, bias))
            x = F.relu(F.conv2d(x, weight, bias, padding=1))
        x = F.max_pool2d(x, 2, 2)
        found.append(x)
    return found


def gram(x):
    flat = x.reshape([x.shape[0], x.shape[1], -1])
    return paddle.bmm(flat, flat.transpose([0, 2, 1])) / (x.shape[1] * x.shape[2] * x.shape[3])


def terms(picture, mask, output, truth):
    """InpaintingLoss; mask 1 = valid."""
    filled = mask * picture + (1 - mask) * output
    found = {
        "hole": ((1 - mask) * output - (1 - mask) * truth).abs().mean(),
        "valid": (mask * output - mask * truth).abs().mean(),
        "perceptual": 0.0,
        "style": 0.0,
    }
    for ours, wanted in ((features(filled), features(truth)), (features(output), features(truth))):
        for a, b in zip(ours, wanted, strict=True):
            found["perceptual"] += (a - b).abs().mean()
            found["style"] += (gram(a) - gram(b)).abs().mean()
    across, down = filled[:, :, :, :-1] - filled[:, :, :, 1:], filled[:, :, :-1] - filled[:, :, 1:]
    return found | {"tv": across.abs().mean() + down.abs().mean()}


@in_float64()
def official_run(meta, arrays):
    """The file of a recorded run: train.py's loop with torch's Adam."""
    net, shape = Net(arrays, meta), (meta["batch"], 3, meta["size"], meta["size"])
    first, second, log = {}, {}, {}
    for step in range(meta["steps"]):
        truth = paddle.to_tensor((inputs.pictures(meta["seed"], step, shape) - MEAN) / DEVIATION)
        mask = 1 - paddle.to_tensor(inputs.holes(meta["seed"], step, shape)).expand(shape)
        found = terms(truth * mask, mask, net(truth * mask, mask), truth)
        found["loss"] = sum(weight * found[name] for name, weight in LAMBDA.items())
        for name, value in found.items():
            log.setdefault(f"log/generator/{name}", []).append(float(value))
        for key, gradient in zip(
            net.trained, paddle.grad(found["loss"], [net.values[k] for k in net.trained]), strict=True
        ):
            g, count = gradient.numpy(), step + 1
            first[key] = 0.9 * first.get(key, 0.0) + 0.1 * g
            second[key] = 0.999 * second.get(key, 0.0) + 0.001 * g * g
            deviation = np.sqrt(second[key]) / np.sqrt(1 - 0.999**count) + 1e-8
            moved = net.values[key].numpy() - meta["lr"] / (1 - 0.9**count) * first[key] / deviation
            net.values[key] = paddle.to_tensor(moved, stop_gradient=False)
    final = {f"final/generator/{key}": value.numpy() for key, value in net.values.items()}
    start = {f"init/generator/{key}": array for key, array in arrays.items()}
    return {"meta": json.dumps(meta), **start, **{key: np.array(values) for key, values in log.items()}, **final}


@pytest.mark.slow
@pytest.mark.parametrize(("frozen", "steps"), [(False, 24), (True, 6)])
def test_training_in_his_scale_is_his_training(frozen, steps, tmp_path):
    meta = META | {"frozen": frozen, "steps": steps}
    np.savez(tmp_path / "partialconv_trace_0.npz", **official_run(meta, initial(meta)))
    found = list(run_lines(tmp_path / "partialconv_trace_0.npz"))
    assert len(found) == 7 and max(line["error"] for line in found) < 1e-9


@pytest.mark.slow
def test_training_his_weights_in_the_papers_scale_is_another_training(tmp_path):
    meta = META | {"steps": 2}
    recorded = official_run(meta, initial(meta)) | {"meta": json.dumps(meta | {"scale": "paper"})}
    np.savez(tmp_path / "partialconv_trace_0.npz", **recorded)
    found = {line.get("term", "weights"): line["error"] for line in run_lines(tmp_path / "partialconv_trace_0.npz")}
    assert found["generator/loss"] > 1e-6
