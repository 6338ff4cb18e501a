"""The tables of landmark-guided inpainting: image errors, landmarks, detection and identification of completed faces.

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
    "blend": Flag("how holes get into pictures", choice(*BLENDS), default="composite", metavar="|".join(BLENDS)),
    "show": Flag("faces in the sheet", at_least(1), default=8, metavar="N"),
    "output_dir": Flag("where results go", default="results/landmark_tables", metavar="DIR"),
}


def judges(args, notes):
    """Scorers of what a detector, the landmark predictor and a recogniser see, those that are here."""
    from data_loader import galleries
    from engine.system import build_system
    from metric.evaluation import face_judges, face_table
    from system.landmark_rows import Landmarks

    landmarks = Landmarks(build_system(replaced(args.config, {"recipe.landmark": "none"})))
    notes += [f"NME not run: {landmarks.absent}"] if landmarks.absent else []
    found = [] if landmarks.absent else [face_table.landmark_error(landmarks)]
    if detector := face_judges.judge(face_judges.open_detector, args.detector, notes):
        found.append(face_table.detection(detector))
    if recogniser := face_judges.judge(face_judges.open_recogniser, args.recogniser, notes):
        section, own = args.config.data.validation, (args.gallery, args.gallery_pictures)
        known = galleries.known_pictures(section, *own, landmarks)
        found += face_table.identification(recogniser, known, landmarks, galleries.person, notes)
    return found


def main(argv=None):
    """Complete, score, write, print."""
    args = parse(__doc__, {"data_dir": "data.validation.root"}, argv, ("device", "batch_size", "seed"), OWN)
    from data_loader.batches import EvaluationBatches
    from deploy.filling import pasted
    from engine.system import build_dataset, choose_device
    from metric.evaluation import face_table, registry
    from metric.evaluation.evaluate import evaluate
    from system.landmark_rows import ROWS, completed_faces

    choose_device(args.device)
    config, notes = args.config, []
    if config.system != "system.landmark.LandmarkInpainting":
        raise InputError(f"{args.config_path}: is of {config.system}; expected system.landmark.LandmarkInpainting")
    check_writable(args.output_dir)
    dataset = build_dataset(config.data.validation, config.seed, training=False)
    scorers = registry.paired(face_table.ERRORS) + judges(args, notes)
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
