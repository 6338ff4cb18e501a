"""The stand-in for FID: zero for equal sets, its closed form, and which sets are compared."""

import numpy as np
import pytest

from metric.fid import frechet_distance
from metric.texture_distance import TextureDistance, statistics, texture_features


def pictures(seed, contrast=1.0, tint=0.0):
    random = np.random.default_rng(seed)
    return (0.5 + contrast * (random.random((80, 3, 16, 12)) - 0.5) + [[[tint]], [[0]], [[0]]]).astype(np.float32)


def test_frechet_distance_of_normal_sets():
    """Zero; with equal covariances the squared distance of the means; (3 - 1)^2 an axis."""
    one = np.random.default_rng(0).standard_normal((4000, 3))
    for other, distance in ((one, 0), (one + [1, 2, 0], 5), (3 * one, 12)):
        assert frechet_distance(*statistics(one), *statistics(other)) == pytest.approx(
            distance, rel=0.1 * (distance == 12), abs=1e-6
        )


def test_features_of_a_flat_picture_are_its_colour():
    flat = np.broadcast_to(np.float32([0.9, 0.3, 0.3]).reshape(1, 3, 1, 1), (1, 3, 16, 16))
    found = texture_features(flat)[0]
    np.testing.assert_allclose(found[:3], [0.5, 0.3, 0.15], atol=1e-6)
    np.testing.assert_allclose(found[3:], 0, atol=1e-6)
    assert found.shape == (39,)


def test_compares_what_was_made_with_the_real_set_of_its_domain():
    metric = TextureDistance()
    photo, caricature = pictures(0), pictures(1, contrast=0.3, tint=0.2)
    metric.update(
        {
            "photo": photo,
            "caricature": caricature,
            "to_photo": pictures(2),
            "to_caricature": pictures(3, contrast=0.6, tint=0.1),
            "name": ["x"] * 80,
        }
    )
    scores = metric.result()
    assert scores.keys() == {"photo", "caricature", "photo_untranslated", "caricature_untranslated"}
    assert scores["photo"] < 10 < scores["caricature"] < scores["caricature_untranslated"]
    assert scores["photo_untranslated"] > scores["photo"]


def test_batches_add_up():
    whole, parts = TextureDistance(), TextureDistance()
    sets = {"photo": pictures(0), "to_photo": pictures(1, 0.8)}
    whole.update(sets)
    for half in (slice(0, 40), slice(40, 80)):
        parts.update({name: images[half] for name, images in sets.items()})
    assert parts.result() == pytest.approx(whole.result())
