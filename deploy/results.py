"""What is written of results: a file each, or stacks that show picture, masked picture and completed picture."""

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from deploy import files
from deploy.contract import Contract
from deploy.samples import Sample
from engine import images
from engine.errors import InputError
from engine.picture_files import Picture

SHEET_COLUMNS = 8  # stacks side by side in a sheet


class Files:
    """NAME_predict.png of every sample, NAME_predict_OUTPUT.png for further outputs, in the form of the picture."""

    def __init__(
        self, contract: Contract, samples: Sequence[Sample], folder: str | Path, ext: str = "png", colour: str = "kept"
    ) -> None:
        """Args: see `output_files`; colour: of deploy.files.COLOURS. InputError: see `check_places`."""
        self.paths, self.colour = output_files(contract, samples, folder, ext), colour
        self.picture = contract.picture.name
        self.masks = {port.name for port in contract.of_kind("mask", outputs=True)}
        check_places((path for paths in self.paths.values() for path in paths.values()), samples)

    def write(self, name: str, picture: Picture, given: dict, results: dict[str, np.ndarray]) -> None:
        """What was read, given and made of one sample, arrays of a Session."""
        for port, path in self.paths[name].items():
            if port in self.masks:
                mask = images.to_uint8(results[port])
                files.write(path, Picture(mask))
            else:
                files.write(path, files.returned(picture, results[port], self.colour, given[self.picture]))

    def finish(self) -> None:
        """Called after the last sample: nothing is left to write."""


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
        rows = [[np.float32(image) / 255 for image in row] for part in parts for row in zip(*part, strict=True)]
        images.write_image(self.path, images.picture_grid(rows))


WRITERS = {"each": Stacks, "all": Sheet}


def output_files(
    contract: Contract, samples: Sequence[Sample], folder: str | Path, ext: str = "png"
) -> dict[str, dict[str, Path]]:
    """Where every sample's pictures go: <stem>_predict.png, further outputs <stem>_predict_<output>.png.

    Args:
        contract: of the model.
        samples: all of a run.
        folder: of the results.
        ext: of deploy.files.EXTENSIONS.

    Returns:
        sample name -> {output name: path}.
    """
    ports = [port.name for port in contract.of_kind("image", "mask", outputs=True)]
    endings = {port: f"_predict_{port}" if i else "_predict" for i, port in enumerate(ports)}
    return {
        name: {port: Path(folder) / f"{stem}{ending}{files.suffix(name, ext)}" for port, ending in endings.items()}
        for name, stem in stems(samples).items()
    }


def stems(samples: Sequence[Sample]) -> dict[str, str]:
    """Sample name -> what its results are called; samples that differ in the suffix only keep it."""
    found = {sample.name: os.path.splitext(sample.name)[0] for sample in samples}
    count = Counter(found.values())
    return {name: stem if count[stem] == 1 else name for name, stem in found.items()}


def check_places(paths: Iterable[Path], samples: Sequence[Sample]) -> None:
    """InputError where a result would take the place of a file that is read, or of another result."""
    count = Counter(map(str, paths))
    for path, number in count.items():
        if number > 1:
            raise InputError(f"{path}: is the place of {number} results; expected pictures of other names")
    there = {found: path for path in count if (found := _identity(path))}
    for source in dict.fromkeys(file for sample in samples for file in sample.files.values()) if there else ():
        if taken := there.get(_identity(source)):
            raise InputError(f"{taken}: is one of the pictures that are read; expected another folder for results")


def _identity(path):
    """What a file is, whatever name it has; None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
