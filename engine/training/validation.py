"""Show the networks of a run on the way: previews, validation scores, the best weights so far."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from engine import images
from engine.errors import InputError
from engine.files import write_json
from engine.log import logger
from engine.run_config import BestConfig
from engine.system import evaluating
from engine.training.checkpoint import write_networks

BEST, NOTE = "best.pdparams", "best.json"


def preview_grid(system: Any, batch: dict[str, Any], networks: dict[str, Any]) -> np.ndarray | None:
    """[H, W, 3] in [0, 1]: what the system shows of at most four pictures of a batch; None where it shows nothing."""
    if not system.shown:
        return None
    with evaluating(networks):
        columns = batch | system.generate(batch, networks)
    shown = [name for name in system.shown if name in columns]
    rows = [[images.to_hwc(columns[name][i]) for name in shown] for i in range(min(4, len(batch["name"])))]
    return images.picture_grid(rows, labels=shown)


def best_so_far(folder: Path, config: BestConfig) -> float | None:
    """The value best.json holds, or None where there is none of this score.

    Raises:
        InputError: the file is damaged.
    """
    note = folder / NOTE
    if not note.is_file():
        return None
    try:
        found = json.loads(note.read_text(encoding="utf-8"))
        return float(found["value"]) if found["score"] == config.score else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError, OverflowError):
        raise InputError(f"{note}: is damaged; expected score, value and step. Remove it to start a new best") from None


def keep_best(folder: Path, config: BestConfig, step: int, scores: dict[str, float], networks: dict[str, Any]) -> None:
    """Write best.pdparams and best.json where the configured score is better than all before it in this folder.

    Args:
        folder: of the run.
        config: the score's name and which way is better.
        step: steps done.
        scores: of this validation.
        networks: {name: {key: array}} to keep.

    Raises:
        InputError: there is no such score.
    """
    name, better = config.score, config.better
    if name not in scores:
        raise InputError(f"train.best.score: no score '{name}'; validation gives {', '.join(sorted(scores))}")
    before, value = best_so_far(folder, config), float(scores[name])
    if before is None or (value < before if better == "lower" else value > before):
        write_networks(folder / BEST, networks)
        write_json(folder / NOTE, {"score": name, "value": value, "step": step}, None)
        logger.info(f"best {name} so far: {value:.4f}; {folder / BEST}")
