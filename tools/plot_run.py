"""Draw a training run as one picture: losses, validation, learning rates, the newest preview.

python tools/plot_run.py runs/gpen_lite --output curves.png
python tools/plot_run.py runs/gpen_lite --table gpen_lite.csv
"""

import csv
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


from engine.errors import InputError
from engine.files import replacing
from engine.flags import Flag, guarded, read

FLAGS = {
    "output": Flag("picture to write; default: RUN/curves.png", metavar="FILE"),
    "table": Flag("also write the numbers, a step a line, as CSV", metavar="FILE"),
}
PLACES = {"run": Flag("run folder, with metrics.jsonl", metavar="RUN", required=True)}
PANELS = {"losses": "", "validation": "validation/", "learning rates": "lr/"}
OTHER = ("step", "ips")


def curves(path):
    """Panel -> {name: [(step, value)]} of a metrics.jsonl; a last line that was cut off is left out."""
    found = {panel: {} for panel in PANELS}
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
            step = record["step"]
        except (ValueError, KeyError, TypeError):
            if number == len(lines):
                break
            raise InputError(f"{path}: line {number} is no record of a run") from None
        for name, value in record.items():
            panel = next((panel for panel, start in PANELS.items() if start and name.startswith(start)), "losses")
            if name not in OTHER and isinstance(value, (int, float)):
                found[panel].setdefault(name.removeprefix(PANELS[panel]), []).append((step, value))
    return {panel: lines for panel, lines in found.items() if lines}


def write_table(panels, path):
    """Every number at its step, to five digits; an empty cell: not written at that step."""
    columns = {PANELS[panel] + name: dict(points) for panel, lines in panels.items() for name, points in lines.items()}
    steps = sorted({step for points in columns.values() for step in points})
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["step", *columns])
        for step in steps:
            rows.writerow([step, *(f"{points[step]:.5g}" if step in points else "" for points in columns.values())])


def drawn(panels, preview, title):
    """The figure."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    from engine.images import read_image

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


def main():
    """Read, draw, say where."""
    args = read(__doc__, FLAGS, places=PLACES)
    metrics = Path(args.run) / "metrics.jsonl"
    if not metrics.is_file():
        raise InputError(f"{metrics}: no such file; expected a run folder, as train.py --output_dir names it")
    if not (panels := curves(metrics)):
        raise InputError(f"{metrics}: holds no numbers yet; train.log_every says how often they come")
    previews = sorted((Path(args.run) / "samples").glob("*.png"))
    output = Path(args.output or Path(args.run) / "curves.png")
    with replacing(output) as temporary:
        drawn(panels, previews[-1] if previews else None, Path(args.run).name).savefig(temporary, format="png", dpi=110)
    print(output)
    if args.table:
        write_table(panels, Path(args.table))
        print(args.table)


if __name__ == "__main__":
    guarded(main)
