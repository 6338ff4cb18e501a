"""Blending: the known picture stays, an unchanged output changes nothing, Poisson is not shifted."""

import numpy as np
import pytest

from deploy.blending import blend
from engine.errors import InputError
from engine.ports import BLENDS

SIZE = 48


def textured(seed):
    """A picture whose neighbouring pixels differ, so that a shift of one pixel is seen."""
    rows, columns = np.mgrid[0:SIZE, 0:SIZE]
    noise = np.random.default_rng(seed).uniform(0, 0.3, (SIZE, SIZE, 3))
    return (0.35 + 0.15 * np.sin(rows / 3 + columns / 2)[..., None] + noise).astype(np.float32)


def random_hole(seed):
    """A box anywhere, even and odd sizes, and now and then at the picture's edge."""
    rng = np.random.default_rng(seed)
    height, width = rng.integers(6, 30, 2)
    top, left = rng.integers(0, SIZE - height + 1), rng.integers(0, SIZE - width + 1)
    hole = np.zeros((SIZE, SIZE), np.float32)
    hole[top : top + height, left : left + width] = 1
    return hole


@pytest.mark.parametrize("mode", BLENDS)
@pytest.mark.parametrize("seed", range(6))
def test_an_output_equal_to_the_image_changes_nothing(mode, seed):
    image = textured(seed)
    blended = blend(image, image, random_hole(seed), mode)
    assert np.abs(blended - image).max() < 1e-5


@pytest.mark.parametrize("mode", [mode for mode in BLENDS if mode != "none"])
def test_known_pixels_are_the_image(mode):
    image, output, hole = textured(1), textured(2), random_hole(3)
    blended = blend(output, image, hole, mode)
    np.testing.assert_array_equal(blended[hole == 0], image[hole == 0])
    assert np.abs(blended - image)[hole == 1].mean() > 0.01


def test_what_lies_under_the_hole_is_not_used():
    image, output, hole = textured(1), textured(2), random_hole(3)
    other = np.where(hole[..., None] == 1, 0.0, image).astype(np.float32)
    for mode in ("none", "composite", "poisson"):
        np.testing.assert_array_equal(blend(output, image, hole, mode), blend(output, other, hole, mode))


def test_composite_is_the_output_inside():
    image, output, hole = textured(1), textured(2), random_hole(3)
    np.testing.assert_array_equal(blend(output, image, hole, "composite")[hole == 1], output[hole == 1])


def test_feather_rises_inwards():
    hole = np.zeros((SIZE, SIZE), np.float32)
    hole[10:38, 10:38] = 1
    white, black = np.ones((SIZE, SIZE, 3), np.float32), np.zeros((SIZE, SIZE, 3), np.float32)
    line = blend(white, black, hole, "feather", feather_px=4)[24, :, 0]
    np.testing.assert_allclose(line[9:16], [0, 0.2, 0.4, 0.6, 0.8, 1, 1], atol=1e-6)


def test_poisson_takes_the_border_from_the_image_and_the_texture_from_the_output():
    """A brightness offset of the output vanishes; its texture stays."""
    image, hole = textured(1), np.zeros((SIZE, SIZE), np.float32)
    hole[12:36, 12:36] = 1
    blended = blend(image + 0.15, image, hole, "poisson")
    assert np.abs(blended - image).max() < 1e-5


def test_mixed_takes_the_stronger_difference():
    """A flat output over a textured image gives the image; over a flat image both modes agree."""
    image, hole = textured(1), random_hole(3)
    flat = np.full_like(image, 0.5)
    np.testing.assert_allclose(blend(flat, image, hole, "poisson_mixed"), image, atol=1e-5)
    expected = blend(image, flat, hole, "poisson")
    np.testing.assert_allclose(blend(image, flat, hole, "poisson_mixed"), expected, atol=1e-5)


def test_poisson_solves_its_equation():
    """Inside the hole the discrete Laplacian is the output's."""
    image, output = textured(1) * 0.5, textured(2) * 0.5
    hole = np.zeros((SIZE, SIZE), np.float32)
    hole[10:20, 15:31] = 1

    def laplacian(x):
        return 4 * x[1:-1, 1:-1] - x[:-2, 1:-1] - x[2:, 1:-1] - x[1:-1, :-2] - x[1:-1, 2:]

    blended = blend(output, image, hole, "poisson")
    assert blended.min() > 0 and blended.max() < 1
    inside = hole[1:-1, 1:-1] == 1
    np.testing.assert_allclose(laplacian(blended)[inside], laplacian(output)[inside], atol=1e-5)


def test_an_empty_mask_gives_the_image():
    image = textured(1)
    np.testing.assert_array_equal(blend(textured(2), image, np.zeros((SIZE, SIZE), np.float32), "poisson"), image)


def test_mistakes_are_named():
    image = textured(1)
    with pytest.raises(InputError, match="blend 'soft': expected one of none, composite"):
        blend(image, image, random_hole(0), "soft")
    with pytest.raises(InputError, match="mask"):
        blend(image, image, random_hole(0)[:-1], "poisson")
