"""Scores of generated pictures against the true ones, picture by picture."""

import numpy as np

from engine import images
from engine.log import progress


def evaluate(system, networks, batches, metrics, show=0, observe=None):
    """Mean scores over a set.

    Args:
        system: the System; `scored` names the pictures that are compared with the batch's `image`.
        networks: name -> layer, in evaluation mode.
        batches: EvaluationBatches.
        metrics: name -> function of two [H, W, 3] uint8 pictures.
        show: number of pictures kept for a picture sheet.
        observe: called for every batch with its names and {kind: [N, H, W, C] in [0, 1]} of what is scored, of "image"
            and, where there is one, of "mask".

    Returns:
        dict with `scores` ("psnr/restored": mean), `rows` (one dict a picture: name and scores), `sheet` (rows of
        pictures in the order of `system.shown`).
    """
    rows, sheet = [], []
    for batch in progress(batches, len(batches), "batch"):
        pictures = batch | system.generate(batch, networks)
        wanted = {*system.scored, *system.shown, "image"}
        arrays = {name: images.to_uint8(images.to_hwc(pictures[name])) for name in wanted}
        if observe and system.scored:
            kinds = (*system.scored, "image", *(["mask"] if "mask" in pictures else []))
            observe(batch["name"], {kind: images.to_hwc(pictures[kind]) for kind in kinds})
        for i, name in enumerate(batch["name"]):
            scores = {f"{metric}/{kind}": float(function(arrays[kind][i], arrays["image"][i]))
                      for metric, function in metrics.items() for kind in system.scored}
            rows.append({"name": name, **scores})
            if len(sheet) < show:
                sheet.append([arrays[kind][i] / 255 for kind in system.shown])
    names = [key for key in rows[0] if key != "name"]
    return {"scores": {key: float(np.mean([row[key] for row in rows])) for key in names}, "rows": rows, "sheet": sheet}
