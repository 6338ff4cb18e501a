"""Similarities: never mirrored, MATLAB's own example, the template where it belongs; the mirror is its own inverse."""

import numpy as np
import pytest

from engine.face_alignment import (
    TEMPLATE,
    aligned,
    cp2tform,
    five_points,
    moved,
    placed_template,
    umeyama,
)

SIZE = (112, 96)


def landmarks(seed=0):
    """17 points in the order of a frontal face, around the template."""
    x = [48, 8, 48, 88, 22, 38, 58, 74, 24, 37, 59, 72, 48, 48, 33, 48, 63]
    y = [6, 60, 110, 60, 42, 40, 40, 42, 52, 51, 51, 52, 72, 88, 92, 97, 92]
    return np.stack([x, y], 1) + np.random.default_rng(seed).normal(0, 0.5, [17, 2])


def similarity(angle, scale, shift):
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[c, -s, shift[0]], [s, c, shift[1]]])


@pytest.mark.parametrize("fit", [cp2tform, umeyama])
def test_an_exact_similarity_is_found(fit):
    wanted = similarity(0.7, 1.7, (5, -30))
    np.testing.assert_allclose(fit(TEMPLATE, moved(wanted, TEMPLATE)), wanted, atol=1e-9)


def test_matlabs_documented_example():
    u, v, x, y = [0, 6, -2], [0, 3, 5], [-1, 0, 4], [-1, -10, 4]
    found = cp2tform(np.stack([u, v], 1), np.stack([x, y], 1))
    np.testing.assert_allclose(found.T, [[-0.0764, -1.6190], [1.6190, -0.0764], [-3.2156, 0.0290]], atol=5e-5)


def test_the_two_fits_differ_in_whose_error_is_least():
    source = TEMPLATE + np.random.default_rng(1).normal(0, 8, [5, 2])

    def source_error(matrix):
        inverse = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))[:2]
        return np.square(moved(inverse, TEMPLATE) - source).sum()

    def target_error(matrix):
        return np.square(moved(matrix, source) - TEMPLATE).sum()

    one, other = cp2tform(source, TEMPLATE), umeyama(source, TEMPLATE)
    assert source_error(one) < source_error(other) and target_error(other) < target_error(one)


@pytest.mark.parametrize("fit", [cp2tform, umeyama])
def test_a_strong_caricature_is_never_mirrored(fit):
    random = np.random.default_rng(2)
    for _ in range(300):
        matrix = fit(TEMPLATE + random.normal(0, 16, [5, 2]), TEMPLATE)
        assert np.linalg.det(matrix[:, :2]) > 0
    mirrored = TEMPLATE * [-1, 1]
    assert np.linalg.det(fit(mirrored, TEMPLATE)[:, :2]) > 0


def test_five_points_are_eye_centres_nose_and_mouth_corners():
    points = np.stack([np.arange(17), np.arange(17) ** 2], 1).astype(float)
    np.testing.assert_array_equal(five_points(points)[:, 0], [8.5, 10.5, 12, 14, 16])
    np.testing.assert_array_equal(five_points(points)[0], [8.5, (64 + 81) / 2])


@pytest.mark.parametrize(("size", "margin"), [((224, 192), 4), (SIZE, 0), (SIZE, 2), ((56, 48), 1)])
def test_what_is_at_the_landmarks_comes_to_the_template(size, margin):
    """A blob at each of the five points of a turned, larger picture is found at its place, to a third of a pixel."""
    scale = size[1] / 96
    image = np.zeros([400, 400, 3], np.float32)
    original = moved(similarity(0.3, 2.1, (120, 60)), landmarks())
    y, x = np.mgrid[:400, :400]
    colours = np.array([(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (0, 1, 1)])
    for point, colour in zip(five_points(original), colours, strict=True):
        image += np.exp(-((x - point[0]) ** 2 + (y - point[1]) ** 2) / 50)[..., None] * colour
    found, points = aligned(image, original, size, margin)
    assert found.shape == (size[0] + 2 * margin, size[1] + 2 * margin, 3)
    wanted = placed_template(scale, margin)
    assert np.abs(five_points(points) - wanted).max() < 2.5 * scale
    for channel in (0, 2):  # red is at the left eye and the left mouth corner, blue at the nose and the right corner
        peak = np.unravel_index(found[..., channel].argmax(), found.shape[:2])[::-1]
        assert min(np.abs(five_points(points) - peak).max(1)) <= 0.9
    eye = five_points(points)[0]
    window = found[..., 0] * (
        np.hypot(*(np.mgrid[: found.shape[0], : found.shape[1]][::-1] - eye[:, None, None])) < 6 * scale
    )
    y, x = np.mgrid[: found.shape[0], : found.shape[1]]
    centre = np.array([(window * x).sum(), (window * y).sum()]) / window.sum()
    np.testing.assert_allclose(centre, eye, atol=0.34)


def test_outside_the_picture_is_black():
    found, _ = aligned(np.ones([60, 60, 3], np.float32), landmarks() * 0.5, SIZE)
    assert found[5:40, 20:70].min() == 1 and found[-2:, -2:].max() == 1
    found, _ = aligned(np.ones([60, 60, 3], np.float32), landmarks() * 0.5 + 20, SIZE)
    assert found[-3:, -3:].max() == 0
