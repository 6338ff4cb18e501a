"""Does a detector still find a face? A score in [0, 1] a picture, 0 where none is found; the mean is what tables show.

A detector takes [N, H, W, 3] uint8 RGB pictures, each of one face that fills most of it, and gives [N] scores.

Source: the landmark inpainting project, table 2 (mean probability of a detector over the completed pictures).
Differs: a face that is not found counts as 0; the project does not say what it does.
"""

import cv2
import numpy as np
import skimage.data
from skimage.feature import Cascade

SMALLEST_SIDE = 64  # smaller pictures are enlarged: the cascade's window has 24 pixels
SMALLEST_FACE = 0.4  # of the side


class CascadeDetector:
    """scikit-image's bundled frontal-face cascade of local binary patterns; it knows yes and no: 1 or 0.

    Source: Liao et al. 2007 (multi-block local binary patterns); OpenCV's lbpcascade_frontalface.
    """

    name = "frontal-face cascade of scikit-image"

    def __init__(self):
        """Read the cascade from the package."""
        self.cascade = Cascade(skimage.data.lbp_frontal_face_cascade_filename())

    def __call__(self, pictures):
        """[N, H, W, 3] uint8 -> [N] float, 1 where a face is found."""
        return np.float64([self._finds(picture) for picture in pictures])

    def _finds(self, picture):
        factor = max(1.0, SMALLEST_SIDE / min(picture.shape[:2]))
        if factor > 1:
            picture = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_LINEAR)
        side = min(picture.shape[:2])
        least = int(SMALLEST_FACE * side)
        return bool(
            self.cascade.detect_multi_scale(
                img=picture, scale_factor=1.1, step_ratio=1, min_size=(least, least), max_size=(side, side)
            )
        )


class SCRFDDetector:
    """InsightFace's SCRFD as an ONNX file, through onnxruntime: the highest score of all its anchors.

    Source: Guo et al. 2021 (SCRFD); reference code: deepinsight/insightface python-package, model_zoo/scrfd.py (input
    (RGB - 127.5) / 128; outputs of one column are scores).
    """

    def __init__(self, session, name, side=256):
        """`session`: onnxruntime.InferenceSession; `side`: of the square it is given, a multiple of 32."""
        self.session, self.name, self.side = session, name, side

    def __call__(self, pictures):
        """[N, H, W, 3] uint8 -> [N] float in [0, 1]."""
        return np.float64([self._score(picture) for picture in pictures])

    def _score(self, picture):
        resized = cv2.resize(picture, (self.side, self.side), interpolation=cv2.INTER_LINEAR)
        blob = np.ascontiguousarray((np.float32(resized) - 127.5).transpose(2, 0, 1)[None] / 128)
        outputs = self.session.run(None, {self.session.get_inputs()[0].name: blob})
        return max(float(output.max()) for output in outputs if output.shape[-1] == 1)
