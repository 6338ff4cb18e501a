"""Scores of what a system makes: picture by picture against the true ones, and of the set as a whole."""

import numpy as np

from engine import images
from engine.log import progress


def evaluate(system, networks, batches, metrics, show=0, set_metrics=None):
    """Mean scores over a set.

    Args:
        system: the System; `scored` names the pictures that are compared with the batch's `image`.
        networks: name -> layer, in evaluation mode.
        batches: EvaluationBatches.
        metrics: name -> function of two [H, W, 3] uint8 pictures.
        show: number of pictures kept for a picture sheet.
        set_metrics: name -> class of a metric of the whole set, with update(pictures) for every batch and
            result() -> {score: value}; those `system.measured` names are computed.

    Returns:
        dict with `scores` ("psnr/restored": mean, "fid/photo"), `rows` (one dict a picture: name and scores), `sheet` (rows of
        pictures in the order of `system.shown`).
    """
    rows, sheet = [], []
    sets = {name: set_metrics[name]() for name in system.measured}
    for batch in progress(batches, len(batches), "batch"):
        pictures = batch | system.generate(batch, networks)
        for metric in sets.values():
            metric.update(pictures)
        wanted = {*system.scored, *system.shown, *(["image"] if system.scored else [])}
        arrays = {name: images.to_uint8(images.to_hwc(pictures[name])) for name in wanted}
        for i, name in enumerate(batch["name"]):
            scores = {f"{metric}/{kind}": float(function(arrays[kind][i], arrays["image"][i]))
                      for metric, function in metrics.items() for kind in system.scored}
            rows.append({"name": name, **scores})
            if len(sheet) < show and system.shown:
                sheet.append([arrays[kind][i] / 255 for kind in system.shown])
    names = [key for key in rows[0] if key != "name"]
    scores = {key: float(np.mean([row[key] for row in rows])) for key in names}
    for name, metric in sets.items():
        scores |= {f"{name}/{score}": value for score, value in metric.result().items()}
    return {"scores": scores, "rows": rows, "sheet": sheet}
