"""sphereface_pytorch's training loop, written here from its equations, against the Trainer.

Source: clcarwin/sphereface_pytorch net_sphere.py, train.py.
"""

import json
import math

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest

from tests.parity.runs import in_float64, inputs, run_lines

META = {"kind": "sphereface", "seed": 5, "size": [32, 16], "batch": 3, "width": 1 / 16, "embedding": 6, "classes": 4}
META |= {"lr": 0.02, "steps": 20}
PAIRS = (1, 2, 4, 1)
MOMENTUM, DECAY = (float(np.float32(value)) for value in (0.9, 5e-4))  # as Paddle's operator holds them


def initial(meta):
    """Weights under the official keys and in torch's layout: {network: {key: array}}."""
    random, before, found = np.random.default_rng(meta["seed"]), 3, {}
    for stage, pairs in enumerate(PAIRS, 1):
        channels = round(64 * 2 ** (stage - 1) * meta["width"])
        for i in range(1, 2 + 2 * pairs):
            fan_in = before if i == 1 else channels
            found[f"conv{stage}_{i}.weight"] = random.standard_normal((channels, fan_in, 3, 3)) / (9 * fan_in) ** 0.5
            found[f"conv{stage}_{i}.bias"] = 0.1 * random.standard_normal(channels)
            found[f"relu{stage}_{i}.weight"] = np.full(channels, 0.25)
        before = channels
    flat = before * math.prod(-(-side // 16) for side in meta["size"])
    found["fc5.weight"] = random.standard_normal((meta["embedding"], flat)) / flat**0.5
    found["fc5.bias"] = 0.1 * random.standard_normal(meta["embedding"])
    classifier = {"weight": random.uniform(-1, 1, (meta["embedding"], meta["classes"]))}
    return {"recognizer": found, "classifier": classifier}


def embedding(w, image):
    """sphere20a on RGB in [0, 1]; it takes BGR, (grey level - 127.5) / 128."""
    x = paddle.flip(image * 255 - 127.5, axis=[1]) / 128

    def unit(x, name, stride=1):
        y = F.conv2d(x, w[f"conv{name}.weight"], w[f"conv{name}.bias"], stride=stride, padding=1)
        return paddle.where(y > 0, y, y * w[f"relu{name}.weight"].reshape([1, -1, 1, 1]))

    for stage, pairs in enumerate(PAIRS, 1):
        x = unit(x, f"{stage}_1", 2)
        for i in range(2, 2 + 2 * pairs, 2):
            x = x + unit(unit(x, f"{stage}_{i}"), f"{stage}_{i + 1}")
    return x.reshape([x.shape[0], -1]) @ w["fc5.weight"].t() + w["fc5.bias"]


def loss_of(x, weight, labels, iteration):
    """AngleLinear with m = 4 and AngleLoss of its call number `iteration`, from 1."""
    length = (x * x).sum(1).sqrt()
    unit = weight / (weight * weight).sum(0).sqrt()
    cosine = x @ unit / length.reshape([-1, 1])
    theta = paddle.acos(cosine).detach()
    k = (4 * theta / math.pi).floor()
    phi = (-1.0) ** k * (8 * cosine**4 - 8 * cosine**2 + 1) - 2 * k
    strength, rows = max(5.0, 1500 / (1 + 0.1 * iteration)), range(len(labels))
    out = []
    for row in rows:
        cosines, true = cosine[row] * length[row], labels[row]
        widened = (strength * cosines[true] + phi[row][true] * length[row]) / (1 + strength)
        logits = [widened if c == true else cosines[c] for c in range(cosine.shape[1])]
        out.append(paddle.stack(logits).exp().sum().log() - widened)
    return sum(out) / len(out)


@in_float64()
def official_run(meta):
    """The file of a recorded run: torch's SGD with momentum 0.9 and weight decay 5e-4 on everything."""
    start = initial(meta)
    start = {net: {key: np.float32(array) for key, array in arrays.items()} for net, arrays in start.items()}
    values = {(net, key): paddle.to_tensor(np.float64(a)) for net, arrays in start.items() for key, a in arrays.items()}
    momentum, log, shape = {}, [], (meta["batch"], 3, *meta["size"])
    for step in range(meta["steps"]):
        for tensor in values.values():
            tensor.stop_gradient = False
        image = paddle.to_tensor(inputs.pictures(meta["seed"], step, shape))
        labels = inputs.people(meta["seed"], step, meta["batch"], meta["classes"]).tolist()
        x = embedding({key: tensor for (_, key), tensor in values.items()}, image)
        loss = loss_of(x, values["classifier", "weight"], labels, step + 1)
        log.append(float(loss))
        for name, gradient in zip(values, paddle.grad(loss, list(values.values())), strict=True):
            change = gradient.numpy() + DECAY * values[name].numpy()
            momentum[name] = change if name not in momentum else MOMENTUM * momentum[name] + change
            values[name] = paddle.to_tensor(values[name].numpy() - meta["lr"] * momentum[name])
    begun = {f"init/{net}/{key}": array for net, arrays in start.items() for key, array in arrays.items()}
    ended = {f"final/{net}/{key}": tensor.numpy() for (net, key), tensor in values.items()}
    return {"meta": json.dumps(meta), **begun, "log/recognizer/loss": np.array(log), **ended}


@pytest.mark.slow
def test_training_is_the_official_training(tmp_path):
    np.savez(tmp_path / "sphereface_trace_0.npz", **official_run(META))
    found = list(run_lines(tmp_path / "sphereface_trace_0.npz"))
    assert len(found) == 3 and max(line["error"] for line in found) < 1e-10
