"""Verification of faces: TAR at FAR 0.1 % and 1 %, AUC and accuracy, means over ten folds with their spread.

python tools/verify_faces.py -c configs/sphereface_lite.yaml --pretrained weights/lite/sphereface_lite.pdparams
python tools/verify_faces.py --root data/WebCaricature --pretrained 'runs/fold_{fold}/latest.pdparams'
python tools/verify_faces.py --root data/WebCaricature --pretrained runs/view1/latest.pdparams --protocol seed

Without --root: all photo-caricature pairs of the configuration's validation people, dealt into ten folds, for the
network and for two baselines that see colour alone. With --root: WebCaricature's View 2, by the protocol files.

official  restricted: the pairs of RestrictedView2; unrestricted: all photo-caricature pairs of a fold's people. Nobody
          of a fold may have been trained on: weights of ten trainings, one a fold ({fold} in the name; the training is
          the configuration with data.train.fold set), or weights that never saw the data set (--trained none).
          Anything else is refused.
seed      one model (with {fold}: that of fold 1) for all folds, 1000 random pairs of each sort a fold, kinds mixed at
          will: leaky, printed for comparison with the published 94.58 only.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cv2  # noqa: E402
import numpy as np  # noqa: E402

from data_loader import webcaricature  # noqa: E402
from data_loader import webcaricature_files as files  # noqa: E402
from data_loader.batches import EvaluationBatches  # noqa: E402
from deploy.training_form import DynamicGraph  # noqa: E402
from engine.build import build_dataset, build_system
from engine.cli import Flag, choice, guarded, parse  # noqa: E402
from engine.errors import InputError  # noqa: E402
from engine.files import write_text  # noqa: E402
from engine.weights.networks import trained_networks
from metric.verification import Verification, cosines, fold_figures, pair_scores, summary, too_few_pairs  # noqa: E402

SEED_PAIRS = 1000  # of each sort a fold
BINS = 8  # of a colour histogram, a channel
OWN = {
    "pretrained": Flag("weights; {fold} stands for the number of the fold", aliases=("-w",), metavar="FILE"),
    "root": Flag("WebCaricature's folder", metavar="DIR"),
    "protocol": Flag(
        "how the pairs are chosen", choice("official", "seed", "both"), default="official", metavar="official|seed|both"
    ),
    "trained": Flag(
        "people trained on: those of the configuration, none, or a file of names",
        default="config",
        metavar="config|none|FILE",
    ),
    "output": Flag("file for the figures", metavar="JSON"),
}


def mean_colour(images):
    """[N, 3, H, W] in [0, 1] -> [N, 3], less one half."""
    return images.mean((2, 3)) - 0.5


def colour_histogram(images):
    """[N, 3, H, W] in [0, 1] -> [N, BINS ** 3]: shares of the colours."""
    levels = np.minimum((images * BINS).astype(int), BINS - 1)
    cells = (levels[:, 0] * BINS + levels[:, 1]) * BINS + levels[:, 2]
    return np.stack([np.bincount(cell.ravel(), minlength=BINS**3) for cell in cells]) / cells[0].size


class Faces:
    """Embeddings of a data set: `vectors` [N, D], `identities`, `is_caricature`, `names`, in the data set's order."""

    def __init__(self, dataset, embed, batch_size):
        """`embed`: [N, 3, H, W] in [0, 1] -> [N, D]."""
        batches = list(EvaluationBatches(dataset, batch_size, 0))
        self.vectors = np.concatenate([embed(batch["image"].numpy()) for batch in batches])
        self.identities, self.is_caricature = (
            np.concatenate([batch[key].numpy() for batch in batches]) for key in ("identity", "is_caricature")
        )
        self.names = [name for batch in batches for name in batch["name"]]

    def unrestricted(self):
        """(positive, negative) scores of all photo-caricature pairs."""
        return pair_scores(self.vectors, self.identities, self.is_caricature.astype(bool))

    def restricted(self, matched, mismatched):
        """Scores of the listed pairs of Pictures.

        Raises:
            InputError: a listed picture is not in the data set.
        """
        place = {name: i for i, name in enumerate(self.names)}
        missing = next((p.name for pair in matched + mismatched for p in pair if p.name not in place), None)
        if missing:
            raise InputError(f"{missing}: a pair of RestrictedView2 names it, but it cannot be read")
        rows = [np.array([[place[p.name] for p in pair] for pair in pairs]) for pairs in (matched, mismatched)]
        return tuple(cosines(self.vectors[row[:, 0]], self.vectors[row[:, 1]]) for row in rows)

    def random_pairs(self, rng, count=SEED_PAIRS):
        """The seed's way: `count` pairs of one person and as many of two, of any kinds."""
        positive, negative = np.zeros([count, 2], int), np.zeros([count, 2], int)
        people = np.unique(self.identities)
        own = {person: np.flatnonzero(self.identities == person) for person in people}
        several = [person for person in people if len(own[person]) > 1]
        for i in range(count):
            positive[i] = rng.choice(own[rng.choice(several)], 2, replace=False)
            negative[i] = [rng.choice(own[person]) for person in rng.choice(people, 2, replace=False)]
        return tuple(cosines(self.vectors[pairs[:, 0]], self.vectors[pairs[:, 1]]) for pairs in (positive, negative))


