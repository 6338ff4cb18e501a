"""The folder of a training run: its place, and the parts of an earlier run that it keeps."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from engine import config as configuration
from engine import distributed
from engine.cli import Arguments
from engine.errors import ConfigError
from engine.files import check_writable, write_text
from engine.log import logger
from engine.run_config import RunConfig
from engine.system import build_dataset
from engine.training.owner import owned
from engine.training.resume import binding, resume_folder, resume_point, saved_run

Prepared = tuple[tuple[Any, Any], dict[str, Any]]  # a result, and what has to be equal on all ranks


def settled(
    config: RunConfig, dataset: Any, checkpoint_folder: Path | None = None, pretrained: str | None = None
) -> RunConfig:
    """The configuration with what its system finds in the training set and in the weights that are given.

    A resumed run keeps what it found then, unless what that follows from (`settled_from`) has changed.

    Raises:
        ConfigError: the length of the run is still open.
    """
    kind = configuration.import_class(config.system, ("system.",), "system")
    if checkpoint_folder is not None:
        saved, now = saved_run(checkpoint_folder, config)["config"], configuration.as_dict(config)
        changed = set(configuration.differences(saved, now))
        holds = {
            key: value for key, value in _found_then(now, saved) if changed.isdisjoint(kind.settled_from.get(key, ()))
        }
        config = configuration.replaced(config, holds)
    config = kind.settle(config, dataset)
    config = kind.settle_for(config, pretrained) if pretrained and checkpoint_folder is None else config
    if config.train.steps is None:
        raise ConfigError(f"train.steps: null; {config.system} cannot compute the length of a run; set a number")
    return config


def _found_then(content: dict[str, Any], saved: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted key, saved value) of the recipe and the run's length where the configuration has null."""
    for name, value in content.items():
        earlier, key = saved.get(name), f"{prefix}{name}"
        if not prefix and name not in ("recipe", "train"):
            continue
        if isinstance(value, dict) and isinstance(earlier, dict):
            yield from _found_then(value, earlier, f"{key}.")
        elif value is None and earlier is not None:
            yield key, earlier


def run_folder(config: RunConfig, config_path: Path | str) -> Path:
    """The folder of this run: `output.dir`, or the next number below runs/<name of the YAML>."""
    if config.output.dir is not None:
        return config.output.dir
    parent = Path("runs") / Path(config_path).stem
    taken = [int(path.name) for path in parent.glob("[0-9][0-9][0-9][0-9]")] if parent.is_dir() else []
    return parent / f"{max(taken, default=0) + 1:04d}"


def newest_run(config: RunConfig, config_path: Path | str) -> Path:
    """Folder in which `--resume auto` looks: `output.dir`, or the newest numbered folder; it need not exist."""
    if config.output.dir is not None:
        return config.output.dir
    parent = Path("runs") / Path(config_path).stem
    return max(parent.glob("[0-9][0-9][0-9][0-9]"), default=parent / "0001")


def make_run_folder(folder: Path | str) -> None:
    """Make the folder, try that it can be written, and move an earlier run's files in it to `earlier_N`."""
    folder = Path(folder)
    check_writable(folder)
    earlier = [path for path in folder.iterdir() if _belongs_to_run(path)]
    if any(path.name.startswith(("step_", "replaced_")) for path in earlier):
        number = len(list(folder.glob("earlier_*"))) + 1
        kept = folder / f"earlier_{number}"
        kept.mkdir()
        for path in earlier:
            path.rename(kept / path.name)
        logger.info(f"{folder} holds an earlier run; its files are kept in {kept} (--resume {kept} goes on there)")


def _belongs_to_run(path):
    names = (
        "latest.pdparams",
        "best.pdparams",
        "best.json",
        "metrics.jsonl",
        "train.log",
        "visualdl",
        "samples",
        "config.yaml",
    )
    return path.name.startswith(("step_", "replaced_")) or path.name in names


def save_config(config: RunConfig, folder: Path | str) -> None:
    """Write the resolved configuration to `<folder>/config.yaml`."""
    write_text(Path(folder) / "config.yaml", configuration.to_yaml(config))


def with_folder(config: RunConfig, folder: Path | str) -> RunConfig:
    """The configuration with `output.dir` filled in."""
    return config.model_copy(update={"output": config.output.model_copy(update={"dir": Path(folder)})})


def git_commit() -> str:
    """Commit of the code, or "unknown" outside a git checkout."""
    try:
        command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def taken_up(args: Arguments, held: ExitStack) -> Prepared:
    """(configuration with its run folder, checkpoint to go on from or None), for `distributed.agreed`.

    From here on the folder is owned, until `held` is closed.
    """
    if args.resume:
        folder = resume_folder(args.resume, args.config, newest_run(args.config, args.config_path))
    else:
        folder = run_folder(args.config, args.config_path)
    if distributed.is_main():
        held.enter_context(owned(folder))
    found = resume_point(args.resume, folder) if args.resume else None
    if args.resume and found is None:
        logger.info("--resume auto: no checkpoint yet, starting at step 0")
    return (with_folder(args.config, folder), found), {"checkpoint": found.name if found else f"none in {folder}"}


def read(config: RunConfig, found: Path | None, pretrained: str | None) -> Prepared:
    """(configuration as it is run, training set), for `distributed.agreed`; `found`: the checkpoint to go on from."""
    training = build_dataset(config.data.train, config.seed, training=True)
    config = settled(config, training, found, pretrained)
    return (config, training), {"configuration": binding(config), "number of training pictures": len(training)}
