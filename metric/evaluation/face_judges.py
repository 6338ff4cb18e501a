"""Who judges completed faces: detectors and recognisers by name, those of the project and those of InsightFace files.

cascade            scikit-image's bundled frontal-face cascade; nothing to fetch
sphereface         configs/sphereface_lite.yaml with weights/lite/sphereface_lite.pdparams, trained on drawn people
insightface:FILE   an ONNX file of InsightFace: an SCRFD detector (det_10g.onnx) or a recogniser (w600k_r50.onnx); needs
                   onnxruntime
none               leaves the column out

What is not here raises Absent with a sentence that a table can show; a name nobody knows is an InputError.
"""

from pathlib import Path

import numpy as np

from data_loader.face_alignment import TEMPLATE, face_crop, five_of_68, placed_template
from deploy.training_form import DynamicGraph
from engine import config as configuration
from engine.build import build_system
from engine.errors import InputError
from engine.images import to_chw
from engine.weights.networks import trained_networks
from metric.face_detection import CascadeDetector, SCRFDDetector
from metric.identification import ArcFaceFeatures

SPHEREFACE = ("configs/sphereface_lite.yaml", "weights/lite/sphereface_lite.pdparams")
ARCFACE_SIZE, ARCFACE_TEMPLATE = (112, 112), TEMPLATE + [8.0, 0.0]


class Absent(Exception):
    """A judge that is not here; the text says what is missing."""


class Recogniser:
    """Embeddings of faces whose landmarks are known."""

    def __init__(self, name, embed, template, size, scale):
        """`embed`: [N, height, width, 3] in [0, 1] -> [N, D]; the rest as of data_loader.face_alignment.face_crop."""
        self.name, self.embed, self.template, self.size, self.scale = name, embed, template, size, scale

    def __call__(self, pictures, landmarks):
        """[N, H, W, 3] uint8 and [N, 68, 2] pixels -> [N, D]."""
        crops = [
            face_crop(np.float32(picture) / 255, five_of_68(points), self.template, self.size, self.scale)[0]
            for picture, points in zip(pictures, landmarks, strict=True)
        ]
        return self.embed(np.stack(crops))


def open_detector(name):
    """The detector of a name, or None for "none"."""
    if name == "cascade":
        return CascadeDetector()
    if name.startswith("insightface:"):
        path = name.partition(":")[2]
        return SCRFDDetector(session(path), f"InsightFace {Path(path).name}")
    return _none("detector", name, "cascade, insightface:FILE, none")


def open_recogniser(name):
    """The Recogniser of a name, or None for "none"."""
    if name == "sphereface":
        return sphereface(*SPHEREFACE)
    if name.startswith("insightface:"):
        path = name.partition(":")[2]
        return Recogniser(
            f"InsightFace {Path(path).name}", ArcFaceFeatures(session(path)), ARCFACE_TEMPLATE, ARCFACE_SIZE, 1.0
        )
    return _none("recogniser", name, "sphereface, insightface:FILE, none")


def _none(kind, name, known):
    if name != "none":
        raise InputError(f"--{kind} {name}: expected one of {known}")


def sphereface(config_path, weights):
    """SphereFace of a configuration with its weights."""
    if not Path(weights).is_file():
        raise Absent(f"not there: {weights}")
    config = configuration.load(config_path)
    system = build_system(config)
    graph = DynamicGraph(system.inference(trained_networks(system, weights, config_path))[""])
    size, scale = config.recipe.image_size, config.recipe.image_size[1] / 96
    return Recogniser(
        f"SphereFace, {weights}",
        lambda crops: graph.run({"image": to_chw(crops)})["embedding"],
        placed_template(scale, 0),
        size,
        scale,
    )


def session(path):
    """onnxruntime.InferenceSession of a file."""
    try:
        import onnxruntime
    except ModuleNotFoundError:
        raise Absent("not installed: onnxruntime (requirements-onnx.txt)") from None
    if not Path(path).is_file():
        raise Absent(f"not there: {path}")
    try:
        return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own classes, all below Exception
        raise InputError(f"{path}: onnxruntime cannot load it ({str(error).splitlines()[0]})") from error
