"""Scores of what a system makes: picture by picture against the true ones, and of the set as a whole."""

import numpy as np

from engine import images
from engine.log import progress


def evaluate(
    system, networks, batches, metrics, show=0, *, hole_metrics=None, fills=None, set_metrics=None, observe=None
):
    """Mean scores over a set.

    Args:
        system: the System; `scored` names the pictures that are compared with the batch's `image`.
        networks: name -> layer, in evaluation mode.
        batches: EvaluationBatches.
        metrics: name -> function of two [H, W, 3] uint8 pictures.
        show: number of pictures kept for a picture sheet.
        hole_metrics: for batches with a `mask`: name -> function of two pictures and the mask [H, W, 1].
        fills: for batches with a `mask`: name -> function of picture and mask to a picture; scored as well.
        set_metrics: name -> class, or what else makes one, of a metric of the whole set, with update(pictures) for
            every batch and result() -> {score: value}; computed are those that `system.measured` names, the ending
            `_proxy` put aside.
        observe: called for every batch with its names and {kind: [N, H, W, C] in [0, 1]} of what is scored, of "image"
            and, where there is one, of "mask".

    Returns:
        dict with `scores` ("psnr/restored": mean, "verification/auc": of the set), `rows` (one dict a picture: name and
        scores; with a mask also the `hole` ratio and the `border` the data set tells), `sheet` (rows of pictures in the
        order of `system.shown`).
    """
    rows, sheet = [], []
    sets = {
        name: make() for name, make in (set_metrics or {}).items() if name.removesuffix("_proxy") in system.measured
    }
    for batch in progress(batches, len(batches), "batch"):
        pictures = batch | system.generate(batch, networks) | system.evidence(batch, networks, tuple(sets))
        for metric in sets.values():
            metric.update(pictures)
        wanted = {*system.scored, *system.shown, *(["image"] if system.scored else [])}
        arrays = {name: images.to_uint8(images.to_hwc(pictures[name])) for name in wanted}
        masks = images.to_hwc(batch["mask"]) if "mask" in batch and system.scored else None
        scored = {kind: arrays[kind] for kind in system.scored} | _filled(fills, arrays.get("image"), masks)
        if observe and system.scored:
            observe(batch["name"], _unrounded(pictures, scored, masks is not None))
        for i, name in enumerate(batch["name"]):
            row, own = {"name": name}, {kind: array[i] for kind, array in scored.items()}
            if masks is not None:
                row |= {"hole": float(masks[i].mean()), "border": batch["border"][i] if "border" in batch else "free"}
                row |= _scores(own, arrays["image"][i], hole_metrics or {}, masks[i])
            rows.append(row | (_scores(own, arrays["image"][i], metrics) if own else {}))
            if len(sheet) < show and system.shown:
                sheet.append([arrays[kind][i] / 255 for kind in system.shown])
    names = [key for key in rows[0] if "/" in key]
    scores = {key: float(np.mean([row[key] for row in rows])) for key in names}
    for name, metric in sets.items():
        scores |= {f"{name}/{score}": value for score, value in metric.result().items()}
    return {"scores": scores, "rows": rows, "sheet": sheet}


def _filled(fills, targets, masks):
    """{kind: [N, H, W, 3] uint8} of every filling."""
    if masks is None:
        return {}
    return {
        kind: np.stack([fill(target, mask) for target, mask in zip(targets, masks, strict=True)])
        for kind, fill in (fills or {}).items()
    }


def _unrounded(pictures, scored, has_mask):
    """What an observer sees, [N, H, W, C] in [0, 1]; fillings exist in 8 bits only."""
    kinds = [*scored, "image", *(["mask"] if has_mask else [])]
    return {kind: images.to_hwc(pictures[kind]) if kind in pictures else scored[kind] / 255 for kind in kinds}


def _scores(pictures, target, metrics, *mask):
    """{"metric/kind": score} of every picture."""
    return {
        f"{metric}/{kind}": float(function(picture, target, *mask))
        for metric, function in metrics.items()
        for kind, picture in pictures.items()
    }
