"""Find the samples of a program: the files of each sample by flags or in folders, and drawn masks and styles."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from deploy.contract import Contract, Graph
from engine import images
from engine.errors import InputError


@dataclass(frozen=True)
class Sample:
    """One thing to run.

    Attributes:
        name: what it is called in the output, a path relative to the folder it was found in.
        files: input name -> file; vector inputs have none, and a mask that is the contract's own.
        white_means: "hole" or "valid", in the file of a mask.
        seed: of vectors that are drawn.
        vectors: input name -> array, in the place of a drawn one.
    """

    name: str
    files: dict[str, Path]
    white_means: str = "hole"
    seed: int = 0
    vectors: dict[str, np.ndarray] = field(default_factory=dict)


def find_samples(
    contract: Contract,
    image_dir: str | Path | None = None,
    files: dict | None = None,
    white_means: str = "hole",
    has_mask: bool = True,
) -> list[Sample]:
    """The samples to run on, from a folder or from single files.

    A folder holds pictures for the first input (searched to any depth); further inputs come from `files`: one file for
    all, or a folder with files of the same relative path and stem. Or it holds such a folder for each input, named like
    it.

    Args:
        contract: of the model.
        image_dir: folder, or None.
        files: input name -> file or, but for the first input, folder; those given.
        white_means: see Sample.
        has_mask: the contract's mask comes from a file; else it is made where the picture is read.

    Raises:
        InputError: nothing to run on, an input without file, or a file for an input the model does not have.
    """
    files = {name: Path(path) for name, path in (files or {}).items() if path is not None}
    ports, first = contract.of_kind("image", "mask"), contract.picture.name
    names = [first, *(port.name for port in ports if port.name != first)]
    for name in files.keys() - set(names):
        raise InputError(f"--{name}: this model has no input '{name}'; it takes {', '.join(names)}")
    if first in files:
        if image_dir is not None:
            raise InputError(f"{image_dir} and {files[first]}: give a folder or a file, not both")
        found = [(files[first].name, files[first])]
    elif image_dir is not None:
        has_parts = all((Path(image_dir) / name).is_dir() for name in names)
        root = Path(image_dir) / first if has_parts else Path(image_dir)
        found = [(name, root / name) for name in images.listing(root).names]
        files = {name: Path(image_dir) / name for name in names[1:]} | files if has_parts else files
    else:
        raise InputError("no picture given; expected --image_dir FOLDER or --img FILE")
    folders = {name: _by_stem(path) for name, path in files.items() if path.is_dir()}
    has_own = not has_mask or bool(contract.hole and contract.hole.default)
    optional = [port.name for port in ports if port.kind == "mask" and has_own]
    given = [name for name in names[1:] if name in files or name not in optional]
    return [
        Sample(name, {first: path, **{other: _partner(other, name, files, folders) for other in given}}, white_means)
        for name, path in found
    ]


def named_files(contract: Contract, img: Any = None, mask: Any = None, style: Any = None) -> dict:
    """Input name -> file or folder, of the flags --img, --mask and --style. InputError where there is no such input."""
    given = {}
    for flag, kind, path in (("img", "image", img), ("mask", "mask", mask), ("style", "vector", style)):
        if path is not None:
            ports = [port.name for port in contract.of_kind(kind) if kind != "vector" or port.encoder]
            if not ports:
                known = ", ".join(port.name for port in contract.inputs)
                raise InputError(f"--{flag}: this model has no input '{flag}'; it takes {known}")
            given[ports[0]] = path
    return given


def gathered(
    contract: Contract,
    args: Any,
    open_graph: Callable[[str], Graph],
    seed: int = 0,
) -> tuple[list[Sample], str, str]:
    """Samples of a script, a line on the source of their vectors, and the files that the folder left out.

    Args:
        contract: of the graph.
        args: with image_dir, img, mask, white_means, style and num_style, as infer.py describes them.
        open_graph: path of an encoder, from this graph's -> the encoder.
        seed: of the first drawn vector.

    Raises:
        InputError: a flag for an input that the model does not have, or see `find_samples`.
    """
    img, image_dir = args.img, args.image_dir
    if args.input is not None:
        if img is not None or image_dir is not None:
            raise InputError(
                f"--input {args.input}: already names the picture or folder; leave out --img and --image_dir"
            )
        img, image_dir = (None, args.input) if Path(args.input).is_dir() else (args.input, None)
    has_mask = args.mask != "auto"
    if not has_mask and not contract.hole:
        raise InputError("--mask auto: this model fills no holes; leave it out")
    given = named_files(contract, img, args.mask if has_mask else None, args.style)
    left_out = images.left_out(*([image_dir] if image_dir else []))
    if not contract.of_kind("vector"):
        if args.num_style > 1:
            raise InputError(f"--num_style {args.num_style}: no style is drawn here; expected 1")
        return find_samples(contract, image_dir, given, args.white_means, has_mask), "", left_out
    from deploy import style_codes

    vectors = style_codes.from_pictures(contract, given, open_graph)
    samples = find_samples(contract, image_dir, given, args.white_means)
    samples = style_codes.with_vectors(contract, samples, vectors, seed, args.num_style)
    return samples, style_codes.described(contract, vectors, seed, args.num_style), left_out


def _by_stem(folder):
    """Name below a folder without suffix -> picture file, the first where several have it."""
    found: dict[str, Path] = {}
    for name in images.listing(folder).names:
        found.setdefault(os.path.splitext(name)[0], folder / name)
    return found


def _partner(port, name, files, folders):
    """The file of a further input for the sample `name`; folders: port -> of `_by_stem`."""
    if port in folders:
        return folders[port].get(os.path.splitext(name)[0], files[port] / name)
    if port in files:
        return files[port]
    raise InputError(f"input '{port}' is missing; give --{port} FILE, or a folder with sub-folders for every input")
