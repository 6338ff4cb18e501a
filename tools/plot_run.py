"""Draw training runs as one picture: losses, validation, learning rates, the newest preview.

python tools/plot_run.py runs/gpen_lite --output curves.png
python tools/plot_run.py runs/gpen_lite --table gpen_lite.csv
python tools/plot_run.py docs/runs --output docs/pictures/curves.png

A folder of tables becomes a picture with one row per run.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


from engine.errors import InputError
from engine.flags import Flag, guarded, read

FLAGS = {
    "output": Flag("picture to write; default: curves.png in the folder, or beside the table", metavar="FILE"),
    "table": Flag("also write the numbers of a run as CSV, one line per step", metavar="FILE"),
}
PLACES = {
    "run": Flag(
        "run folder (it holds metrics.jsonl), table of a run, or folder of such tables", metavar="RUN", required=True
    )
}


def numbers(path):
    """The panels of a metrics.jsonl or a table; InputError where it holds none."""
    from engine.training.curves import curves

    if not (panels := curves(path)):
        raise InputError(f"{path}: holds no numbers yet; train.log_every sets how often they are written")
    return panels


def main():
    """Read, draw, say where."""
    args = read(__doc__, FLAGS, places=PLACES)
    from engine.training.curves import drawn, drawn_together, write_figure, write_table

    run = Path(args.run)
    metrics, folder = run / "metrics.jsonl", run if run.is_dir() else run.parent
    tables = [] if metrics.is_file() else sorted(run.glob("*.csv"))
    if tables and args.table:
        raise InputError(f"--table: {run} holds tables already; expected a run folder")
    if tables:
        figure = drawn_together({table.stem: numbers(table) for table in tables})
    elif run.is_file() or metrics.is_file():
        panels = numbers(run if run.is_file() else metrics)
        previews = sorted((run / "samples").glob("*.png"))
        figure = drawn(panels, previews[-1] if previews else None, run.stem)
    else:
        raise InputError(f"{metrics}: no such file; expected a run folder, as train.py --output_dir names it")
    output = Path(args.output or folder / "curves.png")
    write_figure(figure, output, few_colours=bool(tables))
    print(output)
    if args.table:
        write_table(panels, Path(args.table))
        print(args.table)


if __name__ == "__main__":
    guarded(main)
