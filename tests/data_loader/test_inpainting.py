"""Pictures with holes: what a sample holds, what training changes, what decides the draws."""

import numpy as np
import pytest
from pydantic import ValidationError

from data_loader.drawn_faces.rendering import flip_landmarks, render
from data_loader.inpainting import PicturesWithHoles
from engine.images import to_chw, write_image

PLAIN = {"image_size": 48, "resize_kernel": "area", "flip_probability": 0.0, "masks": {"kinds": {"strokes": 1}}}
FACES = {"synthetic": {"identities": [4, 8], "variants": 2}}


def dataset(training=True, seed=5, **changes):
    return PicturesWithHoles(PicturesWithHoles.Config(**{**PLAIN, **changes}), seed, training)


@pytest.fixture
def root(tmp_path):
    for name, level in (("train/t", 0.2), ("val/hq/v", 0.4), ("val/lq/v", 0.6)):
        write_image(tmp_path / f"{name}.png", np.full((60, 80, 3), level, np.float32))
    return tmp_path


def test_sample(root):
    sample = dataset(**FACES)[(0, 1)]
    assert list(sample) == ["image", "mask", "border", "name", "landmarks"]
    assert sample["image"].shape == (3, 48, 48) and sample["mask"].shape == (1, 48, 48)
    assert sample["image"].dtype == sample["mask"].dtype == np.float32 and set(np.unique(sample["mask"])) == {0, 1}
    assert sample["mask"].mean() < 0.61 and sample["image"].flags.c_contiguous and sample["mask"].flags.c_contiguous
    face = render(5, 0, 48)
    assert np.array_equal(sample["image"], to_chw(face.image)) and np.array_equal(sample["landmarks"], face.landmarks)
    assert "landmarks" not in dataset(root=root)[(0, 0)]


def test_landmarks_without_drawing_are_those_of_the_drawing():
    for size in (48, 200):
        from data_loader.drawn_faces.rendering import face_landmarks

        assert np.array_equal(face_landmarks(11, 1, size, seed=2), render(11, 1, size, seed=2).landmarks)


def test_training_mirrors_picture_and_landmarks():
    plain, mirrored = dataset(**FACES)[(0, 0)], dataset(flip_probability=1.0, **FACES)[(0, 0)]
    assert np.array_equal(mirrored["image"], plain["image"][:, :, ::-1])
    assert np.array_equal(mirrored["landmarks"], flip_landmarks(plain["landmarks"], 48))
    assert np.array_equal(dataset(False, flip_probability=1.0, **FACES)[(0, 0)]["image"], plain["image"])


def test_lower_face_follows_the_mirrored_landmarks():
    sample = dataset(flip_probability=1.0, masks={"kinds": {"lower_face": 1}}, **FACES)[(0, 0)]
    x, y = np.rint(sample["landmarks"][[8, 62, 37]]).astype(int).T
    assert list(sample["mask"][0, y, x]) == [1, 1, 0]


def test_draws_depend_on_seed_epoch_and_index_alone():
    faces = dataset(**FACES)
    first = faces[(2, 1)]["mask"]
    faces[(0, 0)]
    assert np.array_equal(faces[(2, 1)]["mask"], first) and np.array_equal(dataset(**FACES)[(2, 1)]["mask"], first)
    assert not np.array_equal(faces[(3, 1)]["mask"], first)
    assert not np.array_equal(dataset(seed=6, **FACES)[(2, 1)]["mask"], first)
    checked = dataset(False, **FACES)
    assert np.array_equal(checked[(0, 1)]["mask"], checked[(9, 1)]["mask"])


def test_folders_of_both_splits(root):
    found = [dataset(training, root=root)[(0, 0)] for training in (True, False)]
    assert [sample["name"] for sample in found] == ["t", "v"]
    assert [float(sample["image"][0, 0, 0]) for sample in found] == pytest.approx([0.2, 0.4])


def test_a_source_is_needed():
    with pytest.raises(ValidationError, match="neither 'root'"):
        dataset()
