import logging

import numpy as np
import pytest
from pydantic import ValidationError

from data_loader.restoration import DegradedFaces, PairedFolder, augmented
from engine.errors import InputError
from engine.images import read_image, to_chw, to_hwc, write_image
from tests.data_loader.test_degrade import GPEN, NOTHING

PLAIN = {"image_size": 32, "degrade_size": 32, "resize_kernel": "area", "flip_probability": 0, "grey_probability": 0}


def gradient(size=32):
    """Red grows to the right, green downwards; blue is 0."""
    y, x = np.mgrid[:size, :size] / size
    return np.stack([x, y, 0 * x], -1).astype(np.float32)


@pytest.fixture
def root(tmp_path):
    for i in range(3):
        write_image(tmp_path / "faces" / f"{i}.png", np.clip(gradient() + 0.1 * i, 0, 1))
    return tmp_path / "faces"


def dataset(root, training=True, seed=5, **changes):
    settings = {**PLAIN, "degradation": GPEN, "root": root, **changes}
    return DegradedFaces(DegradedFaces.Config(**settings), seed, training)


def test_sample_is_rgb_chw_with_its_name(root):
    found = dataset(root, degradation=NOTHING)[(0, 1)]
    assert found["name"] == "1" and found.keys() == {"image", "degraded", "name"}
    for key in ("image", "degraded"):
        assert found[key].shape == (3, 32, 32) and found[key].dtype == np.float32 and found[key].flags.c_contiguous
        red, green, _ = found[key]
        assert red[:, 31].mean() > red[:, 0].mean() + 0.5 and green[31].mean() > green[0].mean() + 0.5
    assert np.array_equal(found["image"], to_chw(read_image(root / "1.png")))


def test_draws_depend_on_seed_epoch_and_index_alone(root):
    key, faces = (2, 1), dataset(root)
    first = faces[key]["degraded"]
    faces[(0, 0)], faces[(2, 2)]
    assert np.array_equal(faces[key]["degraded"], first)
    assert np.array_equal(dataset(root)[key]["degraded"], first)
    assert not np.array_equal(faces[(3, 1)]["degraded"], first)
    assert not np.array_equal(dataset(root, seed=6)[key]["degraded"], first)


def test_flip_and_grey_change_both_images_in_training_only(root):
    changes = {"flip_probability": 1, "grey_probability": 1, "degradation": NOTHING}
    found, plain = dataset(root, **changes)[(0, 0)], dataset(root)[(0, 0)]
    expected = (np.float32([0.299, 0.587, 0.114]) @ plain["image"][:, :, ::-1].reshape(3, -1)).reshape(32, 32)
    assert np.abs(found["image"] - expected).max() < 1e-6
    assert np.abs(found["degraded"] - expected).max() < 0.05
    assert np.array_equal(dataset(root, training=False, **changes)[(0, 0)]["image"], plain["image"])


def test_the_flip_is_drawn_before_the_grey():
    """train_simple.py's data set flips first; of a seed's two draws the first decides the flip."""
    image = np.random.default_rng(1).random((4, 4, 3), np.float32)
    for seed in range(20):
        first, second = np.random.default_rng(seed).uniform(size=2)
        found, flips = augmented(image, 0.5, 0.4, np.random.default_rng(seed))
        assert flips == (first < 0.5) and (np.ptp(found, axis=-1).max() < 1e-6) == (second < 0.4)


def test_probabilities_of_flip_and_grey():
    rng, image = np.random.default_rng(0), gradient(4)
    drawn, flips = zip(*(augmented(image, 0.5, 0.2, rng) for _ in range(1000)), strict=True)
    assert list(flips) == [picture[:, 0].sum() > picture[:, -1].sum() for picture in drawn]
    assert np.mean([picture[:, 0].sum() > picture[:, -1].sum() for picture in drawn]) == pytest.approx(0.5, abs=0.06)
    assert np.mean([np.ptp(picture, axis=-1).max() < 1e-6 for picture in drawn]) == pytest.approx(0.2, abs=0.04)


