"""MUNIT's training loop, written here from its equations, against the Trainer.

Source: NVlabs/MUNIT networks.py, trainer.py (dis_update, gen_update), configs/edges2handbags_folder.yaml.
"""

import json

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest

from model.satnet.network import AdaINGenerator, MultiScaleDiscriminator
from model.satnet.settings import DiscriminatorSettings, GeneratorSettings
from tests.parity.runs import in_float64, inputs, run_lines

GEN = {"dim": 4, "mlp_dim": 8, "style_dim": 3, "n_downsample": 1, "n_res": 2}
DIS = {"dim": 4, "n_layer": 2, "num_scales": 2}
META = {"kind": "munit", "seed": 3, "size": 32, "batch": 2, "steps": 5, "gen": GEN, "dis": DIS}
DOMAINS = ("caricature", "photo")  # MUNIT's a and b


def initial():
    """{network: {key: float32 array}}, as they are built; shapes and keys are the official ones."""
    paddle.seed(1)
    found = {}
    for domain in DOMAINS:
        found[f"{domain}_generator"] = AdaINGenerator(GeneratorSettings(**GEN, attention=False))
        settings = DiscriminatorSettings(**DIS, norm="none", init="kaiming", attention=False)
        found[f"{domain}_discriminator"] = MultiScaleDiscriminator(settings)
    return {name: {k: v.numpy() for k, v in network.state_dict().items()} for name, network in found.items()}


def conv(w, key, x, stride=1, pad=0):
    x = F.pad(x, [pad] * 4, mode="reflect") if pad else x
    return F.conv2d(x, w[f"{key}.weight"], w[f"{key}.bias"], stride=stride)


def normalised(x, axes=(2, 3)):
    return (x - x.mean(axes, keepdim=True)) / (x.var(axes, unbiased=False, keepdim=True) + 1e-5).sqrt()


def layer_normalised(w, key, x):
    centred = x - x.mean([1, 2, 3], keepdim=True)
    deviation = x.reshape([x.shape[0], -1]).std(axis=1, unbiased=True).reshape([-1, 1, 1, 1])
    gain, bias = (w[f"{key}.{name}"].reshape([1, -1, 1, 1]) for name in ("gamma", "beta"))
    return centred / (deviation + 1e-5) * gain + bias


def encode(w, x):
    style = F.relu(conv(w, "enc_style.model.0.conv", x, pad=3))
    for i in range(1, 5):
        style = F.relu(conv(w, f"enc_style.model.{i}.conv", style, 2, 1))
    style = conv(w, "enc_style.model.6", style.mean([2, 3], keepdim=True))
    x = F.relu(normalised(conv(w, "enc_content.model.0.conv", x, pad=3)))
    for i in range(1, GEN["n_downsample"] + 1):
        x = F.relu(normalised(conv(w, f"enc_content.model.{i}.conv", x, 2, 1)))
    for i in range(GEN["n_res"]):
        key = f"enc_content.model.{GEN['n_downsample'] + 1}.model.{i}.model"
        y = F.relu(normalised(conv(w, f"{key}.0.conv", x, pad=1)))
        x = x + normalised(conv(w, f"{key}.1.conv", y, pad=1))
    return x, style


def decode(w, x, style):
    codes = style.reshape([style.shape[0], -1])
    for i in range(3):
        codes = paddle.matmul(codes, w[f"mlp.model.{i}.fc.weight"], transpose_y=True) + w[f"mlp.model.{i}.fc.bias"]
        codes = F.relu(codes) if i < 2 else codes
    channels, place = x.shape[1], 0

    def adapted(y):
        nonlocal place
        bias, gain = (codes[:, place + n * channels :][:, :channels].unsqueeze([2, 3]) for n in (0, 1))
        place += 2 * channels
        return normalised(y) * gain + bias

    for i in range(GEN["n_res"]):
        y = F.relu(adapted(conv(w, f"dec.model.0.model.{i}.model.0.conv", x, pad=1)))
        x = x + adapted(conv(w, f"dec.model.0.model.{i}.model.1.conv", y, pad=1))
    for i in range(GEN["n_downsample"]):
        x = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
        key = f"dec.model.{2 + 2 * i}"
        x = F.relu(layer_normalised(w, f"{key}.norm", conv(w, f"{key}.conv", x, pad=2)))
    return paddle.tanh(conv(w, f"dec.model.{1 + 2 * GEN['n_downsample']}.conv", x, pad=3))


def judge(w, x):
    for scale in range(DIS["num_scales"]):
        y = x
        for i in range(DIS["n_layer"]):
            y = conv(w, f"cnns.{scale}.{i}.conv", y, 2, 1)
            y = paddle.where(y > 0, y, 0.2 * y)
        yield conv(w, f"cnns.{scale}.{DIS['n_layer']}", y)
        x = F.avg_pool2d(x, 3, 2, 1, exclusive=True)


