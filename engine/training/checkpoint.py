"""A training run's state on disk: complete folders such as `step_0010000`, and `latest.pdparams`.

    step_0010000/<network>.pdparams, <network>_ema.pdparams, train_state.safetensors, meta.json
    latest.pdparams      every network as "network/key", the averaged one where there is one

A folder is written under another name, `meta.json` last, then renamed. Older ones go only after that, so a process
killed at any point, or a full disk, leaves the newest complete checkpoint usable. `meta.json` holds the size and
SHA-256 of every file, and a digest of itself; folders of versions that wrote none of these are taken by their sizes.
"""

import hashlib
import json
import os
import re
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import InputError
from engine.files import write_json
from engine.log import logger
from engine.weights.files import read_arrays, read_weights, write_arrays, write_weights

FORMAT = 1
META, STATE, LATEST = "meta.json", "train_state.safetensors", "latest.pdparams"
OWN_KEYS = ("format", "step", "networks", "ema", "files", "sha256", "digest")
Networks = dict[str, dict[str, np.ndarray]]
LEFTOVERS = ("saving_*", "removing_*", "replaced_*", f".{LATEST}.*.tmp")


@dataclass(frozen=True)
class Checkpoint:
    """Contents of a checkpoint folder; the dicts are those given to `save_checkpoint`."""

    step: int
    networks: Networks
    ema: Networks
    train_state: dict[str, np.ndarray]
    meta: dict[str, Any]


def save_checkpoint(
    run: Path | str,
    step: int,
    networks: Networks,
    ema: Networks,
    train_state: dict[str, np.ndarray],
    meta: dict[str, Any],
    keep: int,
) -> Path:
    """Write `step_<step>` and `latest.pdparams` into a run's folder, then remove what is older than the newest `keep`.

    Args:
        run: folder of the run; made if it is not there.
        step: number of updates done.
        networks: {name: {key: array}}; names are Python identifiers.
        ema: {name: {key: array}} of the averaged copies.
        train_state: {key: array} of all else that a resume needs.
        meta: what JSON can hold, under other keys than those of OWN_KEYS.
        keep: number of checkpoints to keep, this one included; 0 keeps all. Later steps are never removed.

    Returns:
        the folder, Path.

    Raises:
        InputError: the disk is full or the folder not writable; the newest usable checkpoint is named.
    """
    run = Path(run)
    folder, saving = run / f"step_{step:07d}", run / f"saving_{step:07d}"
    try:
        shutil.rmtree(saving, ignore_errors=True)
        saving.mkdir(parents=True)
        _write_files(saving, step, networks, ema, train_state, meta)
        _put_in_place(saving, folder)
        finish_save(run, step, networks | ema, keep)
    except (InputError, OSError) as error:
        newest = newest_checkpoint(run)
        usable = f"the newest complete checkpoint is {newest}" if newest else "there is not a complete checkpoint"
        cause = error if isinstance(error, InputError) else f"{run}: cannot be written ({error.strerror or error})"
        raise InputError(f"step {step} is not completely saved: {cause}; {usable}") from error
    finally:
        shutil.rmtree(saving, ignore_errors=True)
    return folder


def finish_save(run: Path, step: int, networks: Networks, keep: int) -> None:
    """Write `latest.pdparams` and remove what is older: the end of a save, also of one that was killed before it."""
    _remove_older(run, step, keep)
    write_networks(run / LATEST, networks)


def write_networks(path: Path, networks: Networks) -> None:
    """Write {name: {key: array}} as one weights file with keys `<name>/<key>`, what `--pretrained` takes."""
    write_weights(path, {f"{name}/{key}": array for name in networks for key, array in networks[name].items()})


def newest_checkpoint(run: Path | str) -> Path | None:
    """The complete checkpoint folder of the highest step, told by names and sizes, or None.

    Args:
        run: folder of a run; it need not exist.
    """
    complete = _complete(Path(run))
    return complete[-1] if complete else None


def usable_checkpoint(run: Path | str) -> Path | None:
    """The folder of the highest step whose files are those that were written; None where there is no folder at all.

    A damaged newer one is named in a warning, and the one used instead.

    Raises:
        InputError: all are damaged.
    """
    faults = []
    for path in reversed(folders(Path(run))):
        try:
            verify(path, read_meta(path))
        except InputError as fault:
            faults.append(str(fault))
            continue
        for text in faults:
            logger.warning(f"damaged checkpoint: {text}; {path} is used instead")
        return path
    if faults:
        raise InputError(f"{run}: no usable checkpoint, all {len(faults)} are damaged; the newest: {faults[0]}")
    return None


