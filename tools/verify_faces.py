"""Verify faces: TAR at FAR 0.1 % and 1 %, AUC and accuracy, means over ten folds with their spread.

python tools/verify_faces.py -c configs/sphereface_lite.yaml --pretrained weights/lite/sphereface_lite.pdparams
python tools/verify_faces.py --root data/WebCaricature --pretrained 'runs/fold_{fold}/latest.pdparams'
python tools/verify_faces.py --root data/WebCaricature --pretrained runs/view1/latest.pdparams --protocol seed

Without --root: all photo-caricature pairs of the configuration's validation people, dealt into ten folds, for the
network and for two baselines that see colour alone. With --root: WebCaricature's View 2, by the protocol files.

official  restricted: the pairs of RestrictedView2; unrestricted: all photo-caricature pairs of a fold's people. Nobody
          of a fold may have been trained on: weights of ten trainings, one a fold ({fold} in the name; the training is
          the configuration with data.train.fold set), or weights that never saw the data set (--trained none).
          Anything else is refused. Of n pairs of two people at most n x FAR pass.
seed      one model (with {fold}: that of fold 1) for all folds, 1000 random pairs of each sort a fold, kinds mixed at
          will, and one or two more than n x FAR pass: leaky, printed for comparison with the published 94.58 only.
          Without --root: its rule for the threshold alone.
"""

import sys
from functools import lru_cache
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import engine  # noqa: F401  thread environment before Paddle
from engine.cli import Flag, choice, guarded, parse
from engine.files import write_json

OWN = {
    "pretrained": Flag("weights; {fold} is replaced by the number of the fold", aliases=("-w",), metavar="FILE"),
    "root": Flag("WebCaricature's folder", metavar="DIR"),
    "protocol": Flag("how to choose pairs and thresholds; see above", choice("official", "seed", "both"),
                     default="official", metavar="official|seed|both"),
    "trained": Flag("people of the training: those of the configuration, none, or a file of names", default="config",
                    metavar="config|none|FILE"),
    "output": Flag("file for the figures", metavar="JSON"),
}  # fmt: skip


def main(argv=None):
    """Score, print, write."""
    args = parse(__doc__, {}, argv, standing=("device", "batch_size", "seed"), own=OWN)
    import cv2

    from data_loader import webcaricature_protocol as protocols
    from data_loader.batches import EvaluationBatches
    from engine.system import build_dataset, build_system
    from engine.weights.networks import trained_networks
    from metric.evaluation import face_pairs
    from metric.evaluation.evaluate import evaluate

    cv2.setNumThreads(1)
    config, per_fold = args.config, "{fold}" in str(args.pretrained)
    system, table, notes = build_system(config), {}, []
    networks = lru_cache(1)(lambda file: trained_networks(system, file, args.config_path))

    def scored(dataset, scorers, fold=1):
        file = str(args.pretrained or "").replace("{fold}", str(fold)) or None
        return evaluate(system, networks(file), EvaluationBatches(dataset, config.data.batch_size, 0), scorers)

    def check(fold, tested):
        trained = protocols.trained_people(args.trained, config.data.train, fold if per_fold else None)
        protocols.refuse_leak(trained, tested, fold)

    for rule in face_pairs.RULES if args.protocol == "both" else (args.protocol,):
        if args.root is None:
            dataset = build_dataset(config.data.validation, config.seed, training=False)
            table |= face_pairs.figures_by_method(scored(dataset, face_pairs.methods(rule)))
            continue
        sets = protocols.fold_sets(args.root, config.recipe.image_size, check if rule == "official" else None)
        figures, few = face_pairs.figures_by_setting(sets, scored, rule)
        table, notes = table | figures, notes + few
    print(face_pairs.table_of(table))
    print(*notes, sep="\n", end="\n" if notes else "", file=sys.stderr)
    if args.output:
        write_json(args.output, table)
    return 0


if __name__ == "__main__":
    guarded(main)
