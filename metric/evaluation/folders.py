"""Pictures in two folders as a set to score: pairs by name, and files without a partner for FID and KID."""

from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import InputError
from engine.images import list_images, read_image, to_chw
from engine.log import logger
from engine.masks import read_hole
from engine.system import System

LISTED = 10  # files without a partner that are named one by one
Files = dict[str, dict[str, Path]]  # kind -> {name: file}


class Restored(System):
    """Pictures that others made: nothing is computed."""

    scored = ("restored",)

    def generate(self, batch: Mapping[str, Any], networks: Mapping[str, Any]) -> dict[str, Any]:
        """Nothing: the batch holds what was made."""
        return {}


def files_by_name(folder: Path | str, suffix: str = "") -> dict[str, Path]:
    """Path below the folder without file suffix, nor `suffix` -> file.

    Raises:
        InputError: the folder holds no picture, or two of one name.
    """
    found: dict[str, Path] = {}
    for path in list_images(folder):
        name = path.relative_to(folder).with_suffix("").as_posix().removesuffix(suffix)
        if name in found:
            raise InputError(f"{path}: has the name of {found[name]}; expected one picture of a name")
        found[name] = path
    return found


class FolderBatches:
    """Batches of the pairs, then, for the metrics of sets, of the files without a partner; `skipped`: error texts."""

    def __init__(self, files: Files, batch_size: int, with_unmatched: bool):
        """`files`: "restored", "image" and, where there are masks, "mask"; a batch has pictures of one size."""
        self.files, self.batch_size, self.skipped = files, batch_size, list[str]()
        pairs = sorted(files["restored"].keys() & files["image"].keys())
        self.parts = [(pairs, files)] if pairs else []
        for kind in ("restored", "image") if with_unmatched else ():
            self.parts.append((sorted(files[kind].keys() - set(pairs)), {kind: files[kind]}))

    def __len__(self) -> int:
        """Number of batches, as long as no sizes change within one."""
        return sum(-(-len(names) // self.batch_size) for names, _ in self.parts)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """{"name": [...], kind: [N, 3, H, W] in [0, 1], "mask": [N, 1, H, W]}."""
        for names, files in self.parts:
            for start in range(0, len(names), self.batch_size):
                yield from self._batches(names[start : start + self.batch_size], files)

    def _batches(self, names: list[str], files: Files) -> Iterator[dict[str, Any]]:
        samples = []
        for name in names:
            try:
                samples.append((name, _read(name, files)))
            except _Unreadable as error:
                self.skipped.append(str(error))
                logger.warning(f"skipped: {error}")
        for _, same_size in groupby(samples, key=lambda sample: {kind: p.shape for kind, p in sample[1].items()}):
            group = list(same_size)
            yield {
                "name": [name for name, _ in group],
                **{kind: np.stack([sample[kind] for _, sample in group]) for kind in group[0][1]},
            }


class _Unreadable(InputError):
    """A file that is passed over."""


def _read(name: str, files: Files) -> dict[str, np.ndarray]:
    """{kind: [C, H, W]} of one name. InputError, naming both files, where a pair (or its mask) differs in size."""
    paths = {kind: own[name] for kind, own in files.items() if name in own}
    try:
        pictures = {kind: (_read_mask if kind == "mask" else read_image)(path) for kind, path in paths.items()}
    except InputError as error:
        raise _Unreadable(str(error)) from None
    sizes = {kind: "{} x {}".format(*picture.shape[:2]) for kind, picture in pictures.items()}
    for kind, size in sizes.items():
        if size != sizes.get("image", size):
            raise InputError(f"{paths[kind]} is {size}, {paths['image']} is {sizes['image']}; pairs must have one size")
    return {kind: to_chw(picture) for kind, picture in pictures.items()}


def _read_mask(path: Path) -> np.ndarray:
    """[H, W, 1], 1 in the hole. InputError where it marks nothing; a mask that marks everything is said."""
    hole = read_hole(path)
    if not hole.any():
        raise InputError(f"{path}: marks no hole; expected one")
    if hole.all():
        logger.warning(f"{path}: marks everything; the errors in the hole are those of the whole picture")
    return hole


def check_names(folders: dict[str, str], files: Files) -> None:
    """InputError where no picture has a partner, or a mask, by its name. `folders`: kind -> folder."""
    pairs = files["restored"].keys() & files["image"].keys()
    for kind, own in files.items():
        if not (pairs or files["restored"].keys()) & own.keys():
            examples = f"{min(files['restored'].values())} and {min(own.values())}"
            raise InputError(
                f"no name is in both {folders['restored']} and {folders[kind]} ({examples}); expected pairs by name: "
                "--suffix TEXT leaves out an ending such as _predict, --metrics fid,kid needs no pairs"
            )


def list_unmatched(folders: dict[str, str], files: Files) -> dict[str, list[str]]:
    """Say which files have no partner; returns {folder: names}. `folders`: "restored" and "image" -> their folder."""
    unmatched = {
        folders[kind]: sorted(files[kind].keys() - files[other].keys())
        for kind, other in (("restored", "image"), ("image", "restored"))
    }
    for folder, names in unmatched.items():
        for name in names[:LISTED]:
            logger.warning(f"unmatched: {name} is in {folder} only")
        if len(names) > LISTED:
            logger.warning(f"unmatched: {len(names) - LISTED} more are in {folder} only; scores.json lists all")
    return unmatched
