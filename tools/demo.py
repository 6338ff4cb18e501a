"""The table `make demo` ends with: what the TIPC chain just run did to faces it never saw, and where everything is.

python tools/demo.py
"""

import json
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from engine import images
from engine.cli import guarded, read
from engine.errors import InputError
from test_tipc.checks import METRIC
from test_tipc.closing_table import SUMMARY, stage_of, table

DATA = Path("lite_data/val")
FOLDER = Path("results/demo")
SHEET_ROWS = 6


def scores_of(weights, evaluation):
    """Metrics of other weights under the chain's own evaluation command; name -> value."""
    command = evaluation["command"].split()
    words = [f"--pretrained={weights}" if word.startswith("--pretrained=") else word for word in command[1:]]
    run = subprocess.run([sys.executable, *words, f"--result_dir={FOLDER}/start"], capture_output=True, text=True)
    if run.returncode:
        raise InputError(f"scoring {weights} failed: {run.stderr.strip() or run.stdout.strip()}")
    return {name: float(value) for name, value in METRIC.findall(run.stdout)}


def write_sheet(restored_folder):
    """Degraded input, output of the exported model and original side by side; returns the file."""
    rows = []
    for degraded in images.list_images(DATA / "lq")[:SHEET_ROWS]:
        restored = images.read_image(restored_folder / f"{degraded.stem}_predict.png")
        before, original = (
            images.resize(images.read_image(path), restored.shape[:2], "area")
            for path in (degraded, DATA / "hq" / degraded.name)
        )
        rows.append([before, restored, original])
    path = FOLDER / "before_after.png"
    images.write_image(path, images.picture_grid(rows, labels=["degraded", "restored", "original"]))
    return path


def main(argv=None):
    """Read the chain's summary, score the starting weights, draw the sheet, print; exit status 1 for a failed chain."""
    read(__doc__, {}, argv)
    if not SUMMARY.is_file():
        raise InputError(f"{SUMMARY}: not there; run make demo")
    report = json.loads(SUMMARY.read_text(encoding="utf-8"))
    if not report["ok"]:
        print(f"the chain failed; {SUMMARY} says where", file=sys.stderr)
        return 1
    start = stage_of(report, "train")["facts"]["start"]
    before = scores_of(start, stage_of(report, "eval")) if start else {}
    sheet = write_sheet(Path(stage_of(report, "infer")["facts"]["folder"]))
    print("\n".join(["", *table(report, before, sheet)]))
    return 0


if __name__ == "__main__":
    guarded(main)
