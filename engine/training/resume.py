"""Resume a run: find the checkpoint, compare the configuration, say which keys may differ."""

import hashlib
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine import config as configuration
from engine.errors import ConfigError, InputError
from engine.log import logger
from engine.run_config import RunConfig
from engine.training import checkpoint

# Keys that change no number of the networks; a section stands for all below it.
FREE = (
    *("train.steps", "train.log_every", "train.save_every", "train.validate_every", "train.preview_every"),
    *("train.keep", "train.measures", "train.best", "output", "data.num_workers", "flags", "flags_imply"),
)
SAMPLED = 1000  # files whose size goes into a folder's fingerprint


def resume_folder(word: str, config: RunConfig, newest: Path) -> Path:
    """The run folder that `--resume` means.

    Args:
        word: "auto", a run folder or a checkpoint folder.
        config: of the command.
        newest: what `auto` means; it need not exist.

    Raises:
        ConfigError: a named folder is none, or lies elsewhere than `output.dir`.
    """
    if word == "auto":
        return newest
    path = Path(word)
    folder = path.parent if (path / checkpoint.META).is_file() else path
    if not folder.is_dir() or not checkpoint.folders(folder):
        raise ConfigError(f"--resume {word}: no checkpoint there; expected a run folder or one of its step_* folders")
    if config.output.dir is not None and config.output.dir.resolve() != folder.resolve():
        raise ConfigError(f"--resume {word}: the run is in {folder}; output.dir is {config.output.dir}")
    return folder


def resume_point(word: str, folder: Path) -> Path | None:
    """The checkpoint folder to go on from: the named one, or the newest usable one; None where there is none yet.

    Raises:
        InputError: all checkpoints are damaged.
    """
    return Path(word) if (Path(word) / checkpoint.META).is_file() else checkpoint.usable_checkpoint(folder)


def saved_run(path: Path | str, config: RunConfig) -> dict[str, Any]:
    """`meta.json` of a checkpoint, of the form a run's has: its configuration with keys of today, its open window.

    Raises:
        InputError: it is damaged, or not of a run.
    """
    meta = checkpoint.read_meta(Path(path))
    try:
        for total, count in meta["window"].values():
            if not (math.isfinite(total) and count > 0):
                raise ValueError
        for section in ("data", "recipe", "train"):
            if not isinstance(meta["config"][section], dict):
                raise TypeError
        if not isinstance(meta.get("changes", []), list):
            raise TypeError
        return meta | {"config": configuration.completed(meta["config"], config)}
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError):
        raise InputError(f"{Path(path) / checkpoint.META}: is damaged; expected the meta.json of a run") from None


def binding(config: RunConfig) -> str:
    """Short hash of the configuration without the keys that may differ between a run's processes and its parts."""
    content = {key: value for key, value in _flat(configuration.as_dict(config)) if not _is_free(key)}
    paths = dict(_paths(config))
    return hashlib.sha256(repr(sorted((k, v) for k, v in content.items() if k not in paths)).encode()).hexdigest()[:12]


def data_fingerprints(config: RunConfig) -> dict[str, str]:
    """{dotted key: hash} of the files below each path of the `data` section: their names and, of some, their sizes."""
    return {key: _fingerprint(path) for key, path in _paths(config)}


def changes(
    path: Path | str, meta: dict[str, Any], config: RunConfig, data: dict[str, str], allowed: bool
) -> list[str]:
    """Lines about what differs from the run that saved a checkpoint, the keys that change no number left out.

    Args:
        path: the checkpoint folder, for messages.
        meta: of `saved_run`.
        config: the configuration to go on with.
        data: its `data_fingerprints`.
        allowed: whether other keys than the free ones may differ.

    Raises:
        ConfigError: they may not, and one does.
    """
    before, now = meta["config"], configuration.as_dict(config)
    known = meta.get("data")
    earlier: dict[str, str] = known if isinstance(known, dict) else {}
    lines = []
    for key in configuration.differences(before, now):
        if _is_free(key) or (key in data and earlier.get(key) == data[key]):
            continue
        line = f"{key}: {_at(before, key)} -> {_at(now, key)}"
        if not allowed:
            raise ConfigError(
                f"{path}: the run was started with another '{key}' ({line}); --resume_with_changes allows it"
            )
        lines.append(line)
    for key, found in data.items():
        if earlier.get(key, found) != found and _at(before, key) == _at(now, key):
            logger.warning(f"{key}: the files below {_at(now, key)} are not those the run began with")
    return lines


def _is_free(key):
    return any(key == free or key.startswith(free + ".") for free in FREE)


def _flat(content, prefix=""):
    for name, value in content.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _paths(config: RunConfig) -> Iterator[tuple[str, Path]]:
    """(dotted key, path) of the `data` section."""
    for split in ("train", "validation"):
        for key, value in _flat(getattr(config.data, split).model_dump()):
            if isinstance(value, Path):
                yield f"data.{split}.{key}", value


def _fingerprint(path):
    if not path.is_dir():
        return f"{path.suffix} of {_size(path)} bytes"
    found = []
    for parent, _, names in os.walk(path):
        inside = os.path.relpath(parent, path)
        found += [f"{inside}/{name}" for name in names if not name.startswith(".")]
    found.sort()
    sizes = [_size(path / name) for name in found[:: max(1, len(found) // SAMPLED)]]
    return hashlib.sha256(repr((found, sizes)).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _size(path):
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _at(content, key):
    for name in key.split("."):
        content = content.get(name) if isinstance(content, dict) else None
    text = repr(content)
    return text if len(text) < 60 else text[:57] + "..."