def trained_people(word, config, fold):
    """Names of the people that weights were trained on.

    Args:
        word: "config", "none" or a file with one name a line.
        config: RunConfig of the training.
        fold: the fold its data.train is set to; None leaves it as it is.
    """
    if word == "none":
        return set()
    if word != "config":
        try:
            return set(Path(word).read_text(encoding="utf-8").splitlines())
        except OSError as error:
            raise InputError(f"--trained {word}: cannot be read ({error.strerror})") from None
    settings = config.data.train
    if webcaricature.is_from_webcaricature(settings):
        return set(webcaricature.subjects(settings.root, fold or settings.fold, training=True))
    return set(webcaricature.open_source(settings, training=True).people)


def refuse_leak(trained, tested, fold):
    """InputError where somebody of a fold was trained on: such a figure says nothing about strangers."""
    leaked = sorted(set(trained) & set(tested))
    if leaked:
        raise InputError(
            f"protocol official: {len(leaked)} of the {len(tested)} people of fold {fold} were trained on, such as "
            f"{leaked[0]}; expected weights trained with data.train.fold set, one a fold, or --trained none"
        )


class Network:
    """The system's network with the weights of a fold; kept while the file is the same."""

    def __init__(self, arguments):
        """`arguments`: of the command line."""
        self.arguments, self.file, self.system = arguments, None, build_system(arguments.config)

    def embedder(self, fold):
        """[N, 3, H, W] -> [N, D] with this fold's weights, unit vectors."""
        file = str(self.arguments.pretrained or "").replace("{fold}", str(fold)) or None
        if file != self.file or file is None:
            networks = trained_networks(self.system, file, self.arguments.config_path)
            self.file, self.graph = file, DynamicGraph(self.system.inference(networks)[""])
        return lambda images: self.graph.run({"image": images})["embedding"]


def view2_scores(arguments, protocol):
    """Setting -> folds of (positive, negative) scores over WebCaricature's View 2."""
    config, network = arguments.config, Network(arguments)
    per_fold = "{fold}" in str(arguments.pretrained)
    people, pairs = files.view2_people(arguments.root), files.view2_pairs(arguments.root)
    rng, found = np.random.RandomState(1), {}
    for fold, (tested, listed) in enumerate(zip(people, pairs, strict=True), 1):
        if protocol == "official":
            refuse_leak(trained_people(arguments.trained, config, fold if per_fold else None), tested, fold)
        settings = webcaricature.FaceSettings(
            root=arguments.root, fold=fold, filtered=False, image_size=config.recipe.image_size
        )
        dataset = webcaricature.LabelledFaces(settings, 0, training=False)
        faces = Faces(dataset, network.embedder(1 if protocol == "seed" else fold), config.data.batch_size)
        if protocol == "seed":
            found.setdefault("seed (leaky)", []).append(faces.random_pairs(rng))
        else:
            found.setdefault("official restricted", []).append(faces.restricted(*listed))
            found.setdefault("official unrestricted", []).append(faces.unrestricted())
    return found


def validation_figures(arguments):
    """Method -> figures over the configuration's validation people: the network and the colour baselines."""
    config, found = arguments.config, {}
    dataset = build_dataset(config.data.validation, config.seed, training=False)
    methods = {
        "network": Network(arguments).embedder(1),
        "mean colour": mean_colour,
        "colour histogram": colour_histogram,
    }
    for name, embed in methods.items():
        faces, metric = Faces(dataset, embed, config.data.batch_size), Verification()
        metric.update({"embedding": faces.vectors, "identity": faces.identities, "is_caricature": faces.is_caricature})
        found[name] = metric.result()
    return found


def line(name, figures):
    """One row of the table: percent but for the area; "-" for what a single fold cannot give."""

    def shown(key, scale, digits):
        if key not in figures:
            return "-"
        return f"{figures[key] * scale:.{digits}f} +- {figures[f'{key}_std'] * scale:.{digits}f}"

    return "  ".join(
        [
            f"{name:22s}",
            *(shown(key, 100, 2) for key in ("tar_far_0.1", "tar_far_1")),
            shown("auc", 1, 3),
            shown("accuracy", 100, 2),
        ]
    )


def main(argv=None):
    """Score, print, write."""
    cv2.setNumThreads(1)
    arguments = parse(__doc__, {}, argv, standing=("device", "batch_size", "seed"), own=OWN)
    print(f"{'':22s}  TAR @ FAR 0.1 %  TAR @ FAR 1 %  AUC  accuracy %")
    if arguments.root is None:
        table = validation_figures(arguments)
        notes = []
    else:
        chosen = ("official", "seed") if arguments.protocol == "both" else (arguments.protocol,)
        folds = {name: scores for one in chosen for name, scores in view2_scores(arguments, one).items()}
        table = {name: summary(fold_figures(scores)) for name, scores in folds.items()}
        notes = [f"{name}: {text}" for name, scores in folds.items() for text in too_few_pairs(scores)]
    for name, figures in table.items():
        print(line(name, figures))
    for note in notes:
        print(f"few pairs: {note}", file=sys.stderr)
    if arguments.output:
        write_text(arguments.output, json.dumps(table, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    guarded(main)
