"""Score how surely a detector still finds a face: in [0, 1] per picture, 0 where none is found; tables show the mean.

A detector takes [N, H, W, 3] uint8 RGB pictures, each of one face that fills most of it, and gives [N] scores.

Source: the landmark inpainting project, table 2 (mean probability of a detector over the completed pictures).
Differs: a face that is not found counts as 0; the project does not say what it does.
"""

import cv2
import numpy as np


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
