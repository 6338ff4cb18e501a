"""What is left of a face after it was covered and completed: one row of scores for every way of completing it.

Source: the landmark inpainting project, tables 1 to 3 (image errors, detection, identification).
Differs: errors are given for the hole as well, and a row says how far the landmarks of the face moved (normalised mean
error); the identification error columns, 100 % less the accuracy, are left out.
"""

import numpy as np

from metric.holes import hole_mse, hole_psnr, hole_ssim
from metric.identification import top
from metric.landmarks import normalised_mean_error
from metric.pixel import mse
from metric.psnr_ssim import psnr, ssim

WHOLE = {"mse": mse, "psnr": psnr, "ssim": ssim}
HOLE = {"hole_mse": hole_mse, "hole_psnr": hole_psnr, "hole_ssim": hole_ssim}
COLUMNS = {  # name -> heading, format
    "mse": ("MSE", "{:.4f}"),
    "psnr": ("PSNR", "{:.2f}"),
    "ssim": ("SSIM", "{:.4f}"),
    "hole_mse": ("hole MSE", "{:.4f}"),
    "hole_psnr": ("hole PSNR", "{:.2f}"),
    "hole_ssim": ("hole SSIM", "{:.4f}"),
    "nme": ("NME %", "{:.2f}"),
    "face": ("face found %", "{:.1f}"),
    "top1": ("Top-1 %", "{:.1f}"),
    "top5": ("Top-5 %", "{:.1f}"),
}


class FaceScores:
    """The scores of one row, gathered batch by batch."""

    def __init__(self):
        """Of no picture."""
        self.values, self.vectors = {}, []

    def update(self, pictures, true, masks, detector=None, points=None, vectors=None):
        """Take a batch.

        Args:
            pictures: [N, H, W, 3] uint8, what this row makes of the faces.
            true: [N, H, W, 3] uint8.
            masks: [N, H, W, 1], 1 in the hole.
            detector: of metric.face_detection, or None.
            points: (found, true) landmarks, each [N, 68, 2], or None.
            vectors: [N, D] of a recogniser, or None.
        """
        for picture, target, mask in zip(pictures, true, masks, strict=True):
            for name, function in WHOLE.items():
                self._add(name, function(picture, target))
            for name, function in HOLE.items():
                self._add(name, function(picture, target, mask))
        if detector is not None:
            for score in detector(pictures):
                self._add("face", 100 * score)
        if points is not None:
            for found, wanted in zip(*points, strict=True):
                self._add("nme", 100 * normalised_mean_error(found, wanted))
        if vectors is not None:
            self.vectors.append(vectors)

    def _add(self, name, value):
        self.values.setdefault(name, []).append(float(value))

    def result(self, gallery=None, people=None):
        """{column: mean}; with a gallery also top1 and top5, in percent.

        Args:
            gallery: metric.identification.Gallery, or None.
            people: labels of the probes.
        """
        found = {name: float(np.mean(values)) for name, values in self.values.items()}
        if gallery is not None and self.vectors:
            ranks = gallery.ranks(np.concatenate(self.vectors), people)
            found |= {"top1": 100 * top(ranks, 1), "top5": 100 * top(ranks, 5)}
        return found


def to_markdown(rows, notes):
    """The table.

    Args:
        rows: heading -> {column: number}, or None for a row that was not run. A column a row lacks is shown as "-".
        notes: lines that stand below.
    """
    lines = [_line("", *(heading for heading, _ in COLUMNS.values())), _line(*["---"] * (1 + len(COLUMNS)))]
    for heading, scores in rows.items():
        cells = (
            ["not run"] * len(COLUMNS)
            if scores is None
            else [form.format(scores[name]) if name in scores else "-" for name, (_, form) in COLUMNS.items()]
        )
        lines.append(_line(heading, *cells))
    return "\n".join([*lines, "", *(f"* {note}" for note in notes)]) + "\n"


def _line(*cells):
    return "| " + " | ".join(map(str, cells)) + " |"
