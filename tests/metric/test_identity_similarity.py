"""Identity of made faces: each against its own source in the other domain; who counts as somebody else."""

import numpy as np
import pytest

from metric.identity_similarity import IdentitySimilarity

ONE, TWO, THREE = np.eye(3)


def embed(pictures):
    """The colour of the first pixel is the embedding."""
    return np.asarray(pictures)[:, :, 0, 0]


def faces(*vectors):
    return np.tile(np.asarray(vectors, np.float32)[:, :, None, None], (1, 1, 4, 4))


def scores(people=((0, 1, 2), (0, 1, 2)), **pictures):
    metric = IdentitySimilarity(embed)
    given = {
        "photo": faces(ONE, TWO, THREE),
        "caricature": faces(THREE, ONE, TWO),
        "to_caricature": faces(ONE, TWO, THREE),
        "to_photo": faces(THREE, ONE, TWO),
    } | pictures
    metric.update(given | {"identity": np.array(people[0]), "caricature_identity": np.array(people[1])})
    return metric.result()


def test_a_perfect_translation_keeps_every_face():
    found = scores()
    assert found == pytest.approx(
        {
            "caricature": 1,
            "caricature_others": 0,
            "caricature_auc": 1,
            "photo": 1,
            "photo_others": 0,
            "photo_auc": 1,
            "real_pairs": 0,
        },
        abs=1e-6,
    )


def test_made_caricatures_are_held_against_photos_and_the_other_way_round():
    found = scores(to_caricature=faces(THREE, ONE, TWO))  # what the caricatures show
    assert found["caricature"] == pytest.approx(0, abs=1e-6) and found["caricature_auc"] < 0.5
    assert found["photo"] == pytest.approx(1, abs=1e-6)


def test_opposite_and_partial_likeness():
    found = scores(to_caricature=faces(-ONE, 5 * (TWO + THREE), 0.1 * THREE))
    assert found["caricature"] == pytest.approx((-1 + 2**-0.5 + 1) / 3, abs=1e-6)


def test_one_face_for_everybody_tells_nothing():
    assert scores(to_caricature=faces(ONE, ONE, ONE))["caricature_auc"] == pytest.approx(0.5)


def test_other_pictures_of_the_person_are_no_strangers():
    found = scores(people=((0, 0, 2), (0, 1, 2)), photo=faces(ONE, ONE, THREE), to_caricature=faces(ONE, ONE, THREE))
    assert found["caricature_others"] == pytest.approx(0, abs=1e-6)
    unknown = scores(
        people=((-1, -1, -1), (-1, -1, -1)), photo=faces(ONE, ONE, THREE), to_caricature=faces(ONE, ONE, THREE)
    )  # nobody is known, but a picture that occurs twice is still one picture
    assert unknown["caricature_others"] == pytest.approx(0, abs=1e-6) and "real_pairs" not in unknown


def test_real_pairs_are_those_of_one_person():
    found = scores(people=((0, 1, 2), (0, 5, 2)), caricature=faces(ONE, TWO, -THREE))
    assert found["real_pairs"] == pytest.approx((1 - 1) / 2, abs=1e-6)


def test_a_set_of_one_person_has_no_others():
    found = scores(people=((4, 4, 4), (4, 4, 4)))
    assert found.keys() == {"caricature", "photo", "real_pairs"}
