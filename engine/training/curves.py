"""The numbers of training runs as curves: read from metrics.jsonl or from a table, drawn, written as a table."""

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from engine.errors import InputError
from engine.files import replacing
from engine.images import read_image

LOSSES, RATES, VALIDATION = "losses", "learning rates", "validation: "
OTHER = ("step", "ips")
WIDE = 50  # curves whose values differ by more stand on a logarithmic axis
Curve = list[tuple[int, float]]  # (step, value)
Panels = dict[str, dict[str, Curve]]  # panel -> name in the record -> curve


def curves(path: Path) -> Panels:
    """The panels of a metrics.jsonl or of a table that `write_table` wrote: losses, each measure, learning rates.

    Raises:
        InputError: a line is no record; the last one of a metrics.jsonl may be cut off, and is left out then.
    """
    found: Panels = {}
    for record in _table(path) if path.suffix == ".csv" else _records(path):
        for name, value in record.items():
            if name not in OTHER and isinstance(value, (int, float)):
                found.setdefault(_panel(name), {}).setdefault(name, []).append((record["step"], value))
    return dict(sorted(found.items(), key=lambda item: (item[0] == RATES, item[0] != LOSSES)))


def _records(path: Path) -> Iterator[Mapping[str, Any]]:
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
            int(record["step"])
        except (ValueError, KeyError, TypeError):
            if number == len(lines):
                return
            raise InputError(f"{path}: line {number} is not a record of a run") from None
        yield record


def _table(path: Path) -> Iterator[Mapping[str, Any]]:
    with open(path, encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), 2):
            try:
                yield {name: float(cell) for name, cell in row.items() if cell} | {"step": int(row["step"])}
            except (ValueError, KeyError, TypeError):
                raise InputError(f"{path}: line {number} is not a record of a run") from None


def _panel(name: str) -> str:
    if name.startswith("validation/"):
        return VALIDATION + name.split("/")[1]
    return RATES if name.startswith("lr/") else LOSSES


def _label(panel: str, name: str) -> str:
    if panel == LOSSES:
        return name
    return name.split("/", 1 if panel == RATES else 2)[-1]


def write_table(panels: Panels, path: Path) -> None:
    """Every number at its step, to five digits; an empty cell: not written at that step."""
    columns = {name: dict(points) for lines in panels.values() for name, points in lines.items()}
    steps = sorted({step for points in columns.values() for step in points})
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["step", *columns])
        for step in steps:
            rows.writerow([step, *(f"{points[step]:.5g}" if step in points else "" for points in columns.values())])


def drawn(panels: Panels, preview: Path | None, title: str) -> Any:
    """The figure of matplotlib for one run, a picture of `preview` below the panels."""
    figure, axes = _figure(len(panels) + (preview is not None), 1, (9, 3))
    for (panel, lines), (axis,) in zip(panels.items(), axes, strict=False):
        _draw(axis, panel, panel, lines)
    if preview is not None:
        axes[-1, 0].imshow(read_image(preview))
        axes[-1, 0].set(title=preview.name, xticks=[], yticks=[])
    figure.suptitle(title)
    return figure


def drawn_together(runs: Mapping[str, Panels]) -> Any:
    """The figure of matplotlib for several runs, a row each: the losses that are minimised, and the first measure.

    Args:
        runs: title -> panels.
    """
    figure, axes = _figure(len(runs), 2, (5, 2.2))
    for (title, panels), (left, right) in zip(runs.items(), axes, strict=True):
        losses = panels.get(LOSSES, {})
        wholes = {name: points for name, points in losses.items() if name.endswith("/loss")}
        _draw(left, f"{title}: losses", LOSSES, wholes or losses)
        measure = next((panel for panel in panels if panel.startswith(VALIDATION)), None)
        if measure is None:
            right.set_axis_off()
            continue
        lines = {name: points for name, points in panels[measure].items() if name.count("/") < 3}  # no breakdowns
        _draw(right, measure, measure, lines)
    return figure


def write_figure(figure: Any, path: Path, few_colours: bool = False) -> None:
    """Write a figure of matplotlib as PNG; of lines and text alone, a palette makes it a third of the size."""
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)
        if few_colours:
            with Image.open(temporary) as picture:
                reduced = picture.convert("RGB").quantize(48)
            reduced.save(temporary, format="PNG", optimize=True)


def _figure(rows: int, columns: int, panel_inches: tuple[float, float]) -> tuple[Any, Any]:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(rows, columns, squeeze=False, layout="constrained")
    figure.set_size_inches(columns * panel_inches[0], rows * panel_inches[1])
    return figure, axes


def _draw(axis: Any, title: str, panel: str, lines: Mapping[str, Curve]) -> None:
    for name, points in lines.items():
        marker = "o" if len(points) < 20 else None
        axis.plot(*zip(*points, strict=True), label=_label(panel, name), marker=marker, markersize=3)
    values = [value for points in lines.values() for _, value in points]
    is_wide = panel == RATES or (min(values) > 0 and max(values) > WIDE * min(values))
    axis.set(title=title, xlabel="step", yscale="log" if is_wide else "linear")
    axis.legend(fontsize="x-small")
    axis.grid(alpha=0.3)
