"""Table of completed faces: one row of scores for every way of completing them.

Source: the landmark inpainting project, tables 1 to 3 (image errors, detection, identification).
Differs: errors are given for the hole as well, and a row says how far the landmarks of the face moved (normalised mean
error); the identification error columns, 100 % less the accuracy, are left out.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from engine.files import write_text
from engine.images import picture_grid, write_image
from metric.evaluation.report import write_report
from metric.evaluation.scores import Scores
from metric.identification import Gallery, top
from metric.landmarks import normalised_mean_error
from metric.scorer import KindScorer, Scorer, scored_kinds

ERRORS = ("mse", "psnr", "ssim", "hole_mse", "hole_psnr", "hole_ssim")  # of metric.evaluation.registry
COLUMNS = {  # name -> heading, format
    "mse": ("MSE", "{:.4f}"),
    "psnr": ("PSNR", "{:.2f}"),
    "ssim": ("SSIM", "{:.4f}"),
    "hole_mse": ("hole MSE", "{:.4f}"),
    "hole_psnr": ("hole PSNR", "{:.2f}"),
    "hole_ssim": ("hole SSIM", "{:.4f}"),
    "nme": ("NME %", "{:.2f}"),
    "face": ("face score %", "{:.1f}"),
    "top1": ("Top-1 %", "{:.1f}"),
    "top5": ("Top-5 %", "{:.1f}"),
}
Find = Callable[[np.ndarray], np.ndarray]  # [N, H, W, 3] uint8 -> landmarks [N, 68, 2], or other numbers


def detection(detector: Find) -> Scorer:
    """Face score of a detector of metric.face_detection, in percent."""
    return KindScorer("face", lambda _, pictures: lambda kind: 100 * detector(pictures[kind]))


def landmark_error(find: Find) -> Scorer:
    """Normalised mean error of the landmarks found in pictures, in percent; `find`: see `true_points`."""

    def numbers(batch, pictures):
        true = true_points(batch, pictures, find)
        return lambda kind: [
            100 * normalised_mean_error(*pair) for pair in zip(find(pictures[kind]), true, strict=True)
        ]

    return KindScorer("nme", numbers)


class IdentificationScorer(Scorer):
    """Share of the faces, in percent, whose person is the nearest, or among the five nearest, of a gallery."""

    names = ("top1", "top5")

    def __init__(self, recogniser: Callable, gallery: Gallery, find: Find, person: Callable[[str], str]):
        """`recogniser(pictures, points)` gives [N, D]; `find`: see `true_points`; `person(name)`: of a picture."""
        self.recogniser, self.gallery, self.find, self.person = recogniser, gallery, find, person

    def update(self, batch: dict[str, Any], pictures: dict[str, Any]) -> dict[str, Any]:
        """0 or 100 per picture and kind."""
        true = true_points(batch, pictures, self.find)
        found: dict[str, list[float]] = {}
        people = [self.person(name) for name in batch["name"]]
        for kind in scored_kinds(pictures):
            ranks = self.gallery.ranks(self.recogniser(pictures[kind], true), people)
            found |= {f"top{count}/{kind}": [100 * top([rank], count) for rank in ranks] for count in (1, 5)}
        return found


def identification(
    recogniser: Callable, known: tuple | str, find: Find, person: Callable[[str], str], notes: list[str]
) -> list[Scorer]:
    """The IdentificationScorer of a gallery, or none; `notes` get the line about it.

    Args:
        recogniser, find, person: see IdentificationScorer.
        known: (pictures [M, H, W, 3] uint8, landmarks [M, 68, 2], people) of the gallery, or why there is none.
        notes: lines below the table.
    """
    if isinstance(known, str):
        notes.append(f"Top-1 and Top-5 not run: {known}")
        return []
    pictures, points, people = known
    notes.append(f"gallery: {len(people)} pictures of {len(set(people))} people, none of them a probe")
    return [IdentificationScorer(recogniser, Gallery(recogniser(pictures, points), people), find, person)]


def true_points(batch: dict[str, Any], pictures: dict[str, Any], find: Find) -> np.ndarray:
    """[N, 68, 2]: the batch's landmarks, or those found in its image where it has none."""
    return np.asarray(batch["landmarks"]) if "landmarks" in batch else find(pictures["image"])


def write_tables(folder: Path, scores: Scores, headings: tuple[str, ...], notes: list[str], facts: dict) -> str:
    """tables.md, tables.json and sheet.png of the pictures that were scored; returns the Markdown text.

    Args:
        folder: where they go.
        scores: of `headings`, those that were run.
        headings: rows of the table.
        notes: lines below it.
        facts: what the JSON file says besides.
    """
    means = scores.means()
    rows = {
        heading: {name: means[f"{name}/{heading}"] for name in COLUMNS if f"{name}/{heading}" in means} or None
        for heading in headings
    }
    text = to_markdown(rows, notes)
    write_image(folder / "sheet.png", picture_grid(scores.sheet, [row for row in rows if rows[row]]))
    write_text(folder / "tables.md", text)
    write_report(folder / "tables.json", facts | {"notes": notes, "rows": rows})
    return text


def to_markdown(rows: dict[str, dict | None], notes: list[str]) -> str:
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
