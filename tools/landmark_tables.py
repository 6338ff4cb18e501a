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
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import engine  # noqa: E402, F401, I001  thread environment before Paddle
import numpy as np  # noqa: E402
import paddle  # noqa: E402

from data_loader.batches import EvaluationBatches  # noqa: E402
from data_loader.folder import ImageFolder  # noqa: E402
from data_loader.restoration import SyntheticSource  # noqa: E402
from engine import distributed, images
from engine.build import build_dataset, build_system
from engine.files import check_writable
from engine.weights.networks import trained_networks
from engine.cli import Flag, at_least, choice, guarded, parse  # noqa: E402
from engine.config import replaced
from engine.errors import InputError  # noqa: E402
from engine.files import write_text  # noqa: E402
from deploy.filling import pasted  # noqa: E402
from engine.system import BLENDS  # noqa: E402
from metric.evaluation.face_table import FaceScores, to_markdown  # noqa: E402
from metric.identification import Gallery  # noqa: E402
from model.landmark.network import MeanFill  # noqa: E402
from system.landmark import LandmarkInpainting, mean_pixel  # noqa: E402
from model.landmark_predictor.network import predict  # noqa: E402
from system.landmark_predictor import pixels  # noqa: E402
from metric.evaluation.face_judges import Absent, open_detector, open_recogniser  # noqa: E402
from metric.evaluation.suite import write_report  # noqa: E402

ROWS = ("RAW", "MASK", "No landmark", "Ours")
OWN = {
    "data_dir": Flag("folder with faces", metavar="DIR"),
    "weights": Flag("weights of the row Ours", aliases=("--pretrained", "-w"), metavar="FILE"),
    "without": Flag("weights of the row No landmark", metavar="FILE"),
    "gallery": Flag(
        "folder with a sub-folder of other pictures for every person, for faces that are files", metavar="DIR"
    ),
    "gallery_pictures": Flag("pictures of each drawn person in the gallery", at_least(1), default=3, metavar="N"),
    "detector": Flag("cascade, insightface:FILE or none", default="cascade", metavar="NAME"),
    "recogniser": Flag("sphereface, insightface:FILE or none", default="sphereface", metavar="NAME"),
    "blend": Flag(
        "how completed holes get into their pictures", choice(*BLENDS), default="composite", metavar="|".join(BLENDS)
    ),
    "show": Flag("faces in the sheet", at_least(1), default=8, metavar="N"),
    "output_dir": Flag("where results go", default="results/landmark_tables", metavar="DIR"),
}


class Completion:
    """The system of a configuration with weights: [N, 3, H, W] pictures and holes to pictures in 8 bits."""

    def __init__(self, config, weights, config_path, blend):
        """Load the weights."""
        self.system, self.blend = build_system(config), blend
        self.networks = trained_networks(self.system, weights, config_path)

    def __call__(self, batch):
        """[N, H, W, 3] uint8."""
        with paddle.no_grad():
            output = images.to_hwc(self.system.generate(batch, self.networks)["output"])
        parts = zip(output, images.to_hwc(batch["image"]), images.to_hwc(batch["mask"]), strict=True)
        return np.stack([images.to_uint8(pasted(*part, self.blend)) for part in parts])


class Landmarks:
    """The landmark predictor on pictures in 8 bits; `absent` says why there is none."""

    def __init__(self, system):
        """`system`: LandmarkInpainting."""
        self.size, path = system.config.landmark_size, system.config.landmark_network
        self.absent = "" if path.exists() else f"not there: {path}"
        self.network = None if self.absent else system.frozen_predictor()

    def __call__(self, pictures):
        """[N, H, W, 3] uint8 -> [N, 68, 2] pixels, or None without a predictor."""
        if self.network is None:
            return None
        with paddle.no_grad():
            found = predict(self.network, paddle.to_tensor(images.to_chw(pictures).astype("float32") / 255), self.size)
        return pixels(found, pictures.shape[2]).numpy()


def opened(open_one, name, notes):
    """A judge, or None with a line in `notes` where it is not here."""
    try:
        judge = open_one(name)
    except Absent as absent:
        notes.append(f"{name}: {absent}")
        return None
    if judge is not None:
        notes.append(f"{open_one.__name__.removeprefix('open_')}: {judge.name}")
    return judge


def drawn_gallery(section, count):
    """(pictures [M, H, W, 3] uint8, landmarks [M, 68, 2], people) of a drawn set's people, none of them a probe."""
    own = section.synthetic
    source = SyntheticSource(own.model_copy(update={"variants": own.variants + count}), section.image_size)
    chosen = range(own.variants * source.num_identities, len(source))
    pictures = [images.to_uint8(source.read(i)) for i in chosen]
    return np.stack(pictures), np.stack([source.landmarks(i) for i in chosen]), [person(source.name(i)) for i in chosen]


def folder_gallery(folder, section, landmarks):
    """The same of a folder with a sub-folder a person; landmarks are the predictor's."""
    source = ImageFolder(folder, (section.image_size,) * 2, section.resize_kernel)
    pictures = np.stack([images.to_uint8(source.read(i)) for i in range(len(source))])
    return pictures, landmarks(pictures), [person(source.name(i)) for i in range(len(source))]


