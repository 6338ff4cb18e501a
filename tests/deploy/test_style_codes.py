"""Vectors beside pictures: seeds and names of drawn ones, one taken from a picture by its encoder."""

import numpy as np
import pytest

from deploy.inference import read
from deploy.samples import Sample
from deploy.session import Session
from deploy.style_codes import described, from_pictures, with_vectors
from engine import images
from engine.errors import InputError
from engine.ports import Port
from tests.deploy.contracts import contract, image

STYLE = Port("style", (-1, 3), "vector", encoder="../style_of_x")
CONTRACT = contract(image(4, 6), STYLE, outputs=(image(4, 6, name="x"),))
PLAIN = contract(image(4, 6))


class Encoder:
    """Gives the mean colour."""

    contract = contract(image(4, 6), outputs=(Port("code", (-1, 3), "vector"),))

    def run(self, arrays):
        return {"code": arrays["image"].mean(axis=(2, 3))}


@pytest.fixture
def face(tmp_path):
    images.write_image(tmp_path / "a.png", np.broadcast_to(np.float32([1, 0, 0]), (4, 6, 3)))
    return tmp_path / "a.png"


def samples(face):
    return [Sample(name, {"image": face}) for name in ("a.png", "deep/b.png")]


class Styled:
    """Never run; its Session fits inputs."""

    contract = CONTRACT


def styles(found):
    """What the graph gets of each sample."""
    session = Session(Styled())
    return [session.prepared(read(CONTRACT, one), one.seed).arrays["style"] for one in found]


def test_one_draw_keeps_the_name_and_every_picture_gets_the_same_vector(face):
    found = with_vectors(CONTRACT, samples(face), {}, 7, 1)
    assert [(one.name, one.seed) for one in found] == [("a.png", 7), ("deep/b.png", 7)]
    np.testing.assert_array_equal(*styles(found))
    np.testing.assert_array_equal(styles(found)[0], np.random.default_rng(7).standard_normal(3, dtype=np.float32))


def test_several_draws_are_named_by_their_seeds(face):
    found = with_vectors(CONTRACT, samples(face), {}, 7, 2)
    assert [one.name for one in found] == ["a_seed7.png", "a_seed8.png", "deep/b_seed7.png", "deep/b_seed8.png"]
    made = styles(found)
    assert np.array_equal(made[0], made[2]) and not np.array_equal(made[0], made[1])
    assert described(CONTRACT, {}, 7, 2) == "style: drawn, seed 7 to 8"


def test_a_picture_gives_the_vector_through_its_encoder(face):
    opened, files = [], {"image": face, "style": face, "mask": None}
    vectors = from_pictures(CONTRACT, files, lambda path: opened.append(path) or Encoder())
    assert opened == ["../style_of_x"] and "style" not in files and files["image"] == face
    np.testing.assert_allclose(vectors["style"], [1, 0, 0])
    found = with_vectors(CONTRACT, samples(face), vectors, 0, 1)
    np.testing.assert_array_equal(styles(found)[1], vectors["style"])
    assert described(CONTRACT, vectors, 0, 1) == "style: from a picture"


def test_graphs_without_vectors_are_left_alone(face):
    assert with_vectors(PLAIN, samples(face), {}, 0, 1) == samples(face)
    assert from_pictures(PLAIN, {"style": face}, None) == {} and described(PLAIN, {}, 0, 1) == ""
    with pytest.raises(InputError, match="--num_style 3: no style is drawn here"):
        with_vectors(PLAIN, samples(face), {}, 0, 3)
