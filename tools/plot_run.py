"""Draw a training run as one picture: losses, validation, learning rates, the newest preview.

python tools/plot_run.py runs/gpen_lite --output curves.png
python tools/plot_run.py runs/gpen_lite --table gpen_lite.csv
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


from engine.errors import InputError
from engine.files import replacing
from engine.flags import Flag, guarded, read

FLAGS = {
    "output": Flag("picture to write; default: RUN/curves.png", metavar="FILE"),
    "table": Flag("also write the numbers as CSV, one line per step", metavar="FILE"),
}
PLACES = {"run": Flag("run folder (it holds metrics.jsonl)", metavar="RUN", required=True)}


def main():
    """Read, draw, say where."""
    args = read(__doc__, FLAGS, places=PLACES)
    from engine.training.curves import curves, drawn, write_table

    metrics = Path(args.run) / "metrics.jsonl"
    if not metrics.is_file():
        raise InputError(f"{metrics}: no such file; expected a run folder, as train.py --output_dir names it")
    if not (panels := curves(metrics)):
        raise InputError(f"{metrics}: holds no numbers yet; train.log_every sets how often they are written")
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
