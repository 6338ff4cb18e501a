"""A GFP-GAN of 32 pixels, pictures with parts for it, stand-ins of its loss networks, updaters that note what moves."""

import numpy as np
import paddle

from engine.run_config import OptimizerConfig
from engine.training.updater import Updater
from loss.identity import GreyIdentityLoss
from loss.perceptual import PerceptualLoss
from system.gfpgan import GFPGAN

SIZE, BATCH = 32, 2
NO_WEIGHTS = {
    f"{name}_weight": 0.0
    for name in ("pixel", "pyramid", "perceptual", "style", "adversarial", "part", "part_style", "identity")
}
RECIPE = {
    "form": "original",
    "size": SIZE,
    "channel_multiplier": 1,
    "narrow": 1 / 32,
    "discriminator_multiplier": 1,
    "style_dim": 16,
    "mapping_layers": 2,
    "fixes_decoder": False,
    **NO_WEIGHTS,
    "pixel_weight": 0.1,
    "pyramid_weight": 1.0,
    "pyramid_steps": 10,
    "adversarial_weight": 0.1,
    "part_weight": 1.0,
    "part_style_weight": 200.0,
    "r1_gamma": 10.0,
    "r1_every": 2,
}
SIMPLE = {"part_weight": 0.0, "part_style_weight": 0.0}


def gfpgan(is_prepared=True, **changes):
    paddle.seed(2)
    with paddle.utils.unique_name.guard():
        it = GFPGAN(GFPGAN.Config(**RECIPE | changes))
        if is_prepared:
            it.prepare_training()
    return it


def pictures(seed=0, visible=((1, 1, 1), (1, 1, 1))):
    """Colour ramps of random directions, the same with noise, and boxes of the parts."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:SIZE, :SIZE] / SIZE - 0.5
    slopes = random.uniform(-1, 1, (2, BATCH, 3, 1, 1))
    image = (0.5 + 0.5 * (slopes[0] * x + slopes[1] * y)).astype(np.float32)
    degraded = np.clip(image + 0.2 * random.standard_normal(image.shape), 0, 1).astype(np.float32)
    boxes = np.float32([[[9, 12, 15, 18], [18, 12, 24, 18], [11, 20, 20, 28]]] * BATCH)
    arrays = {"image": image, "degraded": degraded, "boxes": boxes, "visible": np.float32(visible)}
    return {key: paddle.to_tensor(array) for key, array in arrays.items()} | {"name": [f"{seed}"] * BATCH}


def updater(it, lr=1e-3):
    adam = OptimizerConfig(kind="adam", lr=lr, beta1=0.0, beta2=0.99, epsilon=1e-8)
    return Updater(dict.fromkeys(it.trainable, adam), it.trainable)


def values(it):
    return {f"{name}/{key}": p.numpy().copy() for name, net in it.networks.items() for key, p in net.named_parameters()}


def moved(before, after):
    return {key for key, array in before.items() if not np.array_equal(array, after[key])}


class Recorder:
    """An Updater that notes names, loss, and the parameters each call moved."""

    def __init__(self, it, lr=1e-3):
        self.update, self.it, self.calls = updater(it, lr), it, []

    def float32(self):
        return self.update.float32()

    def __call__(self, name, loss):
        before = values(self.it)
        self.update(name, loss)
        self.calls.append((name, float(loss), moved(before, values(self.it))))


class TinyVGG(paddle.nn.Layer):
    """In the place of VGG-19: as many features as there are layers, of one convolution."""

    def __init__(self):
        super().__init__()
        self.conv = paddle.nn.Conv2D(3, 4, 3, padding=1)

    def forward(self, image):
        return {name: self.conv(image) * (i + 1) for i, name in enumerate(PerceptualLoss.LAYERS)}


class TinyFace(paddle.nn.Layer):
    """In the place of ArcFace: 8 features of the grey picture."""

    def __init__(self):
        super().__init__()
        self.project = paddle.nn.Linear(64, 8)

    def forward(self, face):
        return self.project(paddle.nn.functional.avg_pool2d(face, 16).reshape([face.shape[0], -1]))


def with_losses(**changes):
    it = gfpgan(when_missing="skip", **changes)
    paddle.seed(8)
    it.perceptual = PerceptualLoss(TinyVGG()) if it.config.perceptual_weight or it.config.style_weight else None
    paddle.seed(9)
    it.identity = GreyIdentityLoss(TinyFace()) if it.config.identity_weight else None
    return it
