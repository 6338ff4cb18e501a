"""Compare the output of a run with recorded results; fail if they differ, and if nothing was compared.

python test_tipc/compare_results.py --gt_file=test_tipc/results/python_GPEN_results_fp32.txt
    --log_file=results/test/metrics.txt
python test_tipc/compare_results.py --gt_file="test_tipc/results/python_*_fp32.txt"
    --log_file="test_tipc/output/python_infer_*_fp32_*.log"

Both forms of the official scripts are read: lines `NAME: NUMBER` (PaddleGAN) and `NAME<TAB>[NUMBERS]` (PaddleOCR,
PaddleClas). Every recorded name has to be in every log. Exit status: 0, 1 for a difference or a missing name, 2 where
there was nothing to compare.

Source: command lines and file forms of compare_results.py of PaddleGAN and PaddleOCR (read, not copied).
"""

import json
import re
import sys
from glob import glob
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from engine.cli import Flag, guarded, read
from engine.errors import InputError
from engine.files import read_text

NUMBER = re.compile(r"(?P<name>[^\t:]+): ?(?P<value>[-+]?(?:nan|inf|[0-9][0-9.]*(?:e[-+]?[0-9]+)?))\s*", re.IGNORECASE)
TABBED = re.compile(r"(?P<name>[^\t]+)\t(?P<value>[\[{0-9].*)")


FLAGS = {
    "gt_file": Flag("recorded results; a file or a pattern", metavar="FILE", required=True),
    "log_file": Flag("log of the run; a file or a pattern", metavar="FILE", required=True),
    "atol": Flag("absolute tolerance", float, default=1e-3, metavar="NUMBER"),
    "rtol": Flag("relative tolerance", float, default=1e-3, metavar="NUMBER"),
    "precision": Flag(
        "choose the files with this word in their names, if a pattern finds several", default="fp32", metavar="NAME"
    ),
}


def read_results(path):
    """{name: array} of the lines of a file that are results; others are passed over.

    Raises:
        InputError: the file cannot be read, or a result is no list of numbers.
    """
    lines = read_text(path, "results of a run").splitlines()
    found = {}
    for number, line in enumerate(lines, 1):
        match = TABBED.fullmatch(line) or NUMBER.fullmatch(line)
        if match is None:
            continue
        try:
            value = json.loads(match["value"].lower().replace("nan", "NaN").replace("inf", "Infinity"))
            found[match["name"].strip()] = np.asarray(value, np.float64).ravel()
        except (ValueError, TypeError, OverflowError, RecursionError):
            raise InputError(f"{path}:{number}: no numbers after {match['name'][:60]!r}") from None
    return found


def files(pattern, what):
    """Files that match a name or pattern; InputError if there is none."""
    found = sorted(glob(pattern)) or ([pattern] if Path(pattern).exists() else [])
    if not found:
        raise InputError(f"{what} {pattern}: matches no file, so nothing would be compared")
    return found


def differences(recorded, found, atol, rtol):
    """{name: reason} for every recorded result that a log does not give again."""
    wrong = {}
    for name, wanted in recorded.items():
        value = found.get(name)
        if value is None:
            wrong[name] = "not in the log"
        elif value.shape != wanted.shape:
            wrong[name] = f"{value.size} numbers, recorded were {wanted.size}"
        elif not np.allclose(value, wanted, atol=atol, rtol=rtol):
            worst = int(np.nanargmax(np.abs(value - wanted))) if np.isfinite(value).any() else 0
            wrong[name] = f"{value[worst]:.6g}, recorded was {wanted[worst]:.6g}"
    return wrong


def main(words=None):
    """Compare every log with the recorded results; returns the exit status."""
    args = read(__doc__, FLAGS, words)
    recorded = {}
    for path in files(args.gt_file, "--gt_file"):
        recorded |= read_results(path)
    if not recorded:
        raise InputError(f"--gt_file {args.gt_file}: holds no result, so nothing would be compared")
    status = 0
    for path in files(args.log_file, "--log_file"):
        wrong = differences(recorded, read_results(path), args.atol, args.rtol)
        for name in recorded:
            print(f"{path}: {name}: {wrong.get(name, 'agrees')}")
        status = status or int(bool(wrong))
    print(f"{len(recorded)} results compared: {'differences' if status else 'all agree'}")
    return status


if __name__ == "__main__":
    guarded(main)
