"""Faces completed in several ways, side by side: the rows of the landmark inpainting project's tables.

Source: the landmark inpainting project, tables 1 to 3: RAW, MASK, No landmark, Ours.
"""

import numpy as np
import paddle

from engine import images
from engine.config import replaced
from engine.system import System, build_system
from engine.weights.networks import trained_networks
from model.landmark.network import MeanFill
from model.landmark_predictor.network import predict
from system.landmark import mean_pixel
from system.landmark_predictor import pixels

ROWS = ("RAW", "MASK", "No landmark", "Ours")


class CompletedFaces(System):
    """The picture, its hole in the mean colour, and what several trained systems make of it. Source: see the module."""

    def __init__(self, completions, fill, paste):
        """Take what completes.

        Args:
            completions: row -> LandmarkInpainting with its weights, in evaluation mode.
            fill: MeanFill of the row MASK.
            paste: (output, picture [H, W, 3] in [0, 1], mask [H, W, 1]) -> [H, W, 3] in [0, 1].
        """
        self.completions, self.fill, self.paste = completions, fill, paste
        self.networks = {}
        self.scored = self.shown = tuple(row for row in ROWS if row in completions or row in ROWS[:2])

    def generate(self, batch, networks):
        """{row: [N, 3, H, W] in [0, 1]}."""
        made = {"RAW": batch["image"], "MASK": self.fill(batch["image"], batch["mask"])}
        true, masks = images.to_hwc(batch["image"]), images.to_hwc(batch["mask"])
        for row, system in self.completions.items():
            outputs = images.to_hwc(system.generate(batch, system.networks)["output"])
            pasted = [self.paste(*part) for part in zip(outputs, true, masks, strict=True)]
            made[row] = images.to_chw(np.stack(pasted))
        return made


class Landmarks:
    """The landmark predictor on pictures in 8 bits; `absent` says why there is none. Source: see the module."""

    def __init__(self, system):
        """`system`: LandmarkInpainting."""
        self.size, path = system.config.landmark_size, system.config.landmark_network
        self.absent = "" if path.exists() else f"landmark predictor not there: {path}"
        self.network = None if self.absent else system.frozen_predictor()

    def __call__(self, pictures):
        """[N, H, W, 3] uint8 -> [N, 68, 2] pixels."""
        with paddle.no_grad():
            found = predict(self.network, paddle.to_tensor(images.to_chw(pictures).astype("float32") / 255), self.size)
        return pixels(found, pictures.shape[2]).numpy()


def completed_faces(config, weights, config_path, dataset, paste, notes):
    """The CompletedFaces of a configuration.

    Args:
        config: RunConfig of LandmarkInpainting.
        weights: row -> file or None; "No landmark" was trained without.
        config_path: name of the configuration in errors.
        dataset: of the probes, for their mean pixel where neither weights nor configuration have one.
        paste: see CompletedFaces.
        notes: list that grows by a line about that mean pixel.

    Source: see the module.
    """
    configs = {"No landmark": replaced(config, {"recipe.landmark": "none"}), "Ours": config}
    completions = {}
    for row, file in weights.items():
        if file:
            completions[row] = build_system(configs[row])
            trained_networks(completions[row], file, config_path)
    for system in completions.values():
        return CompletedFaces(completions, system.fill, paste)
    known = config.recipe.mean_pixel or tuple(mean_pixel(dataset))
    whose = "configuration" if config.recipe.mean_pixel else "probes"
    notes.append(f"mean pixel {[round(value, 4) for value in known]}: of the {whose}")
    return CompletedFaces(completions, MeanFill(known), paste)
