"""Rendered faces: the same everywhere, true landmarks, one person in many pictures, caricatures that exaggerate."""

import hashlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data_loader.drawn_faces import geometry, people, photo
from data_loader.drawn_faces.relief import Relief
from data_loader.drawn_faces.rendering import CARICATURE_FACTOR, flip_landmarks, posed_face, render
from data_loader.drawn_faces.scene import Scene

ROOT = Path(__file__).resolve().parents[2]
DIGEST = (
    "import hashlib, sys; from data_loader.drawn_faces.rendering import render; "
    "f = render(3, 1, 64, 5, sys.argv[1]); print(hashlib.sha256(f.image.tobytes() + f.landmarks.tobytes()).hexdigest())"
)


@pytest.mark.slow
@pytest.mark.parametrize("style", ["photo", "caricature"])
def test_the_same_pixels_in_another_process_and_order(style):
    render(8, 0, 64, 5, style)
    face = render(3, 1, 64, 5, style)
    here = hashlib.sha256(face.image.tobytes() + face.landmarks.tobytes()).hexdigest()
    there = subprocess.run([sys.executable, "-c", DIGEST, style], cwd=ROOT, capture_output=True, text=True, check=True)
    assert there.stdout.strip() == here


@pytest.mark.parametrize("style", ["photo", "caricature"])
@pytest.mark.parametrize("size", [64, 100, 256])
def test_form_range_and_contrast(style, size):
    face = render(4, 2, size, style=style)
    assert face.image.shape == (size, size, 3) and face.image.dtype == np.float32
    assert face.landmarks.shape == (68, 2) and face.landmarks.dtype == np.float32
    assert face.image.min() >= 0 and face.image.max() <= 1 and face.image.std() > 0.1
    assert face.landmarks[17:].min() > 0 and face.landmarks[17:].max() < size


def test_landmarks_scale_with_the_picture():
    small, large = render(4, 2, 64).landmarks, render(4, 2, 256).landmarks
    np.testing.assert_allclose((large + 0.5) / 4 - 0.5, small, atol=1e-3)


def neutral(person, style="photo", angles=(0.0, 0.0, 0.0)):
    """[102, 3] points and the view of a person with no expression."""
    look = people.sampled_appearance(0, 0, 0)
    look = replace(look, expression=np.zeros(8), angles=angles, shift=np.zeros(2), zoom=1.0)
    return posed_face(person, look, 256, style)


def test_iris_lies_between_the_lids():
    checked = 0
    for identity in range(12):
        face, look = render(identity, 0, 256), people.sampled_appearance(0, identity, 0)
        if look.glasses != "none" or look.expression[-1] > 0.2 or abs(look.gaze).max() > 0.6:
            continue
        for eye in (face.landmarks[36:42], face.landmarks[42:48]):
            x, y = eye.mean(0)
            across = face.image[int(y) - 1 : int(y) + 2, int(eye[:, 0].min()) : int(eye[:, 0].max()) + 1].mean((0, 2))
            weight = np.clip(0.5 * across.max() - across, 0, None)
            darkest = int(eye[:, 0].min()) + (weight * np.arange(len(across))).sum() / weight.sum()
            assert abs(darkest - x) < 0.3 * np.ptp(eye[:, 0])
            checked += 1
    assert checked >= 6


def test_lips_are_redder_than_the_chin_below_them():
    for identity in (0, 1, 6, 7):
        person = people.sampled_identity(0, identity)
        if person.beard != "none":
            continue
        face = render(identity, 0, 256)
        lip = face.landmarks[[57, 66]].mean(0).astype(int)
        chin = (0.4 * face.landmarks[57] + 0.6 * face.landmarks[8]).astype(int)
        redness = [face.image[y, x, 0] / (face.image[y, x].sum() + 1e-6) for x, y in (lip, chin)]
        assert redness[0] > redness[1]


@pytest.mark.parametrize("yaw", [-0.35, 0.35])
def test_yaw_turns_the_nose_to_its_side(yaw):
    person = people.sampled_identity(0, 3)
    points, view, _ = neutral(person, angles=(yaw, 0.0, 0.0))
    flat = view.pixels(points)
    beside = flat[30, 0] - flat[36:48, 0].mean()
    assert np.sign(beside) == np.sign(yaw) and abs(beside) > 8


