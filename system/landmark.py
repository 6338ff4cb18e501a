"""Landmark-guided inpainting of masked faces: GLCIC's completion and critic, with landmarks that reach the generator.

Three phases: the completion network alone, the discriminator alone, both. Landmarks come from a frozen predictor that
was trained on its own (system/landmark_predictor.py); they enter as a loss on the completed face, as a further input
channel, or both. `landmark: numpy` is the form of the original project, which has no gradient; it is kept to compare.

Source: Iizuka et al. 2017 (GLCIC), section 3.3 and algorithm 1; reference code: otenim/GLCIC-PyTorch train.py.
"""

from contextlib import contextmanager

import numpy as np
import paddle

from engine import distributed
from engine.config import replaced
from engine.errors import InputError
from engine.images import composite
from engine.log import logger
from engine.ports import Exported, Hole, Port
from engine.system import System, frozen, prefixed, total
from engine.weights.files import read_weights
from engine.weights.networks import load_layers
from loss.adversarial import discriminator_logistic, generator_logistic
from loss.inpainting import hole_error
from loss.landmark import coordinate_loss, heatmap_loss, hole_weights, landmark_map
from model.landmark.exported import Completion
from model.landmark.network import CompletionNetwork, ContextDiscriminator, MeanFill, crop_around
from model.landmark_predictor.network import LaFInPredictor, cover, predict
from model.shared.constant import as_constant
from system.landmark_recipe import LandmarkInpaintingRecipe

CELEBA_MEAN = (0.5061, 0.4254, 0.3828)  # of its aligned pictures, as projects that normalise by it state
SAMPLE_PIXELS = 255.0  # the original project sees 8-bit pictures
MEAN_TOLERANCE = 1e-3  # a mean pixel that differs by less is the same
FORMS = {"coordinates": coordinate_loss, "heatmap": heatmap_loss}


