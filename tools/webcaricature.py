"""Write procedural photos and caricatures in WebCaricature's layout, or report on a folder in that layout.

python tools/webcaricature.py --write lite_data/WebCaricature --people 20 --variants 4
python tools/webcaricature.py --report data/WebCaricature --output rejected.tsv

What is written: pictures, 17 landmarks, file lists, and the verification protocols of both views (ten folds, so at
least 20 people). A second call with the same numbers writes nothing. Some pictures are unfit, for the filter to find:
--side_faces and --misplaced say how many. The report says how many pictures of each kind the training filter keeps and
why it rejects the others; --output gets one line per rejected picture and reason.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


from engine.errors import InputError
from engine.flags import Flag, at_least, guarded, read


def share(text):
    """A number from 0 to 1."""
    if not 0 <= float(text) <= 1:
        raise argparse.ArgumentTypeError(f"expected 0 to 1, found {text}")
    return float(text)


FLAGS = {
    "write": Flag("folder to write", metavar="DIR"),
    "report": Flag("folder to read", metavar="DIR"),
    "people": Flag("number of people", at_least(20), default=20, metavar="N"),
    "variants": Flag("photos per person, and caricatures per person", at_least(1), default=4, metavar="N"),
    "side_faces": Flag("share of pictures with the head turned to a side", share, default=0.1, metavar="SHARE"),
    "misplaced": Flag("share of pictures with misplaced landmarks", share, default=0.05, metavar="SHARE"),
    "seed": Flag("seed of the people", at_least(0), default=0, metavar="N"),
    "output": Flag("file for the rejected pictures and reasons", metavar="FILE"),
}


def main(argv=None):
    """Read the command line; write or report."""
    args = read(__doc__, FLAGS, argv)
    import cv2

    from data_loader.webcaricature_writing import report, write

    cv2.setNumThreads(1)
    if (args.write is None) == (args.report is None):
        raise InputError("give either --write DIR or --report DIR")
    if args.report:
        print("\n".join(report(args.report, args.output)))
    else:
        faults = {"side_faces": args.side_faces, "misplaced": args.misplaced}
        print(write(args.write, args.people, args.variants, args.seed, **faults))


if __name__ == "__main__":
    guarded(main)
