"""A system of one small network that trains in no time, its batches and its trainer."""

import json

import numpy as np
import paddle

from engine.run_config import DataConfig, EMAConfig, OptimizerConfig, OutputConfig, RunConfig, TrainConfig
from engine.settings import Settings
from engine.system import System
from engine.training import checkpoint
from engine.training.trainer import Trainer

LENGTH, BATCH = 12, 4


class Toy(System):
    """Fits y = 2x with noise drawn in the step, counts its steps in `state`, averages its one network."""

    averaged = ("net",)
    shown = ("output", "image")

    def __init__(self, poison_at=None):
        paddle.seed(3)
        with paddle.utils.unique_name.guard():
            self.net = paddle.nn.Sequential(paddle.nn.Linear(3, 8), paddle.nn.Tanh(), paddle.nn.Linear(8, 3))
        self.networks = {"net": self.net}
        self.trainable = {"net": self.net.parameters()}
        self.state = {"seen": paddle.zeros([])}
        self.poison_at = poison_at

    def train_step(self, batch, step, update):
        output = self.net(batch["x"] + 0.1 * paddle.randn(batch["x"].shape))
        loss = (output - batch["image"]).square().mean()
        if step == self.poison_at:
            loss = loss / 0.0
        update("net", loss)
        self.state["seen"] = self.state["seen"] + 1
        scalars = {"net/loss": loss.detach()}
        return scalars | ({"net/rare": loss.detach() * 0 + step} if step % 3 == 0 else {})


class Batches:
    """Sample values follow from the step alone."""

    def epoch(self, step):
        return step * BATCH // LENGTH

    def iterate(self, first_step, last_step):
        for step in range(first_step, last_step):
            x = np.random.default_rng(step).standard_normal((BATCH, 3)).astype("float32")
            names = [f"{step}_{i}" for i in range(BATCH)]
            yield {"x": paddle.to_tensor(x), "image": paddle.to_tensor(2 * x), "name": names}


def config(steps, **train):
    adam = OptimizerConfig(kind="adam", lr=0.01, beta1=0.5, beta2=0.99, milestones=(5,), gamma=0.1)
    settings = {"steps": steps, "log_every": 4, "save_every": 3, "preview_every": 0, "keep": 2} | train
    return RunConfig(
        system="toy",
        data=DataConfig(train=Settings(), validation=Settings(), batch_size=BATCH),
        optimizers={"net": adam},
        ema=EMAConfig(decay=0.9),
        recipe=Settings(),
        train=TrainConfig(**settings),
        output=OutputConfig(),
    )


def trainer(folder, steps, poison_at=None, resume=False, **train):
    folder.mkdir(exist_ok=True)
    it = Trainer(config(steps, **train), Toy(poison_at), folder, Batches())
    if resume:
        it.resume(checkpoint.newest_checkpoint(folder))
    return it


def records(folder):
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k != "ips"} for line in lines]


def files(folder, step):
    saved = folder / f"step_{step:07d}"
    return {path.name: path.read_bytes() for path in saved.iterdir() if path.name != "meta.json"}