def apart(a, b):
    return (a - b).abs().mean()


class Adam:
    """torch's, with weight decay in the gradient: lr 1e-4, betas 0.5 and 0.999, decay 1e-4."""

    def __init__(self):
        self.first, self.second, self.count = {}, {}, 0

    def step(self, values, loss, kind):
        chosen = [(net, key) for net, w in values.items() if net.endswith(kind) for key in w]
        self.count += 1
        for name, gradient in zip(chosen, paddle.grad(loss, [values[n][k] for n, k in chosen]), strict=True):
            net, key = name
            before = values[net][key].numpy()
            g = gradient.numpy() + 1e-4 * before
            self.first[name] = 0.5 * self.first.get(name, 0.0) + 0.5 * g
            self.second[name] = 0.999 * self.second.get(name, 0.0) + 0.001 * g * g
            deviation = np.sqrt(self.second[name] / (1 - 0.999**self.count)) + 1e-8
            after = before - 1e-4 * self.first[name] / (1 - 0.5**self.count) / deviation
            values[net][key] = paddle.to_tensor(after, stop_gradient=False)


def generator_terms(values, pictures, drawn):
    """{domain: {term: value}} of gen_update."""
    codes = {domain: encode(values[f"{domain}_generator"], pictures[domain]) for domain in DOMAINS}
    found = {}
    for domain, source in zip(DOMAINS, DOMAINS[::-1], strict=True):
        w = values[f"{domain}_generator"]
        made = decode(w, codes[source][0], drawn[domain])
        content, style = encode(w, made)
        logits = judge(values[f"{domain}_discriminator"], made)
        found[domain] = {
            "image": apart(decode(w, *codes[domain]), pictures[domain]),
            "style": apart(style, drawn[domain]),
            "content": apart(content, codes[source][0]),
            "cycle": apart(decode(values[f"{source}_generator"], content, codes[source][1]), pictures[source]),
            "adversarial": sum(((scale - 1) ** 2).mean() for scale in logits),
        }
    return found


def critic_terms(values, pictures, drawn):
    """{domain: loss} of dis_update."""
    found = {}
    for domain, source in zip(DOMAINS, DOMAINS[::-1], strict=True):
        content, _ = encode(values[f"{source}_generator"], pictures[source])
        fake = decode(values[f"{domain}_generator"], content, drawn[domain]).detach()
        pairs = zip(*(judge(values[f"{domain}_discriminator"], x) for x in (fake, pictures[domain])), strict=True)
        found[domain] = sum((a * a).mean() + ((b - 1) ** 2).mean() for a, b in pairs)
    return found


@in_float64()
def official_run(meta, start):
    """The file of a recorded run."""
    weights, log, calls = {"image": 10, "style": 1, "content": 1, "cycle": 10, "adversarial": 1}, {}, iter(range(999))
    values = {
        net: {key: paddle.to_tensor(np.float64(a), stop_gradient=False) for key, a in w.items()}
        for net, w in start.items()
    }
    adams, shape = (Adam(), Adam()), (meta["batch"], 3, meta["size"], meta["size"])
    for step in range(meta["steps"]):
        seeds = {"caricature": meta["seed"], "photo": meta["seed"] + 1}
        pictures = {d: paddle.to_tensor(2 * inputs.pictures(seeds[d], step, shape) - 1) for d in DOMAINS}

        def drawn():
            wanted = (meta["batch"], GEN["style_dim"], 1, 1)
            return {d: paddle.to_tensor(inputs.normal(meta["seed"], "noise", next(calls), wanted)) for d in DOMAINS}

        judged = critic_terms(values, pictures, drawn())
        adams[0].step(values, sum(judged.values()), "discriminator")
        terms = generator_terms(values, pictures, drawn())
        adams[1].step(values, sum(weights[n] * v for found in terms.values() for n, v in found.items()), "generator")
        for domain in DOMAINS:
            log.setdefault(f"log/{domain}_discriminator/loss", []).append(float(judged[domain]))
            for name, value in terms[domain].items():
                log.setdefault(f"log/{domain}_generator/{name}", []).append(float(value))
    begun = {f"init/{net}/{key}": array for net, w in start.items() for key, array in w.items()}
    ended = {f"final/{net}/{key}": tensor.numpy() for net, w in values.items() for key, tensor in w.items()}
    return {"meta": json.dumps(meta), **begun, **{name: np.array(v) for name, v in log.items()}, **ended}


@pytest.mark.slow
def test_training_is_the_official_training(tmp_path):
    np.savez(tmp_path / "munit_trace_0.npz", **official_run(META, initial()))
    found = list(run_lines(tmp_path / "munit_trace_0.npz"))
    assert len(found) == 16 and max(line["error"] for line in found) < 1e-9
