"""A training run's state on disk: folders `step_0010000`, each complete or not there, and `latest.pdparams` beside.

    step_0010000/<network>.pdparams, <network>_ema.pdparams, train_state.safetensors, meta.json
    latest.pdparams      every network as "network/key", the averaged one where there is one

A folder is written under another name, `meta.json` last, then renamed. Older ones go only after that, so a process
killed at any point, or a full disk, leaves the newest complete checkpoint usable.
"""

import json
import os
import re
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from engine.errors import InputError
from engine.files import write_text
from engine.weights.files import read_arrays, read_weights, write_arrays, write_weights

FORMAT = 1
META, STATE, LATEST = "meta.json", "train_state.safetensors", "latest.pdparams"
OWN_KEYS = ("format", "step", "networks", "ema", "files")
LEFTOVERS = ("saving_*", "removing_*", "replaced_*", f".{LATEST}.*.tmp")


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint folder holds; the dicts are as they were given to `save_checkpoint`."""

    step: int
    networks: dict
    ema: dict
    train_state: dict
    meta: dict


def save_checkpoint(run, step, networks, ema, train_state, meta, keep):
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
        _remove_older(run, step, keep)
        write_networks(run / LATEST, networks | ema)
    except (InputError, OSError) as error:
        newest = newest_checkpoint(run)
        usable = f"the newest complete checkpoint is {newest}" if newest else "there is no complete checkpoint"
        cause = error if isinstance(error, InputError) else f"{run}: cannot be written ({error.strerror or error})"
        raise InputError(f"step {step} is not wholly saved: {cause}; {usable}") from error
    finally:
        shutil.rmtree(saving, ignore_errors=True)
    return folder


def write_networks(path, networks):
    """Write {name: {key: array}} as one weights file with keys `<name>/<key>`, what `--pretrained` takes."""
    write_weights(path, {f"{name}/{key}": array for name in networks for key, array in networks[name].items()})


def newest_checkpoint(run):
    """The complete checkpoint folder of the highest step, or None.

    Args:
        run: folder of a run; it need not exist.
    """
    complete = _complete(Path(run))
    return complete[-1] if complete else None


def load_checkpoint(path):
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
    sizes = {path.name: path.stat().st_size for path in sorted(folder.iterdir())}
    own = {"format": FORMAT, "step": step, "networks": [*networks], "ema": [*ema], "files": sizes}
    write_text(folder / META, json.dumps(own | meta, indent=1) + "\n")
    _sync(folder / META)
    _sync(folder)


def _put_in_place(saving, folder):
    """Rename; a folder of the same step steps aside first, under a name by which it is still found."""
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


def _complete(run):
    """The complete checkpoint folders of a run by step; one that was to be replaced comes before its successor."""
    try:
        folders = [path for path in run.iterdir() if _step(path) is not None]
    except OSError:
        return []
    found = []
    for path in sorted(folders, key=lambda path: (_step(path), path.name)):
        with suppress(InputError):
            read_meta(path)
            found.append(path)
    return found


def _step(path):
    match = re.fullmatch(r"(?:step|replaced)_([0-9]+)", path.name)
    return int(match[1]) if match else None


def read_meta(folder):
    """Content of `meta.json`; InputError unless it is well formed and every file has the size it gives."""
    try:
        meta = json.loads((folder / META).read_text(encoding="utf-8"))
        if meta["format"] != FORMAT:
            raise InputError(f"{folder}: checkpoint of format {str(meta['format'])[:20]!r}; expected {FORMAT}")
        if type(meta["step"]) is not int:
            raise TypeError
        for name in [*_file_names(meta["networks"], meta["ema"]), STATE]:
            found, expected = (folder / name).stat().st_size, int(meta["files"][name])
            if found != expected:
                raise InputError(f"{folder}: is no complete checkpoint; {name} has {found} bytes, expected {expected}")
    except OSError as error:
        raise InputError(f"{folder}: is no complete checkpoint ({error.strerror}: {error.filename})") from None
    except (ValueError, KeyError, TypeError, RecursionError):
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
