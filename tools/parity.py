"""Compare this project with recorded outputs and gradients of the official networks, one JSON line a case and key.

    python tools/parity.py ../shared/golden
    python tools/parity.py ../shared/golden --case 'gpen_*'

The folder holds meta.json and one .npz a case (weights, inputs, expected values). Weights are stored or come from the
recipe that meta.json names, which tests/parity implements: nothing in the folder is executed.

Values are computed in float32. A gradient, or a value made of gradients, that misses its tolerance there is computed
again in float64 and its line says so: two right float32 programs differ by 1e-3 where the input of one leaky ReLU lies
within rounding of zero. The float32 error must still stay below 5 %.

Exit status: 0 all agree, 1 a key differs, 2 a case cannot be read or built (the reason is on standard error).
"""

import fnmatch
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from engine.cli import Flag, guarded, read
from engine.errors import InputError
from tests.parity import case_lines, functions_of, read_meta

PLACES = {"folder": Flag("folder with meta.json and the .npz files", metavar="DIR", required=True)}
FLAGS = {"case": Flag("only cases whose name matches, e.g. 'gpen_*'", default="*", metavar="PATTERN")}


def main(argv=None):
    """Run the comparison and return the exit status."""
    args = read(__doc__, FLAGS, argv, PLACES)
    cases = read_meta(args.folder)
    chosen = fnmatch.filter(cases, args.case)
    if not chosen:
        raise InputError(f"{args.folder}: no case matches '{args.case}'")
    return max(report(args.folder, name, cases[name]) for name in chosen)


def report(folder, name, entry):
    """Print the lines of one case -> its exit status."""
    if not functions_of(name):
        print(json.dumps({"case": name, "covered": False}))
        return 0
    try:
        lines = list(case_lines(folder, name, entry))
    except Exception as error:  # any reason a case cannot be built is reported, and the other cases still run
        reason = str(error).strip().splitlines()[-1:] or [""]
        print(f"{name}: cannot be built: {type(error).__name__}: {reason[0]}", file=sys.stderr)
        return 2
    for line in lines:
        print(json.dumps(line), flush=True)
    return 0 if all(line["ok"] for line in lines) else 1


if __name__ == "__main__":
    guarded(main)