def verify(folder: Path, meta: dict[str, Any]) -> None:
    """Compare the files of a checkpoint with their SHA-256 in its `meta.json`; a version without it wrote none.

    Raises:
        InputError: a file has other content than was written.
    """
    for name, wanted in meta.get("sha256", {}).items():
        try:
            with open(folder / name, "rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise InputError(f"{folder / name}: cannot be read ({error.strerror})") from None
        if found != wanted:
            raise InputError(f"{folder / name}: is damaged; its content has changed (SHA-256 differs)")


def load_checkpoint(path: Path | str) -> Checkpoint:
    """Read a checkpoint folder.

    Args:
        path: a folder written by `save_checkpoint`.

    Returns:
        Checkpoint.

    Raises:
        InputError: the folder is not a complete checkpoint, of another format, or one of its files is damaged.
    """
    path = Path(path)
    meta = read_meta(path)
    verify(path, meta)
    return Checkpoint(
        step=meta["step"],
        networks={name: read_weights(path / f"{name}.pdparams") for name in meta["networks"]},
        ema={name: read_weights(path / f"{name}_ema.pdparams") for name in meta["ema"]},
        train_state=read_arrays(path / STATE),
        meta={key: value for key, value in meta.items() if key not in OWN_KEYS},
    )


def _file_names(networks, ema):
    """Names of the weights files, in the order of the networks and then of their averages. ValueError for others."""
    names = [f"{name}.pdparams" for name in networks] + [f"{name}_ema.pdparams" for name in ema]
    if len(set(names)) < len(names) or not all(map(str.isidentifier, [*networks, *ema])):
        raise ValueError(f"network names clash or are no identifiers: {[*networks]}, averaged {[*ema]}")
    return names


def _write_files(folder, step, networks, ema, train_state, meta):
    """Everything a checkpoint consists of; `meta.json`, with the sizes of the others, last."""
    if meta.keys() & set(OWN_KEYS):
        raise ValueError(f"meta may not hold {OWN_KEYS}: {[*meta]}")
    for name, arrays in zip(_file_names(networks, ema), [*networks.values(), *ema.values()], strict=True):
        write_weights(folder / name, arrays)
    write_arrays(folder / STATE, train_state)
    written = sorted(folder.iterdir())
    sizes = {path.name: path.stat().st_size for path in written}
    hashes = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in written}
    own = {"format": FORMAT, "step": step, "networks": [*networks], "ema": [*ema], "files": sizes, "sha256": hashes}
    content = own | meta
    write_json(folder / META, content | {"digest": _digest(content)})
    _sync(folder / META)
    _sync(folder)


def _put_in_place(saving, folder):
    """Rename; a folder of the same step is first renamed, to a name under which it is still found."""
    if folder.exists():
        aside = folder.with_name(folder.name.replace("step_", "replaced_"))
        shutil.rmtree(aside, ignore_errors=True)
        os.rename(folder, aside)
    os.rename(saving, folder)
    _sync(folder.parent)


def _remove_older(run, step, keep):
    """Remove the complete checkpoints before `step` but the newest `keep` - 1, and what interrupted saves left."""
    older = [path for path in _complete(run) if path.name.startswith("step_") and _step(path) < step]
    for path in older[: len(older) - keep + 1] if keep > 0 else []:
        os.rename(path, path.with_name(path.name.replace("step_", "removing_")))
    for pattern in LEFTOVERS:
        for path in run.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def folders(run: Path) -> list[Path]:
    """The checkpoint folders of a run, whole or not, by step; one to be replaced comes before its successor."""
    try:
        found = [path for path in run.iterdir() if _step(path) is not None and path.is_dir()]
    except OSError:
        return []
    return sorted(found, key=lambda path: (_step(path), path.name))


def _complete(run):
    found = []
    for path in folders(run):
        with suppress(InputError):
            read_meta(path)
            found.append(path)
    return found


def _step(path):
    match = re.fullmatch(r"(?:step|replaced)_([0-9]+)", path.name)
    return int(match[1]) if match else None


def _digest(content):
    """SHA-256 of what `meta.json` says, its digest apart."""
    said = {key: value for key, value in content.items() if key != "digest"}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def read_meta(folder: Path) -> dict[str, Any]:
    """Content of `meta.json`; InputError unless it is as it was written and every file has the size it gives."""
    try:
        meta = json.loads((folder / META).read_text(encoding="utf-8"))
        if meta["format"] != FORMAT:
            raise InputError(f"{folder}: checkpoint of format {str(meta['format'])[:20]!r}; expected {FORMAT}")
        if type(meta["step"]) is not int:
            raise TypeError
        if ("sha256" in meta or "digest" in meta) and meta["digest"] != _digest(meta):
            raise ValueError
        for name in [*_file_names(meta["networks"], meta["ema"]), STATE]:
            found, expected = (folder / name).stat().st_size, int(meta["files"][name])
            if found != expected:
                raise InputError(
                    f"{folder}: is not a complete checkpoint; {name} has {found} bytes, expected {expected}"
                )
    except OSError as error:
        raise InputError(f"{folder}: is not a complete checkpoint ({error.strerror}: {error.filename})") from None
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        raise InputError(f"{folder / META}: is damaged; expected the meta.json of a checkpoint") from None
    return meta


def _sync(path):
    """Ask the system to put a file, or the names in a folder, on the disk; without effect where it cannot."""
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