def test_pitch_and_roll_have_the_stated_sense():
    person = people.sampled_identity(0, 3)
    straight, down, leaning = (
        (lambda points, view, _: view.pixels(points))(*neutral(person, angles=a))
        for a in ((0, 0, 0), (0, 0.2, 0), (0, 0, 0.2))
    )
    height = lambda p: (p[30, 1] - p[36:48, 1].mean()) / np.ptp(p[[36, 45], 0])  # noqa: E731
    assert height(down) > height(straight) + 0.05
    assert leaning[45, 1] - leaning[36, 1] > 10


def test_a_caricature_exaggerates_by_the_stated_factor():
    person = people.sampled_identity(0, 5)
    photo, drawn = (neutral(person, style)[0] - geometry.MEAN for style in ("photo", "caricature"))
    np.testing.assert_allclose(drawn, CARICATURE_FACTOR * photo, atol=1e-12)
    assert CARICATURE_FACTOR > 1.5 and abs(photo).max() > 0.05


def test_a_person_keeps_the_shape_and_changes_the_light():
    first, second = (people.sampled_identity(2, 7) for _ in range(2))
    np.testing.assert_array_equal(first.shape, second.shape)
    looks = [people.sampled_appearance(2, 7, variant) for variant in range(2)]
    assert not np.allclose(looks[0].light, looks[1].light)
    pictures = [render(7, variant, 64, seed=2).image for variant in range(2)]
    assert abs(pictures[0] - pictures[1]).mean() > 0.03


def test_people_and_populations_differ():
    shapes = np.stack([people.sampled_identity(0, label).shape for label in range(40)])
    distance = np.linalg.norm(shapes[:, None] - shapes[None], axis=2)[~np.eye(40, dtype=bool)]
    assert distance.min() > 2
    assert not np.allclose(people.sampled_identity(0, 1).shape, people.sampled_identity(1, 1).shape)
    assert abs(render(1, 0, 64).image - render(2, 0, 64).image).mean() > 0.05


def test_light_from_the_left_brightens_the_left_cheek():
    person = people.sampled_identity(0, 7)
    cheeks = []
    for side in (-1.0, 1.0):
        light = np.array([side, -0.3, 0.8])
        look = replace(people.sampled_appearance(0, 7, 0), light=light / np.linalg.norm(light), angles=(0, 0, 0))
        points, view, canvas = posed_face(person, look, 256, "photo")
        scene = Scene(person, look, points, view, canvas, Relief(points, 0.0, 1.0, view.scale))
        photo.paint_skin(scene)
        left, right = (tuple(scene.on_surface([[x, 0.5]])[0].astype(int)[::-1]) for x in (-0.7, 0.7))
        cheeks.append(scene.image[left].mean() - scene.image[right].mean())
    assert cheeks[0] > 0.1 and cheeks[1] < -0.1


def test_the_mirror_is_an_involution_that_swaps_the_eyes():
    points = render(1, 0, 64).landmarks
    flipped = flip_landmarks(points, 64)
    np.testing.assert_allclose(flip_landmarks(flipped, 64), points, atol=1e-5)
    np.testing.assert_allclose(flipped[36], [63 - points[45, 0], points[45, 1]], atol=1e-5)
    np.testing.assert_allclose(flipped[37], [63 - points[44, 0], points[44, 1]], atol=1e-5)
    assert flipped[36:42, 0].mean() < flipped[42:48, 0].mean()
    assert flipped[0, 0] < flipped[16, 0] and flipped[48, 0] < flipped[54, 0] and flipped[57, 1] > flipped[51, 1]
    symmetric = geometry.MEAN[:68, :2] * 100 + 200
    np.testing.assert_allclose(flip_landmarks(symmetric, 401), symmetric, atol=1e-9)


def test_flip_keeps_a_batch_and_its_input():
    points = np.stack([render(i, 0, 64).landmarks for i in range(2)])
    before = points.copy()
    assert flip_landmarks(points, 64).shape == (2, 68, 2)
    np.testing.assert_array_equal(points, before)


@pytest.mark.parametrize("size, style", [(8, "photo"), (64, "sketch")])
def test_an_impossible_picture_is_refused(size, style):
    with pytest.raises(ValueError, match="expected photo or caricature"):
        render(0, 0, size, style=style)
