"""A GPEN of 8 pixels, pictures for it, and an updater that notes what moves."""

import numpy as np
import paddle

from engine.run_config import OptimizerConfig
from engine.training.updater import Updater
from system.gpen import GPEN

SIZE, BATCH = 8, 2
RECIPE = {
    "size": SIZE,
    "channel_multiplier": 1,
    "narrow": 1 / 32,
    "style_dim": 16,
    "mapping_layers": 2,
    "adversarial_weight": 1.0,
    "pixel_weight": 1.0,
    "pixel_beta": 1.0,
    "feature_weight": 0.0,
    "identity_weight": 0.0,
    "r1_gamma": 10.0,
    "r1_every": 2,
    "path_weight": 2.0,
    "path_every": 4,
    "path_decay": 0.01,
}
ALWAYS = {"generator/loss", "generator/adversarial", "generator/pixel", "discriminator/loss"}


def gpen(**changes):
    paddle.seed(2)
    with paddle.utils.unique_name.guard():
        it = GPEN(GPEN.Config(**RECIPE | changes))
        it.prepare_training()
        return it


def pictures(seed=0, count=BATCH, size=SIZE):
    """Colour ramps of random directions, and the same with noise."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] / size - 0.5
    slopes = random.uniform(-1, 1, (2, count, 3, 1, 1))
    image = (0.5 + 0.5 * (slopes[0] * x + slopes[1] * y)).astype(np.float32)
    degraded = np.clip(image + 0.2 * random.standard_normal(image.shape), 0, 1).astype(np.float32)
    return {"image": paddle.to_tensor(image), "degraded": paddle.to_tensor(degraded), "name": [f"{seed}"] * count}


def updater(it, lr=1e-3):
    adam = OptimizerConfig(kind="adam", lr=lr, beta1=0.0, beta2=0.99, epsilon=1e-8)
    return Updater(dict.fromkeys(it.trainable, adam), it.trainable)


class Recorder:
    """An Updater that notes names, loss, and the indices of the parameters each call moved."""

    def __init__(self, it, lr=1e-3):
        self.update, self.trainable, self.calls = updater(it, lr), it.trainable, []

    def float32(self):
        return self.update.float32()

    def _values(self):
        return {name: [p.numpy().copy() for p in parameters] for name, parameters in self.trainable.items()}

    def __call__(self, names, loss, reaches_all=False):
        before = self._values()
        self.update(names, loss, reaches_all)
        moved = {
            name: [i for i, (a, b) in enumerate(zip(before[name], after, strict=True)) if not np.array_equal(a, b)]
            for name, after in self._values().items()
        }
        self.calls.append((names, float(loss), {name: found for name, found in moved.items() if found}))
