"""The one way to score: run a system on every batch and give its pictures to every scorer."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import numpy as np

from engine import images
from engine.errors import InputError
from engine.log import progress
from engine.system import System, evaluating
from metric.evaluation.scores import Scores
from metric.scorer import Scorer


class Batches(Protocol):
    """Batches of a set, each a dict with `name` and images [N, C, H, W] in [0, 1]."""

    def __len__(self) -> int: ...  # noqa: D105
    def __iter__(self) -> Any: ...  # noqa: D105


def evaluate(
    system: System,
    networks: dict[str, Any],
    batches: Batches,
    scorers: Iterable[Scorer],
    *,
    show: int = 0,
    fills: Mapping[str, Callable] | None = None,
) -> Scores:
    """Score a set.

    Args:
        system: the System; `scored` names the pictures that are compared with the batch's `image`, `shown` those of
            the sheet.
        networks: name -> layer; they are in evaluation mode meanwhile, and get no gradients.
        batches: e.g. EvaluationBatches.
        scorers: see metric.scorer and metric.evaluation.registry; they may be used again and again.
        show: number of pictures kept for a picture sheet.
        fills: for batches with a `mask`: name -> function of [H, W, 3] uint8 and mask to a picture; scored as well.

    Raises:
        InputError: what a network makes holds NaN or infinite values.
    """
    scores = Scores(scorers, networks)
    with evaluating(networks):
        for batch in progress(batches, len(batches), "batch"):
            made = batch | _finite(system.generate(batch, networks), batch["name"])
            compared = ["image", *system.scored] if system.scored else []
            wanted = [kind for kind in dict.fromkeys([*compared, *system.shown]) if kind in made]
            eight_bit = {kind: images.to_uint8(images.to_hwc(made[kind])) for kind in wanted}
            pictures = {kind: eight_bit[kind] for kind in compared if kind in made}
            if "mask" in batch and system.scored:
                masks = images.to_hwc(batch["mask"])
                pictures |= _filled(fills or {}, pictures["image"], masks) | {"mask": masks}
            scores.update(batch["name"], made, pictures)
            for i in range(min(len(batch["name"]), show - len(scores.sheet)) if system.shown else 0):
                scores.sheet.append([eight_bit[kind][i] / 255 for kind in system.shown])
    return scores


def _finite(made: dict[str, Any], names: list[str]) -> dict[str, Any]:
    for kind, values in made.items():
        if not np.isfinite(np.asarray(values)).all():
            raise InputError(f"{kind}: NaN or infinite values among {', '.join(names)}; expected numbers")
    return made


def _filled(fills: Mapping[str, Callable], targets: np.ndarray, masks: np.ndarray) -> dict[str, np.ndarray]:
    """{kind: [N, H, W, 3] uint8} of every filling."""
    return {
        kind: np.stack([fill(target, mask) for target, mask in zip(targets, masks, strict=True)])
        for kind, fill in fills.items()
    }
