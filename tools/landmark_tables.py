"""Print the tables of landmark-guided inpainting: image errors, landmarks, detection, identification.

python tools/landmark_tables.py -c configs/landmark_lite.yaml --weights weights/lite/landmark_lite.pdparams
python tools/landmark_tables.py -c configs/landmark_lite.yaml --weights W.pdparams --without NO_LANDMARK.pdparams
python tools/landmark_tables.py -c configs/landmark.yaml --data_dir probes --gallery gallery --weights W.pdparams

Rows: RAW, the picture; MASK, its hole in the mean colour; No landmark, completed by weights that were trained with
recipe.landmark: none; Ours, completed by --weights. A row without weights is "not run". Faces are those of the
configuration's validation set. Drawn people are identified among drawn pictures of themselves that are no probes; files
among those of --gallery, with a sub-folder a person in both folders. Without a gallery there is no Top-1 and Top-5.

Faces are aligned, and landmark errors are taken, by the true landmarks where the data has them, else by those the
landmark predictor finds in RAW. The predictor (recipe.landmark_network) also finds the landmarks that are compared. It
was trained to see through holes, so its error rises little for MASK, and where it was part of the training it flatters
Ours: the column says little about a mouth that is missing.

Writes tables.md, tables.json and sheet.png. Detectors and recognisers: metric/evaluation/face_judges.py.
"""

import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import engine  # noqa: F401  thread environment before Paddle
from engine.cli import Flag, at_least, choice, guarded, parse
from engine.config import replaced
from engine.errors import InputError
from engine.files import check_writable
from engine.settings import BLENDS
from metric.evaluation.flags import FACES

OWN = {
    "data_dir": Flag("folder with faces", metavar="DIR"),
    "weights": Flag("weights of the row Ours", aliases=("--pretrained", "-w"), metavar="FILE"),
    "without": Flag("weights of the row No landmark", metavar="FILE"),
    **FACES,
    "recogniser": Flag("sphereface, insightface:FILE or none", default="sphereface", metavar="NAME"),
    "blend": Flag("how to put fillings into pictures", choice(*BLENDS), default="composite", metavar="|".join(BLENDS)),
    "show": Flag("number of faces in the sheet", at_least(1), default=8, metavar="N"),
    "output_dir": Flag("folder for the results", default="results/landmark_tables", metavar="DIR"),
}


def main(argv=None):
    """Complete, score, write, print."""
    args = parse(__doc__, {"data_dir": "data.validation.root"}, argv, ("device", "batch_size", "seed"), OWN)
    from data_loader import galleries
    from data_loader.batches import EvaluationBatches
    from deploy.filling import pasted
    from engine.system import build_dataset, build_system, choose_device
    from metric.evaluation import face_judges, face_table, registry
    from metric.evaluation.evaluate import evaluate
    from system.landmark_rows import ROWS, Landmarks, completed_faces

    choose_device(args.device)
    config, notes = args.config, []
    if config.system != (wanted := "system.landmark.LandmarkInpainting"):
        raise InputError(f"{args.config_path}: has the system {config.system}; expected {wanted}")
    check_writable(args.output_dir)
    dataset = build_dataset(config.data.validation, config.seed, training=False)
    landmarks = Landmarks(build_system(replaced(config, {"recipe.landmark": "none"})))
    gallery = (config.data.validation, args.gallery, args.gallery_pictures, landmarks)
    known = partial(galleries.known_pictures, *gallery)
    seen = face_judges.scorers(args.detector, args.recogniser, landmarks, known, galleries.person, notes)
    scorers = [*registry.paired(face_table.ERRORS), *seen]
    weights = {"No landmark": args.without, "Ours": args.weights}
    system = completed_faces(config, weights, args.config_path, dataset, partial(pasted, mode=args.blend), notes)
    batches = EvaluationBatches(dataset, config.data.batch_size, 0)
    scores = evaluate(system, {}, batches, scorers, show=args.show)
    notes.insert(0, f"{len(scores.rows)} faces, {len(batches.skipped)} skipped; blend: {args.blend}")
    facts = {"config": str(args.config_path), "weights": {row: file and str(file) for row, file in weights.items()}}
    print(face_table.write_tables(Path(args.output_dir), scores, ROWS, notes, facts), end="")
    print(f"results in {args.output_dir}")
    return 0


if __name__ == "__main__":
    guarded(main)
