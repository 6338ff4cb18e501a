"""Pictures through an exported model: find them, bring them to the contract's form, run, name and write the results."""

import glob
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from deploy import filling
from deploy.results import WRITERS
from engine import images
from engine.errors import InputError
from engine.log import logger, progress
from engine.picture_files import READABLE


@dataclass(frozen=True)
class Sample:
    """One thing to run.

    Attributes:
        name: what it is called in the output, a path relative to the folder it was found in.
        files: input name -> file; vector inputs have none, and a mask that is the contract's own.
        seed: of inputs that are drawn.
        white_means: "hole" or "valid", in the file of a mask.
        vectors: input name -> array, in the place of a drawn one.
    """

    name: str
    files: dict
    seed: int
    white_means: str = "hole"
    vectors: dict = field(default_factory=dict)


def find_samples(contract, image_dir=None, files=None, white_means="hole"):
    """What to run on, from a folder or from single files.

    A folder holds pictures for the first input (searched to any depth); further inputs come from `files`: one file for
    all, or a folder with files of the same relative path and stem. Or it holds such a folder for each input, named like
    it.

    Args:
        contract: of the model.
        image_dir: folder, or None.
        files: input name -> file or, but for the first input, folder; those given.
        white_means: see Sample.

    Raises:
        InputError: nothing to run on, an input without file, or a file for an input the model does not have.
    """
    files = {name: Path(path) for name, path in (files or {}).items() if path is not None}
    names = [port["name"] for port in contract["inputs"] if port["kind"] == "image"]
    for name in files.keys() - set(names):
        raise InputError(f"--{name}: this model has no input '{name}'; it takes {', '.join(names)}")
    first = names[0]
    if first in files:
        if image_dir is not None:
            raise InputError(f"{image_dir} and {files[first]}: give a folder or a file, not both")
        found = [(files[first].name, files[first])]
        folders = {}
    elif image_dir is not None:
        has_parts = all((Path(image_dir) / name).is_dir() for name in names)
        root = Path(image_dir) / first if has_parts else Path(image_dir)
        found = [(path.relative_to(root).as_posix(), path) for path in images.list_images(root)]
        folders = {name: Path(image_dir) / name for name in names[1:]} if has_parts else {}
    else:
        raise InputError("no picture given; expected --image_dir FOLDER or --img FILE")
    folders |= {name: path for name, path in files.items() if path.is_dir()}
    given = [name for name in names[1:] if name in files or name in folders or not filling.has_default(contract, name)]
    return [
        Sample(
            name, {first: path, **{other: _partner(other, name, files, folders) for other in given}}, seed, white_means
        )
        for seed, (name, path) in enumerate(found)
    ]


def _partner(port, name, files, folders):
    """The file of a further input for the sample `name`."""
    if port not in folders:
        if port in files:
            return files[port]
        raise InputError(f"input '{port}' is missing; give --{port} FILE, or a folder with sub-folders for every input")
    stem = Path(name).with_suffix("")
    candidates = sorted((folders[port] / stem.parent).glob(f"{glob.escape(stem.name)}.*"))
    pictures = [path for path in candidates if path.suffix.lower() in READABLE]
    return pictures[0] if pictures else folders[port] / name


def load(contract, sample):
    """A sample's inputs as the contract wants them, without batch axis.

    Returns:
        dict input name -> float32 array: images [3, H, W] RGB in [0, 1], masks [1, H, W] of 0 and 1 (1 is hole),
        vectors of the sample, or drawn from N(0, 1) with its seed.

    Raises:
        InputError: see `read`.
    """
    return fitted(contract, read(contract, sample), sample)


def read(contract, sample):
    """A sample's files: input name -> [H, W, 3] RGB in [0, 1], or [H, W, 1] mask of 0 and 1 (1 is hole).

    Raises:
        InputError: a file cannot be read, or a mask has another size than the first input or nothing but hole.
    """
    ports = [port for port in contract["inputs"] if port["kind"] == "image"]
    first = ports[0]["name"]
    pictures = {name: images.read_image(path) for name, path in sample.files.items()}
    for name in (port["name"] for port in ports if port["shape"][1] == 1):
        if name not in pictures:
            pictures[name] = filling.default_mask(contract, pictures[first].shape[:2])
            continue
        pictures[name] = images.hole_mask(pictures[name], sample.white_means)
        _check_mask(pictures[name], sample, name, pictures[first], first)
    return pictures


def _check_mask(mask, sample, name, picture, first):
    path, ratio, size = sample.files[name], mask.mean(), mask.shape[:2]
    if size != picture.shape[:2]:
        raise InputError(
            f"{path}: mask of {size[0]} x {size[1]}; expected {picture.shape[0]} x {picture.shape[1]}, "
            f"the size of {sample.files[first]}"
        )
    if ratio == 1:
        raise InputError(f"{path}: all of it is hole; expected some known pixels (white means {sample.white_means})")
    if ratio > images.SUSPICIOUS_RATIO:
        logger.warning(f"{path}: {ratio:.0%} is hole; is it right that white means {sample.white_means}?")


