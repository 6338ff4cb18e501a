"""FID of a translation: the sets that are compared, channel order and range of what the network sees."""

import numpy as np
import pytest

from metric.fid import frechet_distance
from metric.inception_distance import InceptionDistance


def features(pictures):
    """In the form of InceptionFeatures: mean colour and contrast; looks at the layout and range on the way."""
    assert pictures.ndim == 4 and pictures.shape[3] == 3 and pictures.dtype == np.float32
    assert 0 <= pictures.min() and pictures.max() <= 1
    return np.concatenate([pictures.mean((1, 2)), pictures.std((1, 2))], 1) * [1, 2, 3, 1, 2, 3]  # a channel, a weight


def pictures(seed, tint):
    return (np.random.default_rng(seed).random((60, 3, 16, 12)) * np.reshape(tint, (3, 1, 1))).astype(np.float32)


SETS = {
    "photo": pictures(0, (1, 1, 1)),
    "caricature": pictures(1, (1, 0.5, 0.2)),
    "to_photo": pictures(2, (1, 1, 1)),
    "to_caricature": pictures(3, (0.2, 0.5, 1)),
}


def result(batches):
    metric = InceptionDistance(features)
    for part in np.array_split(np.arange(60), batches):
        metric.update({name: images[part] for name, images in SETS.items()})
    return metric.result()


def test_made_against_real_of_the_domain():
    found = result(1)

    def distance(one, other):
        sets = [features(np.moveaxis(SETS[name], 1, 3)) for name in (one, other)]
        return frechet_distance(*(part for each in sets for part in (each.mean(0), np.cov(each, rowvar=False))))

    assert found == pytest.approx(
        {
            "photo": distance("to_photo", "photo"),
            "caricature": distance("to_caricature", "caricature"),
            "photo_untranslated": distance("caricature", "photo"),
            "caricature_untranslated": distance("photo", "caricature"),
        },
        rel=1e-4,
    )
    assert found["photo"] < 0.01 < found["caricature"]


def test_however_it_is_batched():
    assert result(7) == pytest.approx(result(1), rel=1e-4)
