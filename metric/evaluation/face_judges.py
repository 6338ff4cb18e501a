"""Face detectors and recognisers that score completed faces: ours, and InsightFace files.

yunet              the detector of whole photos; needs requirements-photos.txt
NAME               a recogniser: the system of configs/NAME_lite.yaml, which gives an `embedding`, with the weights
                   that weights/lite/ has for it
insightface:FILE   an ONNX file of InsightFace: an SCRFD detector (det_10g.onnx) or a recogniser (w600k_r50.onnx); needs
                   onnxruntime
none               leaves the column out

What is not here raises Missing with a sentence that a table can show; a name nobody knows is an InputError.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import paddle

from engine import config as configuration
from engine.errors import InputError
from engine.face_alignment import TEMPLATE, face_crop, five_of_68, placed_template
from engine.face_detection import Finder
from engine.images import to_chw
from engine.system import build_system
from engine.weights.networks import trained_networks
from metric.evaluation import face_table
from metric.face_detection import SCRFDDetector
from metric.identification import ArcFaceFeatures
from metric.scorer import Missing, Scorer

ARCFACE_SIZE, ARCFACE_TEMPLATE = (112, 112), TEMPLATE + [8.0, 0.0]


class YuNetDetector:
    """YuNet, the detector that finds the faces of whole photos; its own score.

    Source: Wu et al. 2023 (YuNet).
    """

    name = "YuNet 2023mar"

    def __init__(self) -> None:
        """Open the detector; Missing says what to install."""
        try:
            self.finder = Finder()
        except InputError as error:
            raise Missing(str(error)) from error

    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        """[N, H, W, 3] uint8 -> [N] float in [0, 1]."""
        return np.array([self.finder.score(np.asarray(picture, np.float32) / 255) for picture in pictures])


class Recogniser:
    """Embeddings of faces whose landmarks are known."""

    def __init__(self, name: str, embed: Callable, template: np.ndarray, size: tuple[int, ...], scale: float):
        """`embed`: [N, height, width, 3] in [0, 1] -> [N, D]; the rest as of engine.face_alignment.face_crop."""
        self.name, self.embed, self.template, self.size, self.scale = name, embed, template, size, scale

    def __call__(self, pictures: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        """[N, H, W, 3] uint8 and [N, 68, 2] pixels -> [N, D]."""
        crops = [
            face_crop(np.asarray(picture, np.float32) / 255, five_of_68(points), self.template, self.size, self.scale)[
                0
            ]
            for picture, points in zip(pictures, landmarks, strict=True)
        ]
        return self.embed(np.stack(crops))


def open_detector(name: str) -> Any:
    """The detector of a name, or None for "none"."""
    if name == "yunet":
        return YuNetDetector()
    if name.startswith("insightface:"):
        path = name.partition(":")[2]
        return SCRFDDetector(session(path), f"InsightFace {Path(path).name}")
    _refuse("detector", name, "yunet, insightface:FILE, none")
    return None


def open_recogniser(name: str) -> Recogniser | None:
    """The Recogniser of a name, or None for "none"."""
    if Path(own := f"configs/{name}_lite.yaml").is_file():
        return of_configuration(own, f"weights/lite/{name}_lite.pdparams")
    if name.startswith("insightface:"):
        path = name.partition(":")[2]
        return Recogniser(
            f"InsightFace {Path(path).name}", ArcFaceFeatures(session(path)), ARCFACE_TEMPLATE, ARCFACE_SIZE, 1.0
        )
    _refuse("recogniser", name, "the NAME of a configs/NAME_lite.yaml, insightface:FILE, none")
    return None


def judge(open_one: Callable[[str], Any], name: str, notes: list[str]) -> Any:
    """A detector or recogniser, or None; `notes` get the line that says which, or why it is not here."""
    try:
        found = open_one(name)
    except Missing as gap:
        notes.append(f"{name}: {gap}")
        return None
    if found is not None:
        notes.append(f"{open_one.__name__.removeprefix('open_')}: {found.name}")
    return found


def scorers(
    detector: str,
    recogniser: str,
    landmarks: Any,
    known: Callable[[], tuple | str],
    person: Callable[[str], str],
    notes: list[str],
) -> list[Scorer]:
    """Scorers of what a detector, the landmark predictor and a recogniser see, those that are here.

    Args:
        detector, recogniser: names, see the module.
        landmarks: function of pictures that finds them; its `absent` says why it cannot, or nothing.
        known: gives the gallery of metric.evaluation.face_table.identification.
        person: who a picture of some name is of.
        notes: lines below the table.
    """
    notes += [f"NME not run: {landmarks.absent}"] if landmarks.absent else []
    found = [] if landmarks.absent else [face_table.landmark_error(landmarks)]
    if seen := judge(open_detector, detector, notes):
        found.append(face_table.detection(seen))
    if known_by := judge(open_recogniser, recogniser, notes):
        found += face_table.identification(known_by, known(), landmarks, person, notes)
    return found


def _refuse(kind: str, name: str, known: str) -> None:
    if name != "none":
        raise InputError(f"--{kind} {name}: expected one of {known}")


def of_configuration(config_path: str, weights: str) -> Recogniser:
    """The system of a configuration with its weights; pictures are aligned to the size it takes."""
    if not Path(weights).is_file():
        raise Missing(f"not there: {weights}")
    config = configuration.load(config_path)
    system = build_system(config)
    networks = trained_networks(system, weights, config_path)

    def embed(crops: np.ndarray) -> np.ndarray:
        with paddle.no_grad():
            return system.generate({"image": paddle.to_tensor(to_chw(crops))}, networks)["embedding"].numpy()

    size = system.inference(networks)[""].inputs[0].shape[2:]
    scale = size[1] / 96
    return Recogniser(f"{type(system).__name__}, {weights}", embed, placed_template(scale, 0), size, scale)


def session(path: str) -> Any:
    """onnxruntime.InferenceSession of a file."""
    try:
        import onnxruntime
    except ModuleNotFoundError:
        raise Missing("not installed: onnxruntime (requirements-onnx.txt)") from None
    if not Path(path).is_file():
        raise Missing(f"not there: {path}")
    try:
        return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own classes, all below Exception
        raise InputError(f"{path}: onnxruntime cannot load it ({str(error).splitlines()[0]})") from error
