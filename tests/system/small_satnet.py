"""A SATNet of 20 x 16 pixels, pictures for it, and updaters that note what moves and what a loss reaches."""

import numpy as np
import paddle

from engine.run_config import OptimizerConfig
from engine.training.updater import Updater
from system.satnet import OTHER, SATNet

SIZE, BATCH, STYLE = (20, 16), 2, 3
RECIPE = {
    "image_size": SIZE,
    "spectral_init": "all",
    "gan": "hinge",
    "generator": {"dim": 4, "mlp_dim": 8, "style_dim": STYLE, "n_downsample": 1, "n_res": 1, "attention": True},
    "discriminator": {"dim": 8, "n_layer": 2, "num_scales": 2, "norm": "sn", "init": "gaussian", "attention": True},
    "adversarial_weight": 1.0,
    "image_weight": 10.0,
    "style_weight": 1.0,
    "content_weight": 1.0,
    "cycle_weight": 10.0,
    "identity": {"mode": "none"},
    "identity_weight": 0.0,
}
NONE = {f"{term}_weight": 0.0 for term in ("adversarial", "image", "style", "content", "cycle")}
GENERATORS, CRITICS = ([f"{domain}_{kind}" for domain in OTHER] for kind in ("generator", "discriminator"))
PLAIN = {
    "generator": RECIPE["generator"] | {"attention": False},
    "discriminator": RECIPE["discriminator"] | {"attention": False, "norm": "none"},
}


def satnet(**changes):
    paddle.seed(2)
    with paddle.utils.unique_name.guard():
        it = SATNet(SATNet.Config(**RECIPE | changes))
        it.prepare_training()
    for name in GENERATORS:  # its start, 1e-8, lets no gradient through to the rest of the attention
        for key, value in it.networks[name].named_parameters():
            if key.endswith("gamma") and value.shape == [1]:
                value.set_value(paddle.to_tensor([0.5]))
    return it


def pictures(seed=0, people=((0, 1), (0, 2))):
    """Photos with a red ramp, caricatures with blue stripes, and who they show."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]] / SIZE[0]
    photo = np.stack([random.uniform(0.3, 1, (3, 1, 1)) * y for _ in range(BATCH)])
    caricature = np.stack([random.uniform(0.3, 1, (3, 1, 1)) * (np.sin(20 * x) > 0) for _ in range(BATCH)])
    return {
        "photo": paddle.to_tensor(photo, "float32"),
        "caricature": paddle.to_tensor(caricature, "float32"),
        "identity": paddle.to_tensor(people[0]),
        "caricature_identity": paddle.to_tensor(people[1]),
        "name": [f"{seed}_{i}" for i in range(BATCH)],
    }


def updater(it, lr=1e-3):
    adam = OptimizerConfig(kind="adam", lr=lr, beta1=0.0, beta2=0.9, epsilon=1e-8)
    return Updater(dict.fromkeys(it.trainable, adam), it.trainable)


def weights_of(it):
    return {
        name: {key: p.numpy().copy() for key, p in network.named_parameters()} for name, network in it.networks.items()
    }


class Recorder:
    """An Updater that notes its calls: which optimizer, the loss, the networks that moved."""

    def __init__(self, it):
        self.update, self.it, self.calls = updater(it), it, []

    def __call__(self, names, loss):
        before = weights_of(self.it)
        self.update(names, loss)
        after = weights_of(self.it)
        moved = {name for name in before if any((before[name][key] != after[name][key]).any() for key in before[name])}
        self.calls.append((names, float(loss), moved))


class Gradients:
    """Takes the place of an Updater: keeps the largest gradient of each part of each generator, moves nothing."""

    def __init__(self, it):
        self.it, self.found = it, {}

    def __call__(self, names, loss):
        if names != "generators":
            return
        loss.backward()
        for name, network in self.it.networks.items():
            for key, p in network.named_parameters():
                part = f"{name}.{key.partition('.')[0]}" if name in GENERATORS else name
                size = 0.0 if p.grad is None else float(p.grad.abs().max())
                self.found[part] = max(self.found.get(part, 0.0), size)


def reached(it, batch=None):
    """Parts of the networks that the generators' loss reaches."""
    gradients = Gradients(it)
    it.train_step(batch or pictures(), 0, gradients)
    return {part for part, size in gradients.found.items() if size > 1e-7}


def parts(*names):
    return {f"{generator}.{name}" for generator in GENERATORS for name in names}