def person(name):
    """Who a picture is of: "face_00042_3" is drawn, of 00042; "someone/12" is a file, of someone."""
    return name.partition("/")[0] if "/" in name else name.rpartition("_")[0]


def gallery_of(arguments, section, recogniser, landmarks, notes):
    """The Gallery of the recogniser's embeddings, or None with a line in `notes`."""
    if recogniser is None:
        return None
    if section.root is None:
        found = drawn_gallery(section, arguments.gallery_pictures)
    elif arguments.gallery and landmarks.network is not None:
        found = folder_gallery(arguments.gallery, section, landmarks)
    else:
        reason = landmarks.absent and f"landmark predictor {landmarks.absent}" or "no --gallery given"
        notes.append(f"Top-1 and Top-5 not run: {reason}")
        return None
    pictures, points, people = found
    notes.append(f"gallery: {len(people)} pictures of {len(set(people))} people, none of them a probe")
    return Gallery(recogniser(pictures, points), people)


def chosen_fill(completions, config, dataset, notes):
    """The MeanFill of the row MASK: of the weights, else of the configuration, else of the probes themselves."""
    for completion in completions.values():
        return completion.system.fill
    known = config.recipe.mean_pixel or tuple(mean_pixel(dataset))
    notes.append(
        f"mean pixel {[round(value, 4) for value in known]}: of the "
        f"{'configuration' if config.recipe.mean_pixel else 'probes'}"
    )
    return MeanFill(known)


def main(argv=None):
    """Complete, score, write, print."""
    arguments = parse(
        __doc__, {"data_dir": "data.validation.root"}, argv, standing=("device", "batch_size", "seed"), own=OWN
    )
    config, section, notes = arguments.config, arguments.config.data.validation, []
    distributed.start(arguments.device)
    if config.system != f"system.landmark.{LandmarkInpainting.__name__}":
        raise InputError(f"{arguments.config_path}: is of {config.system}; expected system.landmark.LandmarkInpainting")
    check_writable(arguments.output_dir)
    plain = replaced(config, {"recipe.landmark": "none"})
    given = {"No landmark": (plain, arguments.without), "Ours": (config, arguments.weights)}
    completions = {
        row: Completion(which, file, arguments.config_path, arguments.blend)
        for row, (which, file) in given.items()
        if file
    }
    dataset = build_dataset(section, config.seed, training=False)
    landmarks = Landmarks(build_system(plain))
    if landmarks.absent:
        notes.append(f"NME not run: landmark predictor {landmarks.absent}")
    detector = opened(open_detector, arguments.detector, notes)
    recogniser = opened(open_recogniser, arguments.recogniser, notes)
    gallery = gallery_of(arguments, section, recogniser, landmarks, notes)
    fill = chosen_fill(completions, config, dataset, notes)
    batches = EvaluationBatches(dataset, config.data.batch_size, 0)
    table, sheet, count = score(
        batches, completions, fill, detector, recogniser if gallery else None, landmarks, gallery, arguments.show
    )
    notes = [f"{count} faces, {len(batches.skipped)} skipped; blend: {arguments.blend}", *notes]
    write(Path(arguments.output_dir), table, sheet, notes, given, arguments.config_path)
    return 0


def score(batches, completions, fill, detector, recogniser, landmarks, gallery, show):
    """({row: scores or None}, rows of the sheet, number of faces)."""
    rows, people, sheet = {row: FaceScores() for row in ROWS if row in completions or row in ROWS[:2]}, [], []
    for batch in batches:
        true, masks = images.to_uint8(images.to_hwc(batch["image"])), images.to_hwc(batch["mask"])
        made = {"RAW": true, "MASK": images.to_uint8(images.to_hwc(fill(batch["image"], batch["mask"])))}
        made |= {row: completion(batch) for row, completion in completions.items()}
        points = batch["landmarks"].numpy() if "landmarks" in batch else landmarks(true)
        for row, scores in rows.items():
            found = landmarks(made[row])
            scores.update(
                made[row],
                true,
                masks,
                detector,
                None if found is None else (found, points),
                recogniser(made[row], points) if recogniser else None,
            )
        people += [person(name) for name in batch["name"]]
        sheet += [[made[row][i] / 255 for row in rows] for i in range(min(len(true), show - len(sheet)))]
    table = {row: rows[row].result(gallery, people) if row in rows else None for row in ROWS}
    return table, sheet, len(people)


def write(folder, table, sheet, notes, given, config_path):
    """tables.md, tables.json, sheet.png; the table is printed."""
    text = to_markdown(table, notes)
    images.write_image(folder / "sheet.png", images.picture_grid(sheet, [row for row in table if table[row]]))
    write_text(folder / "tables.md", text)
    weights = {row: str(file) if file else None for row, (_, file) in given.items()}
    write_report(
        folder / "tables.json", {"config": str(config_path), "weights": weights, "notes": notes, "rows": table}
    )
    print(text, end="")
    print(f"results in {folder}")


if __name__ == "__main__":
    guarded(main)