class LandmarkInpainting(System):
    """Completion of masked faces.

    Source: train.py of otenim/GLCIC-PyTorch (order of updates); the landmark project's train.py (weights of losses);
    Yang et al. 2019 (LaFIn) for the landmarks.
    """

    Config = LandmarkInpaintingRecipe
    scored = ("masked", "composite")
    static = ("completion",)
    shown = ("masked", "output", "composite", "image")
    needed = ("completion",)
    settled_from = dict.fromkeys(
        ("recipe.phase_steps", "train.steps"),
        ("recipe.phase1", "recipe.phase2", "recipe.phase3", "recipe.phase_unit", "data.batch_size"),
    )
    smoke = {
        "recipe.width": 0.0625,
        "recipe.image_size": 32,
        "recipe.local_size": 16,
        "recipe.landmark": "none",
        "recipe.phase_unit": "steps",
        "recipe.phase1": 0,
        "recipe.phase2": 0,
        "recipe.phase3": 2,
        "recipe.phase_steps": [0, 0, 2],
        "recipe.mean_pixel": [0.5, 0.4, 0.3],
        **{f"data.{split}.image_size": 32 for split in ("train", "validation")},
    }

    @classmethod
    def settle(cls, config, dataset):
        """Fill in the phases' steps, the length of the run and the mean pixel from the training set."""
        c, found = config.recipe, {}
        if c.phase_steps is None:
            epoch = max(1, len(dataset) // (config.data.batch_size * distributed.world_size()))
            found["recipe.phase_steps"] = [
                n * (epoch if c.phase_unit == "epochs" else 1) for n in (c.phase1, c.phase2, c.phase3)
            ]
        if c.mean_pixel is None:
            found["recipe.mean_pixel"] = mean_pixel(dataset)
        if config.train.steps is None:
            found["train.steps"] = sum(found.get("recipe.phase_steps", c.phase_steps))
        return replaced(config, found)

    def __init__(self, config):
        """Build the completion network; one that is conditioned on landmarks needs their predictor to predict too.

        Raises:
            InputError: the predictor's file is missing or does not fit.
        """
        self.config = c = config
        self.conditioned = c.landmark in ("conditioning", "both")
        self.completion = CompletionNetwork(c.width, in_channels=5 if self.conditioned else 4)
        self.discriminator, self.fill = None, MeanFill(c.mean_pixel)
        self.networks, self.state = {"completion": self.completion, "fill": self.fill}, {}
        self.predictor = self.frozen_predictor() if self.conditioned else None

    def prepare_training(self):
        """Build the discriminator, load what both start from, and the landmark predictor where the mode needs one.

        Raises:
            InputError: a weights file is missing or does not fit.
        """
        c = self.config
        self.discriminator = ContextDiscriminator((c.local_size,) * 2, (c.image_size,) * 2, c.width)
        self.networks = {"completion": self.completion, "discriminator": self.discriminator, "fill": self.fill}
        self.trainable = {name: self.networks[name].parameters() for name in ("completion", "discriminator")}
        self._load_start()
        if c.landmark != "none" and not self.conditioned:
            self.predictor = self.frozen_predictor()
        self.log_header = {"landmark": c.landmark}

    def _load_start(self):
        """Weights of `model_G` and `model_D`; a four-channel file starts a conditioned network unchanged."""
        c = self.config
        for path, name in ((c.model_G, "completion"), (c.model_D, "discriminator")):
            if path:
                load_layers({name: self.networks[name]}, read_weights(path), path)

    def weights_loaded(self):
        """Say where the weights' mean pixel is another than the recipe's."""
        known, found = self.config.mean_pixel, self.fill.mean_pixel.numpy().ravel()
        if known and np.abs(found - known).max() > MEAN_TOLERANCE:
            own = [round(float(value), 4) for value in found]
            logger.info(f"mean pixel: {own} of the weights, in place of {list(known)}")

    def frozen_predictor(self):
        """The frozen landmark network in evaluation mode."""
        c, network = self.config, LaFInPredictor(self.config.landmark_width)
        if not c.landmark_network.exists():
            raise InputError(
                f"{c.landmark_network}: missing; recipe.landmark: {c.landmark} needs it: train "
                "configs/landmark_predictor_lite.yaml, or set recipe.landmark: none"
            )
        load_layers({"predictor": network}, read_weights(c.landmark_network), c.landmark_network)
        return as_constant(network)

    def train_step(self, batch, step, update):
        """Completion, then critic, then both; in the third phase the critic steps first.

        Source: algorithm 1; train.py. The critic's loss has weight 1 in its own phase and `adversarial_weight` in the
        third, as in the reference of the landmark project.
        Differs: in the second phase the completion network is frozen whole, batch statistics included.
        """
        c, image, mask = self.config, batch["image"], batch["mask"]
        completion_steps, critic_steps, _ = c.phase_steps
        if completion_steps <= step < completion_steps + critic_steps:
            with paddle.no_grad(), evaluating(self.completion):
                output = self.complete(self.completion, image, mask)
            return self.critic_step(output, image, mask, 1.0, update)

        output = self.complete(self.completion, image, mask)
        if step < completion_steps:
            loss = hole_error(output, image, mask)
            update("completion", loss)
            return {"completion/loss": loss.detach()}

        scalars = self.critic_step(output.detach(), image, mask, c.adversarial_weight, update)
        with frozen(self.discriminator):
            terms = self.completion_terms(output, image, mask)
            loss = total(terms, self.weights())
            update("completion", loss)
        return {"completion/loss": loss.detach(), **prefixed("completion", terms), **scalars}

    def critic_step(self, output, image, mask, weight, update):
        """One step of the discriminator on completed and true pictures and their crops."""
        loss = discriminator_logistic(self.judge(image, mask), self.judge(output, mask))
        if self.config.landmark == "numpy":
            loss = loss + self.landmarks_without_gradient(output, image)
        update("discriminator", weight * loss)
        return {"discriminator/loss": loss.detach()}

    def judge(self, picture, mask):
        """Logits [N, 1] of a picture, seen whole and cropped around the hole."""
        return self.discriminator(crop_around(picture, mask, self.config.local_size), picture)

    def completion_terms(self, output, image, mask):
        """Unweighted terms of the third phase's completion loss."""
        terms = {"hole": hole_error(output, image, mask), "adversarial": generator_logistic(self.judge(output, mask))}
        if self.config.landmark in ("loss", "both"):
            terms["landmark"] = self.landmark_loss(output, image, mask)
        return terms

    def weights(self):
        """Factor of every term of `completion_terms`."""
        return {"hole": 1.0, "adversarial": self.config.adversarial_weight, "landmark": self.config.landmark_weight}

    def landmark_loss(self, output, image, mask):
        """Landmarks of the completed face against those of the true one, weighted around the hole; unweighted."""
        with paddle.no_grad():
            target = self.points(image)
        weights = hole_weights(target, mask, self.config.elsewhere_weight)
        return FORMS[self.config.landmark_form](self.points(composite(output, image, mask)), target, weights)

    def landmarks_without_gradient(self, output, image):
        """The original project's term: rounded pixels from outside the graph; a constant to both players.

        Source: the landmark project's train step, which adds it to the critic's loss.
        """
        found = []
        for picture in (output, image):
            rounded = (picture.detach() * SAMPLE_PIXELS).round() / SAMPLE_PIXELS
            found.append(np.round(self.points(rounded).numpy() * self.config.image_size))
        return paddle.to_tensor(np.abs(found[0] - found[1]).mean(dtype=np.float32))

    def points(self, picture):
        """[N, 3, S, S] -> points [N, 68, 2] in units of the side; gradients pass to the picture."""
        return predict(self.predictor, picture, self.config.landmark_size)

    def complete(self, network, image, mask):
        """Picture and hole -> the network's picture [N, 3, H, W] in (0, 1)."""
        inputs = [self.fill(image, mask), mask]
        if self.conditioned:
            with paddle.no_grad():
                points = self.points(cover(image, mask))
            inputs.append(landmark_map(points, (self.config.image_size,) * 2))
        return network(paddle.concat(inputs, axis=1))

    def check_fill(self):
        """Fill with CelebA's mean colour, and say so, where neither weights nor configuration bring one."""
        if not self.fill.is_known():
            logger.warning(
                f"mean pixel: not in the weights file; CelebA's {list(CELEBA_MEAN)} is used: give the training set's, "
                "-o recipe.mean_pixel=[R,G,B] in [0, 1], or --original_config with its config.json"
            )
            self.fill.assume(CELEBA_MEAN)

    def generate(self, batch, networks):
        """{"masked": hole filled with the mean pixel, "output", "composite": output in the hole, picture elsewhere}."""
        self.check_fill()
        image, mask = batch["image"], batch["mask"]
        output = self.complete(networks["completion"], image, mask)
        return {"masked": self.fill(image, mask), "output": output, "composite": composite(output, image, mask)}

    def inference(self, networks):
        """One graph: picture and hole in, the whole output out; the script that runs it keeps the known pixels."""
        self.check_fill()
        side, network = self.config.image_size, networks["completion"]

        def completed(image, mask):
            return self.complete(network, image, mask)

        return {
            "": Exported(
                layer=Completion(completed, [network, self.fill, *filter(None, [self.predictor])]),
                inputs=[Port("image", (-1, 3, side, side)), Port("mask", (-1, 1, side, side), "mask")],
                outputs=[Port("composite", (-1, 3, side, side))],
                hole=Hole("poisson", tuple(self.fill.mean_pixel.flatten().tolist()), "face_box"),
                reference=completed,
                template="ffhq",
            )
        }


def mean_pixel(dataset):
    """Mean over the pictures of each one's mean colour, three numbers in [0, 1].

    Source: train.py of otenim/GLCIC-PyTorch, mpv.
    """
    means = [dataset[(0, index)]["image"].mean(axis=(1, 2)) for index in range(len(dataset))]
    return [round(float(value), 6) for value in np.mean(means, axis=0)]


@contextmanager
def evaluating(network):
    """The network in evaluation mode inside the block: its batch statistics stay as they are. Source: ours."""
    network.eval()
    try:
        yield
    finally:
        network.train()