def test_validation_ignores_the_epoch(root):
    faces = dataset(root, training=False)
    assert np.array_equal(faces[(0, 1)]["degraded"], faces[(9, 1)]["degraded"])
    assert not np.array_equal(faces[(0, 1)]["degraded"], dataset(root, training=False, seed=6)[(0, 1)]["degraded"])


def test_degradation_at_full_size_then_both_reduced_by_area(root):
    full, small = dataset(root)[(0, 0)], dataset(root, image_size=16)[(0, 0)]
    for key in ("image", "degraded"):
        assert np.allclose(small[key], full[key].reshape(3, 16, 2, 16, 2).mean((2, 4)), atol=1e-6)


def test_root_with_train_and_val_serves_both_splits(root):
    write_image(root / "train" / "t.png", gradient())
    write_image(root / "val" / "hq" / "v.png", gradient())
    assert [dataset(root)[(0, 0)]["name"], len(dataset(root))] == ["t", 1]
    assert dataset(root, training=False)[(0, 0)]["name"] == "v"


def test_validation_takes_ready_pairs(root, caplog):
    for folder, name, level in (("hq", "a", 1), ("lq", "a", 0.2), ("hq", "alone", 1), ("lq", "z", 0)):
        write_image(root / folder / f"{name}.png", np.full((48, 48, 3), level, np.float32))
    with caplog.at_level(logging.WARNING, "kintsugi"):
        faces = dataset(root, training=False)
    assert len(faces) == 1 and [name in caplog.text for name in ("alone", ": z is", ": a is")] == [True, True, False]
    found = faces[(0, 0)]
    assert found["name"] == "a" and np.allclose(found["image"], 1) and np.allclose(found["degraded"], 0.2)
    assert found["degraded"].shape == (3, 32, 32)
    assert [dataset(root)[(0, i)]["name"] for i in range(len(dataset(root)))] == ["a", "alone"]  # training: clean only


def test_pairs_without_a_match_are_an_error(tmp_path):
    write_image(tmp_path / "hq" / "a.png", gradient())
    write_image(tmp_path / "lq" / "b.png", gradient())
    with pytest.raises(InputError, match="no file of hq/ has a partner"):
        PairedFolder(PairedFolder.Config(root=tmp_path, image_size=8, resize_kernel="area"))


def test_unreadable_file_is_named(root):
    (root / "0.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match="0.png"):
        dataset(root)[(0, 0)]


def test_config_needs_a_source_and_sizes_in_order(root):
    with pytest.raises(ValidationError, match="neither 'root'"):
        dataset(None)
    with pytest.raises(ValidationError, match="degrade_size is 16; expected image_size 32 or more"):
        dataset(root, degrade_size=16)
    with pytest.raises(ValidationError, match="first < last"):
        dataset(None, synthetic={"identities": [3, 3], "variants": 1})
    with pytest.raises(InputError, match="no such folder"):
        dataset(root / "nothing")


def test_synthetic_faces_are_numbered_people_first():
    synthetic = {"identities": [4, 6], "variants": 2}
    faces = dataset(None, training=False, synthetic=synthetic, degrade_size=64)
    assert [faces.source.name(i) for i in range(len(faces))] == [
        "face_00004_0", "face_00005_0", "face_00004_1", "face_00005_1",
    ]  # fmt: skip
    first, variant = faces[(0, 0)]["image"], faces[(0, 2)]["image"]
    assert first.shape == (3, 32, 32) and 0 <= first.min() and first.max() <= 1
    assert np.abs(first - variant).mean() > 1e-3
    assert np.array_equal(dataset(None, synthetic=synthetic, degrade_size=64)[(7, 0)]["image"], first)
    assert to_hwc(first).std() > 0.05


def test_kept_faces_are_the_drawn_ones_in_8_bits():
    synthetic = {"identities": [4, 6], "variants": 1}
    drawn = dataset(None, synthetic=synthetic, degrade_size=64, degradation=NOTHING)
    keeping = dataset(None, synthetic=synthetic | {"keeps": True}, degrade_size=64, degradation=NOTHING)
    for _ in range(2):
        assert np.abs(keeping.source.read(1) - drawn.source.read(1)).max() <= 0.5 / 255 + 1e-6
    assert list(keeping.source.kept) == [1] and not drawn.source.kept
