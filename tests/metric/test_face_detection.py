"""Detectors: the cascade finds drawn faces and no noise; SCRFD's input and scores are those of its reference code."""

import numpy as np

from data_loader.drawn_faces.rendering import render
from engine.images import resize, to_uint8
from metric.face_detection import CascadeDetector, SCRFDDetector


def test_the_cascade_finds_faces_only():
    faces = np.stack([to_uint8(render(i, 0, 64).image) for i in range(6)])
    detector = CascadeDetector()
    assert detector(faces).mean() >= 0.8
    noise = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3)).astype(np.uint8)
    np.testing.assert_array_equal(detector(noise), 0)


def test_small_pictures_are_enlarged():
    faces = np.stack([to_uint8(resize(render(i, 0, 64).image, (32, 32), "area")) for i in range(4)])
    assert CascadeDetector()(faces).mean() >= 0.5


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
