"""Print the closing table of `make demo`: scores on faces that training never saw, and the places of all results.

python tools/demo.py
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


from engine.errors import InputError
from engine.flags import guarded, read
from engine.programs import called

FOLDER = Path("results/demo")


def scores_of(weights, evaluation):
    """Metrics of other weights under the chain's own evaluation command; name -> value."""
    from test_tipc.checks import METRIC

    command = evaluation["command"].split()
    words = [f"--pretrained={weights}" if word.startswith("--pretrained=") else word for word in command[1:]]
    printed = called(*words, f"--result_dir={FOLDER}/start")
    return {name: float(value) for name, value in METRIC.findall(printed)}


def whole_photo():
    """A drawn photo of three people, degraded as in training, beside what the shipped GFP-GAN makes of it."""
    from data_loader.group_photo import written_photo
    from engine import images

    before, words = written_photo(FOLDER, (320, 480), "configs/gfpgan_128_lite.yaml")
    weights = "weights/lite/gfpgan_128_lite.pdparams"
    called("predict.py", "-c", "configs/gfpgan_128_lite.yaml", "--pretrained", weights, *words, "-o", FOLDER)
    return images.picture_grid([[before, images.read_image(FOLDER / "photo_predict.png")]])


def main(argv=None):
    """Read the chain's summary, score the starting weights, draw the sheet, print; exit status 1 for a failed chain."""
    read(__doc__, {}, argv)
    from test_tipc.closing_table import SUMMARY, stage_of, table, write_sheet

    if not SUMMARY.is_file():
        raise InputError(f"{SUMMARY}: not there; run make demo")
    report = json.loads(SUMMARY.read_text(encoding="utf-8"))
    if not report["ok"]:
        print(f"the chain failed; {SUMMARY} says where", file=sys.stderr)
        return 1
    start = stage_of(report, "train")["facts"]["start"]
    before = scores_of(start, stage_of(report, "eval")) if start else {}
    sheet = FOLDER / "before_after.png"
    write_sheet(sheet, Path(stage_of(report, "infer")["facts"]["folder"]), whole_photo())
    print("\n".join(["", *table(report, before, sheet)]))
    return 0


if __name__ == "__main__":
    guarded(main)
