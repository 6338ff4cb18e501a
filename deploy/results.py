"""Results in stacks of picture, masked picture and completed picture: a file each, or one sheet."""

from pathlib import Path

import numpy as np

from deploy.contract import Contract
from deploy.files import Files, check_places, stems
from deploy.samples import Sample
from engine import images
from engine.errors import InputError
from engine.picture_files import Picture

SHEET_COLUMNS = 8  # stacks side by side in a sheet


class Stacks(Files):
    """NAME.png of every sample: the picture, the picture with its hole, the completed picture, below each other.

    Source: predict.py of the landmark inpainting project.
    Differs: files keep their names (there they are numbered) and pictures their size (there 160 x 160).
    """

    def __init__(self, contract: Contract, samples: list[Sample], folder: str | Path) -> None:
        """InputError where the model fills no holes, or a stack would take the place of a picture that is read."""
        if not contract.hole:
            raise InputError("--stacks: this model fills no holes; leave it out")
        self.contract, self.hole_colour = contract, contract.hole.colour
        self.files = self.places(samples, Path(folder))
        check_places(self.files.values(), samples)

    def places(self, samples: list[Sample], folder: Path) -> dict[str, Path]:
        """Sample name -> file."""
        return {name: folder / f"{stem}.png" for name, stem in stems(samples).items()}

    def write(self, name: str, picture: Picture, given: dict, results: dict[str, np.ndarray]) -> None:
        """One stack."""
        images.write_image(self.files[name], np.concatenate(self.three(given, results)))

    def three(self, given: dict[str, np.ndarray], results: dict[str, np.ndarray]) -> list[np.ndarray]:
        """[picture, picture with its hole in the contract's colour, completed], each [H, W, 3] uint8."""
        picture, mask = given[self.contract.picture.name], given[self.contract.of_kind("mask")[0].name]
        masked = np.where(mask == 1, np.array(self.hole_colour, np.float32), picture)
        return [images.to_uint8(each) for each in (picture, masked, results[self.contract.filled])]


class Sheet(Stacks):
    """predict.png: the stacks of all samples, SHEET_COLUMNS in a row. Source: the same script, --mode cat."""

    def __init__(self, contract: Contract, samples: list[Sample], folder: str | Path) -> None:
        """See Stacks."""
        super().__init__(contract, samples, folder)
        self.stacks: list[list[np.ndarray]] = []

    def places(self, samples: list[Sample], folder: Path) -> dict[str, Path]:
        """One file for all."""
        self.path = folder / "predict.png"
        return {"": self.path}

    def write(self, name: str, picture: Picture, given: dict, results: dict[str, np.ndarray]) -> None:
        """Keep a sample's three pictures."""
        self.stacks.append(self.three(given, results))

    def finish(self) -> None:
        """Write the sheet."""
        parts = [self.stacks[start : start + SHEET_COLUMNS] for start in range(0, len(self.stacks), SHEET_COLUMNS)]
        rows = [
            [np.asarray(image, np.float32) / 255 for image in row] for part in parts for row in zip(*part, strict=True)
        ]
        images.write_image(self.path, images.picture_grid(rows))


WRITERS = {"each": Stacks, "all": Sheet}
