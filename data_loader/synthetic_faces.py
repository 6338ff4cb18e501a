"""A dataset of drawn faces, of one style, with landmarks and identity."""

from typing import Literal

import cv2
import numpy as np

from data_loader.drawn_faces.rendering import SMALLEST_SIZE, render
from engine.errors import InputError
from engine.settings import Settings


class SyntheticFaces:
    """Dataset of rendered faces: {"image" [3, S, S], "landmarks" [68, 2], "identity", "name"}.

    The pictures are the same in every epoch and for any number of workers: a sample's key is (epoch, index), and
    index alone chooses identity and variant.
    """

    class Config(Settings):
        """Settings of the people and the number of pictures per person."""

        image_size: int = 256
        identities: tuple[int, int] = (0, 1000)  # labels, half-open
        variants: int = 8  # pictures of each person
        style: Literal["photo", "caricature"] = "photo"

    def __init__(self, config, seed, training):
        """`seed` chooses the population; `training` changes nothing (nothing is drawn anew each epoch)."""
        first, last = config.identities
        if not 0 <= first < last or config.variants < 1:
            raise InputError(
                f"identities {config.identities}, variants {config.variants}: the dataset is empty, expected pictures"
            )
        if config.image_size < SMALLEST_SIZE:
            raise InputError(f"image_size: found {config.image_size}, expected at least {SMALLEST_SIZE}")
        cv2.setNumThreads(1)
        self.config, self.seed = config, seed

    def __len__(self):
        """Number of pictures."""
        return (self.config.identities[1] - self.config.identities[0]) * self.config.variants

    def __getitem__(self, key):
        """The sample of key (epoch, index)."""
        _, index = key
        if not 0 <= index < len(self):
            raise IndexError(index)
        c = self.config
        identity, variant = c.identities[0] + index // c.variants, index % c.variants
        face = render(identity, variant, c.image_size, self.seed, c.style)
        return {
            "image": np.ascontiguousarray(face.image.transpose(2, 0, 1)),
            "landmarks": face.landmarks,
            "identity": np.int64(identity),
            "name": f"{c.style}_{identity:05d}_{variant:03d}",
        }
