"""The numbers of a training run as curves: read from metrics.jsonl, drawn, written as a table."""

import csv
import json
from pathlib import Path
from typing import Any

from engine.errors import InputError
from engine.files import replacing
from engine.images import read_image

PANELS = {"losses": "", "validation": "validation/", "learning rates": "lr/"}  # panel -> how the names in it begin
OTHER = ("step", "ips")
Panels = dict[str, dict[str, list[tuple[int, float]]]]  # panel -> name -> (step, value)


def curves(path: Path) -> Panels:
    """The panels of a metrics.jsonl; a last line that was cut off is left out.

    Raises:
        InputError: another line is no record.
    """
    found: Panels = {panel: {} for panel in PANELS}
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
            step = record["step"]
        except (ValueError, KeyError, TypeError):
            if number == len(lines):
                break
            raise InputError(f"{path}: line {number} is not a record of a run") from None
        for name, value in record.items():
            panel = next((panel for panel, start in PANELS.items() if start and name.startswith(start)), "losses")
            if name not in OTHER and isinstance(value, (int, float)):
                found[panel].setdefault(name.removeprefix(PANELS[panel]), []).append((step, value))
    return {panel: lines for panel, lines in found.items() if lines}


def write_table(panels: Panels, path: Path) -> None:
    """Every number at its step, to five digits; an empty cell: not written at that step."""
    columns = {PANELS[panel] + name: dict(points) for panel, lines in panels.items() for name, points in lines.items()}
    steps = sorted({step for points in columns.values() for step in points})
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["step", *columns])
        for step in steps:
            rows.writerow([step, *(f"{points[step]:.5g}" if step in points else "" for points in columns.values())])


def drawn(panels: Panels, preview: Path | None, title: str) -> Any:
    """The figure of matplotlib, a picture of `preview` below the panels."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(len(panels) + (preview is not None), 1, squeeze=False, layout="constrained")
    figure.set_size_inches(9, 3 * len(axes))
    for (panel, lines), (axis,) in zip(panels.items(), axes, strict=False):
        for name, points in lines.items():
            axis.plot(*zip(*points, strict=True), label=name, marker="o" if len(points) < 20 else None, markersize=3)
        axis.set(title=panel, xlabel="step", yscale="log" if panel == "learning rates" else "linear")
        axis.legend(fontsize="x-small")
        axis.grid(alpha=0.3)
    if preview is not None:
        axes[-1, 0].imshow(read_image(preview))
        axes[-1, 0].set(title=preview.name, xticks=[], yticks=[])
    figure.suptitle(title)
    return figure