def fitted(contract, pictures, sample):
    """What `read` gave for a sample, in the contract's sizes and layout, and its vectors; see `load`."""
    kernel = contract["preprocessing"]["resize_kernel"]
    random = np.random.default_rng(sample.seed)
    arrays = {}
    for port in contract["inputs"]:
        name, shape = port["name"], port["shape"][1:]
        if port["kind"] == "image":
            size = [have if want == -1 else want for want, have in zip(shape[1:], pictures[name].shape, strict=False)]
            fit = images.fitted if contract["preprocessing"].get("fit") == "crop" else images.resize
            picture = fit(pictures[name], tuple(size), "nearest" if shape[0] == 1 else kernel)
            arrays[name] = images.to_chw(picture)
        elif name in sample.vectors:
            arrays[name] = sample.vectors[name]
        else:
            arrays[name] = random.standard_normal(shape, dtype=np.float32)
    return arrays


def run(predictor, samples, batch_size, output_dir, watch, blend=None, mode=None):
    """Run samples in batches and write their pictures; those that cannot be read are named on stderr and left out.

    An output called `composite` is written in its picture's own size, with that picture's own pixels outside the mask.

    Args:
        predictor: deploy.predictor.Predictor.
        watch: deploy.timing.Stopwatch, which gets one entry a batch and stage.
        blend: how a composite gets into its picture, of deploy.blending.MODES; None: as the contract says.
        mode: what is written, of deploy.results.WRITERS.

    Yields:
        (sample name, numbers) in order.

    Raises:
        InputError: not one sample could be read, or a result cannot be written.
    """
    contract, done = predictor.contract, 0
    blend = filling.chosen_blend(contract, blend)
    writer = WRITERS[mode](contract, samples, output_dir)
    ports = [port["name"] for port in contract["outputs"] if port["kind"] == "image"]
    try:
        Path(output_dir).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{output_dir}: cannot be written ({error.strerror})") from error
    size = 1 if has_free_size(contract) else batch_size
    for start in progress(range(0, len(samples), size), -(-len(samples) // size), "batch"):
        with watch.stage("preprocess"):
            loaded = dict(_readable(contract, samples[start : start + size], len(samples) == 1))
            arrays = stack([fitted(contract, *sample) for sample in loaded.values()])
        if not loaded:
            continue
        with watch.stage("inference"):
            outputs = predictor.run(arrays)
        with watch.stage("postprocess"):
            for i, (name, (pictures, _)) in enumerate(loaded.items()):
                results = {port: outputs[port][i] for port in ports}
                writer.write(name, pictures, finished(contract, results, pictures, blend))
        yield from ((name, numbers(contract, {p: a[i] for p, a in outputs.items()})) for i, name in enumerate(loaded))
        done += len(loaded)
    if not done:
        raise InputError(f"none of the {len(samples)} pictures could be read")
    writer.finish()


def _readable(contract, samples, alone):
    """(name, (what was read, sample)) of the samples that can be read; one that is `alone` has to be."""
    for sample in samples:
        try:
            yield sample.name, (read(contract, sample), sample)
        except InputError as error:
            if alone:
                raise
            print(f"skipped: {error}", file=sys.stderr)


def finished(contract, outputs, pictures, blend):
    """{name: [C, h, w]} of a sample as it is written, [H, W, C]: a composite in its picture, others as they are."""
    results = {port: images.to_hwc(output) for port, output in outputs.items()}
    if "composite" in results and "mask" in pictures:
        picture = pictures[contract["inputs"][0]["name"]]
        results["composite"] = filling.pasted(results["composite"], picture, pictures["mask"], blend)
    return results


def stack(loaded):
    """List of dicts of arrays -> dict of arrays with a batch axis."""
    return {name: np.stack([arrays[name] for arrays in loaded]) for name in (loaded[0] if loaded else ())}


def warm_up(predictor, batch_size):
    """One run on zeros, so that what Paddle does once is not timed; not where pictures keep their own size."""
    contract = predictor.contract
    if not has_free_size(contract):
        shapes = {port["name"]: [batch_size, *port["shape"][1:]] for port in contract["inputs"]}
        predictor.run({name: np.zeros(shape, np.float32) for name, shape in shapes.items()})


def has_free_size(contract):
    """True where pictures keep their own size, so that they cannot share a batch."""
    return any(-1 in port["shape"][2:] for port in contract["inputs"] if port["kind"] == "image")


def numbers(contract, results):
    """A short signature of one sample's results: means of an image's channels, every number of vectors and points.

    Args:
        results: output name -> array without batch axis.

    Returns:
        list of float, 6 decimals.
    """
    found = []
    for port in contract["outputs"]:
        array = results[port["name"]]
        found += list(array.mean(axis=(1, 2)) if port["kind"] == "image" else array.ravel())
    return [round(float(value), 6) for value in found]
