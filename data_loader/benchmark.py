"""Measure the speed of a data set, of the degradation and of the drawn faces, per core and picture."""

import tempfile
from pathlib import Path

import numpy as np

from data_loader.degrade import degrade
from data_loader.drawn_faces.rendering import render
from engine import config as configuration
from engine import images
from engine.measuring import core_row
from engine.system import build_dataset

GPEN = Path(__file__).resolve().parents[1] / "configs" / "gpen_lite.yaml"


def data_rows(repeats, path=GPEN):
    """A training sample of a YAML file, and degradations alone."""
    section = configuration.load(path).data.train
    dataset, ranges = build_dataset(section, 0, training=True), section.degradation
    title = f"{path.stem} sample, {section.image_size} px"
    yield core_row("data", title, lambda i: dataset[(0, i)], repeats)
    yield degradation_row("degradation, 256 px", ranges, 256, repeats)
    for name in ("gpen_512", "gfpgan_512"):
        ranges = configuration.load(path.with_name(f"{name}.yaml")).data.train.degradation
        yield degradation_row(f"degradation of {name}", ranges, 512, repeats)


def degradation_row(title, ranges, size, repeats):
    """The degradation of a drawn face of `size` pixels."""
    face = render(0, 0, size).image
    return core_row("data", title, lambda i: degrade(face, ranges, np.random.default_rng(i)), repeats)


def renderer_rows(repeats):
    """The procedural faces at 256 px."""
    for style in ("photo", "caricature"):
        yield core_row("renderer", f"{style}, 256 px", lambda i, style=style: render(i, 0, 256, style=style), repeats)


def reader_rows(repeats):
    """A drawn face of 1024 px read for training at 256 px, as JPEG and as PNG, beside decoding all of it."""
    with tempfile.TemporaryDirectory() as folder:
        for suffix in ("jpg", "png"):
            path = Path(folder) / f"face.{suffix}"
            images.write_image(path, render(0, 0, 1024).image)
            whole = lambda _, path=path: images.fitted(images.read_image(path), (256, 256), "area")  # noqa: E731
            read = lambda _, path=path: images.read_fitted(path, (256, 256), "area")  # noqa: E731
            yield core_row("reader", f"1024 px {suffix}, all of it", whole, repeats)
            yield core_row("reader", f"1024 px {suffix}, as training reads", read, repeats)
