"""A run of a small network for test_distributed.py, alone or as one of several processes; not a test by itself.

python distributed_toy.py FOLDER JOINT_BATCH
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from engine import distributed, peers  # noqa: I001  the engine before Paddle

import numpy as np
import paddle

from engine.run_config import DataConfig, EMAConfig, OptimizerConfig, RunConfig
from engine.run_config import TrainConfig
from engine.settings import Settings
from engine.system import System, frozen
from engine.training.trainer import Trainer
from loss.adversarial import discriminator_logistic, generator_logistic
from loss.regularization import path_length_penalty, path_lengths, r1_penalty

STEPS, SIDE, WIDTH = 5, 8, 6


class Generator(paddle.nn.Layer):
    """Latents [N, 2, WIDTH] and injected noise to a picture; no statistics of the batch."""

    def __init__(self):
        super().__init__()
        self.first = paddle.nn.Linear(WIDTH, 4 * SIDE * SIDE)
        self.style = paddle.nn.Linear(WIDTH, 4)
        self.conv = paddle.nn.Conv2D(4, 3, 3, padding=1)

    def forward(self, latents, noise):
        x = paddle.tanh(self.first(latents[:, 0])).reshape([-1, 4, SIDE, SIDE]) + 0.3 * noise
        return self.conv(x * self.style(latents[:, 1]).reshape([-1, 4, 1, 1]))


class Toy(System):
    """Adversarial loss, R1, path length and injected noise on networks without batch statistics."""

    averaged = ("generator",)

    def __init__(self):
        paddle.seed(11 + distributed.rank())  # other start values on every rank: rank 0's are broadcast
        self.generator = Generator()
        self.discriminator = paddle.nn.Sequential(
            paddle.nn.Conv2D(3, 4, 3, padding=1), paddle.nn.LeakyReLU(0.2), paddle.nn.Conv2D(4, 1, SIDE)
        )
        self.networks = {"generator": self.generator, "discriminator": self.discriminator}
        self.trainable = {name: network.parameters() for name, network in self.networks.items()}
        self.state = {"path_length_mean": paddle.zeros([])}

    def train_step(self, batch, step, update):
        real, latents = batch["image"], batch["latents"]
        shape = [real.shape[0], 4, SIDE, SIDE]
        noise = distributed.normal(shape)
        with paddle.no_grad():
            fake = self.generator(latents, noise)
        critic = discriminator_logistic(self.discriminator(real), self.discriminator(fake))
        update("discriminator", critic)
        real = real.detach()
        real.stop_gradient = False
        update("discriminator", 5 * r1_penalty(self.discriminator(real), real))
        with frozen(self.discriminator):
            loss = generator_logistic(self.discriminator(self.generator(latents, noise)))
            update("generator", loss)
        latents = latents.detach()
        latents.stop_gradient = False
        image = self.generator(latents, distributed.normal(shape))
        lengths = distributed.joint(path_lengths(image, latents, distributed.normal(image.shape)))
        penalty, mean = path_length_penalty(lengths, self.state["path_length_mean"], decay=0.3)
        self.state["path_length_mean"] = mean
        update("generator", penalty)
        scalars = {"generator/loss": loss, "generator/path": penalty, "discriminator/loss": critic}
        return {name: value.detach() for name, value in scalars.items()}


class Batches:
    """This rank's rows of joint batches that follow from the step alone."""

    def __init__(self, joint):
        self.rows = slice(
            distributed.rank() * joint // distributed.world_size(),
            (distributed.rank() + 1) * joint // distributed.world_size(),
        )
        self.joint = joint

    def epoch(self, step):
        return 0

    def iterate(self, first_step, last_step):
        for step in range(first_step, last_step):
            random = np.random.default_rng(step)
            image = random.standard_normal((self.joint, 3, SIDE, SIDE)).astype("float32")
            latents = random.standard_normal((self.joint, 2, WIDTH)).astype("float32")
            yield {
                "image": paddle.to_tensor(image[self.rows]),
                "latents": paddle.to_tensor(latents[self.rows]),
                "name": [str(step)] * (self.rows.stop - self.rows.start),
            }


def main(folder, joint):
    paddle.set_device("cpu")
    distributed.join()
    adam = OptimizerConfig(kind="adam", lr=0.01, beta1=0.0, beta2=0.99, clip_norm=5.0)
    config = RunConfig(
        system="toy",
        data=DataConfig(train=Settings(), validation=Settings(), batch_size=joint),
        optimizers={"generator": adam, "discriminator": adam},
        ema=EMAConfig(decay=0.5),
        recipe=Settings(),
        train=TrainConfig(steps=STEPS, log_every=1, save_every=0, preview_every=0),
    )
    Path(folder).mkdir(parents=True, exist_ok=True)
    Trainer(config, Toy(), folder, Batches(joint)).run()
    peers.say_goodbye()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
