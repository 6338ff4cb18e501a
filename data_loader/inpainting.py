"""Pictures with holes for inpainting (PartialConv, landmark inpainting).

A sample is {"image": whole picture [3, S, S] RGB float32 in [0, 1], "mask": [1, S, S] float32, 1 in the hole and 0
elsewhere, "border": "inside" or "free", "name": str}, S = image_size, with "landmarks" [68, 2] where the source knows
them. What is random depends on (seed, epoch, index) alone; for validation on (seed, index), so that the configuration
is the manifest of the test set.
"""

from pathlib import Path

import numpy as np
from pydantic import Field, model_validator

from data_loader.drawn_faces.rendering import flip_landmarks
from data_loader.folder import ImageFolder, ResizeKernel, split_folder
from data_loader.masks import Masks, MaskSettings
from data_loader.restoration import SyntheticSettings, SyntheticSource
from engine.images import to_chw
from engine.settings import Settings


class PicturesWithHoles:
    """Pictures with holes, of `root` (its train/ or val/ where present, hq/ of that where present) or of `synthetic`.

    Training also mirrors picture and landmarks; the hole is drawn afterwards.
    """

    class Config(Settings):
        """`image_size` in pixels, square; `resize_kernel` is used where a file is larger; `masks`: the holes."""

        root: Path | None = None
        synthetic: SyntheticSettings | None = None
        image_size: int = Field(gt=0)
        resize_kernel: ResizeKernel
        flip_probability: float = Field(ge=0, le=1)
        masks: MaskSettings

        @model_validator(mode="after")
        def _has_source(self):
            if self.root is None and self.synthetic is None:
                raise ValueError("neither 'root' (a folder of pictures) nor 'synthetic' (procedural faces) is given")
            return self

    def __init__(self, config, seed, training):  # noqa: D107
        self.config, self.seed, self.training = config, seed, training
        size = (config.image_size, config.image_size)
        self.masks = Masks(config.masks, size, training)
        if config.root is None:
            self.source = SyntheticSource(config.synthetic, config.image_size)
            return
        folder = split_folder(config.root, training)
        folder = folder / "hq" if (folder / "hq").is_dir() else folder
        self.source = ImageFolder(folder, size, config.resize_kernel)

    def __len__(self):
        """Number of pictures."""
        return len(self.source)

    def __getitem__(self, key):
        """Sample of key = (epoch, index); the epoch matters in training only."""
        epoch, index = key
        rng = np.random.default_rng([self.seed, epoch, index] if self.training else [self.seed, index])
        image = self.source.read(index)
        landmarks = self.source.landmarks(index) if isinstance(self.source, SyntheticSource) else None
        if self.training and rng.uniform() < self.config.flip_probability:
            image = image[:, ::-1]
            landmarks = None if landmarks is None else flip_landmarks(landmarks, image.shape[1])
        mask, border = self.masks.draw(index, rng, landmarks)
        sample = {"image": to_chw(image), "mask": to_chw(mask), "border": border, "name": self.source.name(index)}
        return sample if landmarks is None else sample | {"landmarks": landmarks}
