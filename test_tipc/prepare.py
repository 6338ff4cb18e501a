"""Makes the data a TIPC mode reads, offline and repeatably.

python -m test_tipc.prepare test_tipc/configs/GPEN/train_infer_python.txt lite_train_lite_infer
"""

import subprocess
import sys
from pathlib import Path

from engine import cli
from engine.cli import Flag
from engine.errors import InputError
from test_tipc.parser import check_mode, read_config
from test_tipc.plan import plan
from test_tipc.process import argument_list
from test_tipc.slots import MODES

LITE_DATA = Path("lite_data")
CARICATURES = LITE_DATA / "WebCaricature"
EXPORTING = "train_infer_python_32.txt"  # its whole_infer names the weights and the folder of the exported model
DEPLOYING = {"paddle2onnx_infer_python.txt": "paddle2onnx", "train_ptq_infer_python.txt": "ptq"}


PLACES = {
    "config": Flag("a TIPC file", metavar="CONFIG", required=True),
    "mode": Flag(", ".join(MODES), metavar="MODE", required=True),
}


def main(words=None):
    """Check the file and the mode, then render what the mode needs; returns the exit status."""
    args = cli.read(__doc__, {}, words, PLACES)
    dialect = DEPLOYING.get(Path(args.config).name)
    config = read_config(args.config, dialect)
    check_mode(args.mode, (*MODES, "benchmark_train", "paddle2onnx_infer"))
    status = subprocess.run([sys.executable, "tools/make_lite_data.py", "--output", str(LITE_DATA)]).returncode
    if status == 0 and str(CARICATURES) in Path(args.config).read_text(encoding="utf-8"):
        status = subprocess.run([sys.executable, "tools/webcaricature.py", "--write", str(CARICATURES)]).returncode
    if status == 0 and dialect:
        status = export_model(Path(args.config).with_name(EXPORTING))
    if status != 0:
        return status
    needed = [Path(config.value(slot)) for slot in ("train_infer_img_dir", "image_dir") if slot in config.slots]
    for folder in needed:
        if str(folder) != "null" and not folder.exists():
            raise InputError(f"{config.path}: {folder} is missing, and no command makes it")
    print(f"{config.value('model_name')} {args.mode}: data ready in {LITE_DATA}")
    return 0


def export_model(path):
    """Export the trained model that the deployment chains start from; returns the exit status."""
    stage = plan(read_config(path), "whole_infer")[0]
    return subprocess.run(argument_list(stage.words, sys.executable)).returncode


if __name__ == "__main__":
    cli.guarded(main)
