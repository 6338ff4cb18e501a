"""What is written of results: a file each, or stacks that show picture, masked picture and completed picture.

A writer takes the contract of the model, the samples and a folder; `write` gets what was read and made of one sample,
`finish` is called after the last one.
"""

from pathlib import Path

import numpy as np

from deploy.filling import fills
from engine import images
from engine.errors import InputError

SHEET_COLUMNS = 8  # stacks side by side in a sheet


class Files:
    """NAME_predict.png of every sample, NAME_predict_OUTPUT.png for further outputs."""

    def __init__(self, contract, samples, folder):
        """See the module."""
        self.paths = output_files(contract, samples, folder)

    def write(self, name, pictures, results):
        """`results`: output name -> [H, W, 3]."""
        for port, path in self.paths[name].items():
            images.write_image(path, results[port])

    def finish(self):
        """Nothing is left to write."""


class Stacks:
    """NAME.png of every sample: the picture, the picture with its hole, the completed picture, below each other.

    Source: predict.py of the landmark inpainting project.
    Differs: files keep their names (there they are numbered) and pictures their size (there 160 x 160).
    """

    def __init__(self, contract, samples, folder):
        """InputError where the model fills no holes, or a stack would take the place of a picture that is read."""
        if not fills(contract):
            raise InputError("--stacks: this model fills no holes; leave it out")
        self.contract, self.paths = contract, self.places(samples, Path(folder))
        read = {Path(path).resolve() for sample in samples for path in sample.files.values()}
        if taken := [path for path in self.paths.values() if path.resolve() in read]:
            raise InputError(f"{taken[0]}: is one of the pictures that are read; expected another folder for results")

    def places(self, samples, folder):
        """Sample name -> file."""
        return {name: folder / f"{stem}.png" for name, stem in stems(samples).items()}

    def write(self, name, pictures, results):
        """`pictures`: of deploy.inference.read."""
        images.write_image(self.paths[name], np.concatenate(self.three(pictures, results)))

    def three(self, pictures, results):
        """[picture, picture with its hole in the contract's colour, completed], each [H, W, 3] uint8."""
        picture = pictures[self.contract["inputs"][0]["name"]]
        colour = np.float32(self.contract.get("hole", {}).get("colour", (1, 1, 1)))
        masked = np.where(pictures["mask"] == 1, colour, picture)
        return [images.to_uint8(each) for each in (picture, masked, results["composite"])]

    def finish(self):
        """Nothing is left to write."""


class Sheet(Stacks):
    """predict.png: the stacks of all samples, SHEET_COLUMNS in a row. Source: the same script, --mode cat."""

    def __init__(self, contract, samples, folder):
        """See Stacks."""
        super().__init__(contract, samples, folder)
        self.stacks = []

    def places(self, samples, folder):
        """One file for all."""
        self.path = folder / "predict.png"
        return {"": self.path}

    def write(self, name, pictures, results):
        """Keep a sample's three pictures."""
        self.stacks.append(self.three(pictures, results))

    def finish(self):
        """Write the sheet."""
        parts = [self.stacks[start : start + SHEET_COLUMNS] for start in range(0, len(self.stacks), SHEET_COLUMNS)]
        rows = [[np.float32(image) / 255 for image in row] for part in parts for row in zip(*part, strict=True)]
        images.write_image(self.path, images.picture_grid(rows))


WRITERS = {None: Files, "each": Stacks, "all": Sheet}


def output_files(contract, samples, folder):
    """Where every sample's pictures go: <stem>_predict.png, further outputs <stem>_predict_<output>.png.

    Returns sample name -> {output name: path}.
    """
    ports = [port["name"] for port in contract["outputs"] if port["kind"] == "image"]
    endings = {port: "_predict.png" if i == 0 else f"_predict_{port}.png" for i, port in enumerate(ports)}
    return {
        name: {port: Path(folder) / f"{stem}{ending}" for port, ending in endings.items()}
        for name, stem in stems(samples).items()
    }


def stems(samples):
    """Sample name -> what its results are called; samples that differ in the suffix only keep it."""
    found = [Path(sample.name).with_suffix("").as_posix() for sample in samples]
    return {
        sample.name: stem if found.count(stem) == 1 else sample.name
        for sample, stem in zip(samples, found, strict=True)
    }
