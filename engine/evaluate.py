"""Scores of generated pictures against the true ones, picture by picture."""

import numpy as np

from engine import images
from engine.log import progress


def evaluate(system, networks, batches, metrics, show=0, hole_metrics=None, fills=None):
    """Mean scores over a set.

    Args:
        system: the System; `scored` names the pictures that are compared with the batch's `image`.
        networks: name -> layer, in evaluation mode.
        batches: EvaluationBatches.
        metrics: name -> function of two [H, W, 3] uint8 pictures.
        show: number of pictures kept for a picture sheet.
        hole_metrics: for batches with a `mask`: name -> function of two pictures and the mask [H, W, 1].
        fills: for batches with a `mask`: name -> function of picture and mask to a picture; scored as well.

    Returns:
        dict with `scores` ("psnr/restored": mean), `rows` (one dict a picture: name and scores; with a mask also the
        `hole` ratio and the `border` the data set tells), `sheet` (rows of pictures in the order of `system.shown`).
    """
    rows, sheet = [], []
    for batch in progress(batches, len(batches), "batch"):
        pictures = batch | system.generate(batch, networks)
        wanted = {*system.scored, *system.shown, "image"}
        arrays = {name: images.to_uint8(images.to_hwc(pictures[name])) for name in wanted}
        for i, name in enumerate(batch["name"]):
            target, own = arrays["image"][i], {kind: arrays[kind][i] for kind in system.scored}
            row = {"name": name}
            if "mask" in batch:
                mask = images.to_hwc(batch["mask"][i])
                own |= {kind: fill(target, mask) for kind, fill in (fills or {}).items()}
                row |= {"hole": float(mask.mean()), "border": batch["border"][i]}
                row |= _scores(own, target, hole_metrics or {}, mask)
            rows.append(row | _scores(own, target, metrics))
            if len(sheet) < show:
                sheet.append([arrays[kind][i] / 255 for kind in system.shown])
    names = [key for key in rows[0] if "/" in key]
    return {"scores": {key: float(np.mean([row[key] for row in rows])) for key in names}, "rows": rows, "sheet": sheet}


def _scores(pictures, target, metrics, *mask):
    """{"metric/kind": score} of every picture."""
    return {f"{metric}/{kind}": float(function(picture, target, *mask))
            for metric, function in metrics.items() for kind, picture in pictures.items()}
