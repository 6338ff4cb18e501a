"""Judges by name: what is bundled opens, what is absent says so, an unknown name is the user's mistake."""

import sys

import numpy as np
import pytest

from data_loader.caricature_sources import LANDMARKS
from data_loader.drawn_faces.rendering import render
from engine.errors import InputError
from engine.face_alignment import TEMPLATE, aligned, five_of_68
from engine.images import to_uint8
from metric.evaluation import face_judges
from metric.evaluation.face_judges import Recogniser, open_detector, open_recogniser
from metric.scorer import Missing


def test_names():
    assert open_detector("yunet").name == "YuNet 2023mar"
    assert open_detector("none") is None and open_recogniser("none") is None
    with pytest.raises(InputError, match="--detector haar: expected one of yunet, insightface:FILE, none"):
        open_detector("haar")
    with pytest.raises(InputError, match="--recogniser cascade: expected one of the NAME of a configs"):
        open_recogniser("cascade")


def test_what_is_absent_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    for open_one in (open_detector, open_recogniser):
        with pytest.raises(Missing, match="not installed: onnxruntime"):
            open_one("insightface:det_10g.onnx")
    with pytest.raises(Missing, match="not there: .*none.pdparams"):
        face_judges.of_configuration("configs/sphereface_lite.yaml", tmp_path / "none.pdparams")


def test_a_missing_or_wrong_file(tmp_path):
    pytest.importorskip("onnxruntime")
    with pytest.raises(Missing, match="not there: .*none.onnx"):
        open_detector(f"insightface:{tmp_path / 'none.onnx'}")
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    with pytest.raises(InputError, match="bad.onnx: onnxruntime cannot load it"):
        open_recogniser(f"insightface:{tmp_path / 'bad.onnx'}")


def test_faces_are_aligned_as_in_training():
    """The five points of 68 landmarks are those of WebCaricature's 17, so are the crops."""
    face = render(3, 0, 64)
    seen = []
    recogniser = Recogniser(
        "x", lambda crops: seen.append(crops) or crops.mean((1, 2)), 0.375 * TEMPLATE, (42, 36), 0.375
    )
    vectors = recogniser(to_uint8(face.image)[None], face.landmarks[None])
    assert vectors.shape == (1, 3)
    points = np.zeros((17, 2))
    points[8:] = face.landmarks[list(LANDMARKS[8:])]
    expected, _ = aligned(np.float32(to_uint8(face.image)) / 255, points, (42, 36))
    np.testing.assert_allclose(seen[0][0], expected, atol=1e-6)
    assert five_of_68(face.landmarks).shape == (5, 2)


def test_the_bundled_recogniser_tells_drawn_people_apart():
    recogniser = open_recogniser("sphereface")
    faces = [render(100000 + i, variant, 64) for i in range(3) for variant in range(2)]
    vectors = recogniser(np.stack([to_uint8(face.image) for face in faces]), np.stack([f.landmarks for f in faces]))
    cosines = vectors @ vectors.T
    same = [cosines[2 * i, 2 * i + 1] for i in range(3)]
    other = [cosines[2 * i, 2 * j] for i in range(3) for j in range(3) if i != j]
    assert np.mean(same) > np.mean(other) + 0.2
