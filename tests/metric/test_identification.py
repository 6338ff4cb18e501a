"""Ranks against a gallery: the nearest picture of a person counts, ties prove nothing, strangers are refused."""

import numpy as np
import pytest

from engine.errors import InputError
from metric.identification import ArcFaceFeatures, Gallery, top


def at(*degrees):
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], 1)


def test_ranks_by_the_nearest_picture_of_each_person():
    gallery = Gallery(at(0, 90, 40, 200), ["a", "a", "b", "c"])
    np.testing.assert_array_equal(gallery.ranks(at(10, 50, 85, 150), ["a", "a", "b", "b"]), [1, 2, 2, 3])
    np.testing.assert_array_equal(gallery.ranks(7 * at(10), ["c"]), [3])  # lengths do not matter


def test_equal_vectors_prove_nothing():
    gallery = Gallery(np.ones((5, 3)), list("abcde"))
    np.testing.assert_array_equal(gallery.ranks(np.ones((2, 3)), ["a", "e"]), [5, 5])


def test_top():
    assert [top([1, 2, 5, 6], count) for count in (1, 5)] == [0.25, 0.75]


def test_who_is_not_there():
    with pytest.raises(InputError, match="gallery: no picture of z"):
        Gallery(at(0, 10), ["a", "b"]).ranks(at(0), ["z"])
    with pytest.raises(InputError, match="gallery: holds no picture"):
        Gallery(np.zeros((0, 2)), [])


class Session:
    """Stands for ArcFace: gives the first pixel."""

    def get_inputs(self):
        return [type("Input", (), {"name": "data"})()]

    def run(self, names, given):
        assert given["data"].shape == (1, 3, 112, 112)
        return [given["data"][:, :, 0, 0]]


def test_arcface_input_is_rgb_in_signed_range():
    crops = np.zeros((2, 112, 112, 3), np.float32)
    crops[1, ..., 0] = 1
    np.testing.assert_allclose(ArcFaceFeatures(Session())(crops), [[-1, -1, -1], [1, -1, -1]], atol=1e-6)
