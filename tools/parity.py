"""Compare this project with recorded values of the official programs: networks case by case, and whole training runs.

    python tools/parity.py ../shared/golden
    python tools/parity.py ../shared/golden --case 'gpen_*'
    python tools/parity.py ../shared/golden/traces

One JSON line a case and key: the folder holds meta.json and one .npz a case (weights, inputs, expected values). The
weights are stored or come from the recipe that meta.json names, which tests/parity implements: nothing in the folder is
executed.
Values are computed in float32. A gradient, or a value made of gradients, that misses its tolerance there is computed
again in float64 and its line says so: two right float32 programs differ by 1e-3 where the input of one leaky ReLU lies
within rounding of zero. The float32 error must still stay below 5 %; such keys are listed again at the end, on standard
error.

One JSON line a term and a network of every recorded training run (*_trace_*.npz): it is run again in float64 by this
project's own Trainer, and has to agree to 1e-10.

Exit status: 0 all agree, 1 a key, term or network differs, 2 a case or run cannot be read or built (the reason is on
standard error).
"""

import fnmatch
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from engine.errors import InputError
from engine.flags import Flag, guarded, read

PLACES = {"folder": Flag("folder with meta.json and the .npz files", metavar="DIR", required=True)}
FLAGS = {"case": Flag("compare only cases and runs with such a name, e.g. 'gpen_*'", default="*", metavar="PATTERN")}


def main(argv=None):
    """Run the comparison and return the exit status."""
    args = read(__doc__, FLAGS, argv, PLACES)
    from engine.log import progress
    from tests.parity import case_lines, functions_of, read_meta
    from tests.parity.runs import run_lines

    runs = {path.stem: path for path in sorted(Path(args.folder).glob("*_trace_*.npz"))}
    cases = read_meta(args.folder) if not runs or (Path(args.folder) / "meta.json").exists() else {}
    work = {name: (lambda name=name: case_lines(args.folder, name, cases[name])) for name in cases}
    work |= {name: (lambda path=path: run_lines(path)) for name, path in runs.items()}
    chosen = fnmatch.filter(work, args.case)
    if not chosen:
        raise InputError(f"{args.folder}: no case matches '{args.case}'")
    again, statuses = [], []
    for name in progress(chosen, len(chosen), "case"):
        if name in cases and not functions_of(name):
            print(json.dumps({"case": name, "covered": False}))
        else:
            statuses.append(report(name, work[name], again))
    for line in again:
        print("only in float64: {case} {key}, float32 error {float32_error:.1e}".format(**line), file=sys.stderr)
    return max(statuses, default=0)


def report(name, compared, again):
    """Print the lines of one case or run -> its exit status; those that needed float64 are added to `again`."""
    from tests.parity import reason

    try:
        lines = list(compared())
    except Exception as error:  # any reason a case cannot be built is reported, and the other cases still run
        print(f"{name}: cannot be built: {reason(error)}", file=sys.stderr)
        return 2
    for line in lines:
        print(json.dumps(line), flush=True)
    again += [line for line in lines if "float32_error" in line]
    return 0 if all(line["ok"] for line in lines) else 1


if __name__ == "__main__":
    guarded(main)
