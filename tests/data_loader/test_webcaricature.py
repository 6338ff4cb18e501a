"""The data sets: splits without a shared person, labels, pairs, what is random and what is not, the three sources."""

import numpy as np
import pytest
from pydantic import ValidationError

from data_loader import caricature_sources
from data_loader.caricature_sources import FIRST_CARICATURE, DrawnSettings, DrawnSource, WebCaricatureSource
from data_loader.drawn_faces.rendering import render
from data_loader.landmark_filter import rejections
from data_loader.webcaricature import FaceSettings, LabelledFaces, PhotosAndCaricatures, subjects
from data_loader.webcaricature_files import VERIFICATION
from engine.errors import InputError
from engine.images import write_image
from tests.data_loader.webcaricature_tree import PEOPLE, colour, write_text, write_tree

SMALL = {"image_size": [28, 24]}
DRAWN = {"identities": [5, 8], "variants": 2, "keeps": True}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_tree(tmp_path_factory.mktemp("WebCaricature"))


def pairs(training=True, **settings):
    return PhotosAndCaricatures(PhotosAndCaricatures.Config(**SMALL | settings), 3, training)


def labelled(training=True, **settings):
    return LabelledFaces(FaceSettings(**SMALL | settings), 3, training)


def centre(picture):
    """Colour in the middle of a [3, H, W] picture."""
    return picture[:, picture.shape[1] // 2, picture.shape[2] // 2]


def test_splits_of_both_views(root):
    assert subjects(root, None, True) == PEOPLE[:3] and subjects(root, None, False) == PEOPLE[3:]
    for fold in (1, 2):
        trained, tested = subjects(root, fold, True), subjects(root, fold, False)
        assert not set(trained) & set(tested) and sorted(trained + tested) == PEOPLE
    assert subjects(root, 1, False) == ["Adam Sandler", "Zoe de la Cruz"]
    with pytest.raises(InputError, match="fold: 3; .* has 2 folds"):
        subjects(root, 3, False)


def test_a_person_in_two_folds_is_not_trained_on(tmp_path):
    path = tmp_path / VERIFICATION / "UnRestricted" / "UnRestrictedView2.txt"
    write_text(path, "2\n2\nBill\t1\t1\nAda\t1\t1\n2\nBill\t1\t1\nZoe\t1\t1\n")
    assert subjects(tmp_path, 1, True) == ["Zoe"] and subjects(tmp_path, 2, True) == ["Ada"]


def test_labels_and_kinds(root):
    dataset = labelled(root=root)
    assert len(dataset) == 3 * 5 and dataset.num_identities == 3
    for index in range(len(dataset)):
        sample = dataset[(0, index)]
        assert sample["image"].shape == (3, 28, 24) and sample["image"].dtype == np.float32
        person, file = sample["name"].split("/")
        assert PEOPLE[sample["identity"]] == person and sample["is_caricature"] == (file[0] == "C")
        np.testing.assert_allclose(centre(sample["image"]), colour(person, file[0], int(file[1:])), atol=3e-3)


def test_unpaired_samples_show_a_photo_and_a_caricature(root):
    dataset = pairs(root=root)
    assert len(dataset) == 9  # photos are the larger set
    seen, together = set(), 0
    for epoch in range(8):
        for index in range(9):
            sample = dataset[(epoch, index)]
            photo, caricature = (name.split("/") for name in sample["name"].split(" + "))
            assert photo[1][0] == "P" and caricature[1][0] == "C"
            assert (PEOPLE[sample["identity"]], PEOPLE[sample["caricature_identity"]]) == (photo[0], caricature[0])
            for kind, (person, file) in (("photo", photo), ("caricature", caricature)):
                np.testing.assert_allclose(centre(sample[kind]), colour(person, file[0], int(file[1:])), atol=3e-3)
            seen.add(sample["name"])
            together += photo[0] == caricature[0]
    assert 10 < together < 40 and len(seen) > 30  # a third of 72 by chance


def test_same_identity_sampling(root):
    always = pairs(root=root, same_identity=1.0)
    assert all(
        sample["identity"] == sample["caricature_identity"]
        for sample in (always[(epoch, index)] for epoch in range(3) for index in range(9))
    )
    names = {always[(epoch, 0)]["name"] for epoch in range(12)}
    assert len(names) == 2  # either caricature of the person


def test_validation_is_fixed_and_complete(root):
    dataset = pairs(root=root, training=False, fold=1)
    samples = [dataset[(0, index)] for index in range(len(dataset))]
    assert [dataset[(7, index)]["name"] for index in range(len(dataset))] == [sample["name"] for sample in samples]
    shown = {name for sample in samples for name in sample["name"].split(" + ")}
    assert len(shown) == 2 * 5
    np.testing.assert_array_equal(dataset[(0, 1)]["photo"], dataset[(5, 1)]["photo"])


def test_the_key_alone_decides_what_is_drawn(root):
    one, other = pairs(root=root, jitter=2, flip_probability=0.5), pairs(root=root, jitter=2, flip_probability=0.5)
    other[(0, 3)]
    for key in ((0, 4), (1, 4)):
        first, second = one[key], other[key]
        assert first["name"] == second["name"]
        np.testing.assert_array_equal(first["photo"], second["photo"])
    assert len({one[(epoch, 4)]["name"] for epoch in range(6)}) > 1


def test_jitter_and_mirror_move_the_crop():
    dataset = labelled(synthetic=DRAWN, jitter=2, flip_probability=0.5, filtered=False)
    whole = dataset.source.read(dataset.entries[0], (28, 24), 2)
    assert whole.shape == (32, 28, 3)
    crops = {}
    for top in range(5):
        for left in range(5):
            crop = whole[top : top + 28, left : left + 24].transpose(2, 0, 1)
            crops[crop.tobytes()] = (top, left, False)
            crops[np.ascontiguousarray(crop[..., ::-1]).tobytes()] = (top, left, True)
    drawn = [np.ascontiguousarray(dataset[(epoch, 0)]["image"]).tobytes() for epoch in range(60)]
    assert set(drawn) <= set(crops)
    found = {crops[picture] for picture in drawn}
    assert len(found) > 30 and {flip for *_, flip in found} == {True, False}
    assert {top for top, *_ in found} == {left for _, left, _ in found} == set(range(5))
    still = labelled(synthetic=DRAWN, jitter=2, flip_probability=1.0, filtered=False, training=False)
    np.testing.assert_allclose(still[(3, 0)]["image"], whole[2:30, 2:26].transpose(2, 0, 1), atol=0.03)


def test_procedural_people():
    dataset = labelled(synthetic=DRAWN, filtered=False)
    assert len(dataset) == 12 and dataset.num_identities == 3
    assert [dataset.entries[i].identity for i in range(12)] == [0, 1, 2] * 4
    places = [entry.place for entry in dataset.entries]
    assert places[0] == (5, 0) and places[-1] == (7, FIRST_CARICATURE + 1)
    assert len({variant for _, variant in places}) == 4  # no caricature is drawn from a photo's settings


def test_variation_changes_colours_and_leaves_the_shape():
    sources = [DrawnSource(pairs(synthetic=DRAWN | {"varied": varied}).config.synthetic) for varied in (True, False)]
    entry = sources[0].entries["photo"][0]
    varied, plain = (source.drawn(entry) for source in sources)
    np.testing.assert_array_equal(sources[0].landmarks(entry), sources[1].landmarks(entry))
    assert np.abs(varied - plain).mean() > 0.02
    first, second = (sources[0].drawn(sources[0].entries["photo"][i]) for i in (0, 3))  # one person, two pictures
    assert np.abs(first - second).mean() > 0.02


def test_side_faces_are_drawn_as_they_are_marked_and_filtered_out(monkeypatch):
    many, faces = {"identities": [0, 80], "variants": 1}, []
    monkeypatch.setattr(caricature_sources, "render", lambda *given: faces.append(render(*given)) or faces[-1])
    plain, faulty = (DrawnSource(DrawnSettings(**many | {"side_faces": share})) for share in (0.0, 0.4))
    for kind in ("photo", "caricature"):
        rejected = [e for e in faulty.entries[kind] if rejections(faulty.landmarks(e))]
        moved = [e for e in faulty.entries[kind] if not np.allclose(faulty.landmarks(e), plain.landmarks(e))]
        assert 0.25 < len(moved) / 80 < 0.55 and set(moved) <= set(rejected)
        assert len(rejected) - len(moved) <= 0.15 * 80  # strong caricatures are lost without being turned
    entry = moved[0]
    picture, marks = faulty.drawn(entry), faulty.landmarks(entry)
    found = [i for i, place in enumerate(caricature_sources.LANDMARKS) if place < 68]
    np.testing.assert_allclose(
        faces[0].landmarks[[caricature_sources.LANDMARKS[i] for i in found]], marks[found], atol=1e-3
    )
    assert np.abs(picture - plain.drawn(entry)).mean() > 0.02
    sides = {np.sign(faulty.landmarks(e)[12, 0] - faulty.landmarks(e)[[1, 3], 0].mean()) for e in moved}
    assert sides == {-1, 1}
    kept = DrawnSource(DrawnSettings(**many | {"side_faces": 0.4}), filtered=True)
    assert not set(moved) & set(kept.entries["caricature"]) and {e.name for e in moved} <= kept.rejected.keys()


def test_misplaced_landmarks_leave_the_picture_as_it_is():
    many = {"identities": [0, 60], "variants": 1}
    plain, faulty = (DrawnSource(DrawnSettings(**many | {"misplaced": share})) for share in (0.0, 0.3))
    moved = [e for e in faulty.entries["photo"] if not np.allclose(faulty.landmarks(e), plain.landmarks(e))]
    assert 0.15 < len(moved) / 60 < 0.45
    errors = np.concatenate([faulty.landmarks(e) - plain.landmarks(e) for e in moved])
    assert errors.std() == pytest.approx(0.08 * 256, rel=0.15) and abs(errors.mean()) < 2
    np.testing.assert_array_equal(faulty.drawn(moved[0]), plain.drawn(moved[0]))
    assert np.mean([bool(rejections(faulty.landmarks(e))) for e in moved]) > 0.9


def test_the_filter_reports_what_it_rejects(root, tmp_path, caplog):
    write_tree(tmp_path)
    path = tmp_path / "FacialPoints" / "Bill" / "C00001.txt"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[2], *lines[1:]]))  # the hairline below the brows
    (tmp_path / "OriginalImages" / "Bill" / "P00002.png").unlink()
    source = WebCaricatureSource(tmp_path, PEOPLE[:3])
    assert source.rejected.keys() == {"Bill/C00001"}
    assert any("0 is the topmost" in reason for reason in source.rejected["Bill/C00001"])
    assert len(source.missing) == 1 and "P00002.jpg: missing" in source.missing[0]
    assert "13 pictures kept, 1 rejected by the filter, 1 missing" in caplog.text
    assert WebCaricatureSource(tmp_path, PEOPLE[:3], filtered=False).rejected == {}


def test_folder_mode(tmp_path):
    for path, red in (("drawings/Ann/1", 0.2), ("drawings/Ann/2", 0.3), ("faces/Ann/x", 0.4), ("faces/y", 0.6)):
        write_image(tmp_path / "train" / f"{path}.png", np.full([40, 30, 3], [red, 0, 0], np.float32))
    settings = {"root": tmp_path, "aligned": False, "folders": ["faces", "drawings"], "image_size": [32, 32]}
    dataset = pairs(**settings)
    found = {dataset[(epoch, index)]["name"]: dataset[(epoch, index)] for epoch in range(9) for index in range(2)}
    assert len(found) == 4
    sample = found["photo/Ann/x + caricature/Ann/2"]
    assert sample["photo"].shape == (3, 32, 32) and (sample["identity"], sample["caricature_identity"]) == (0, 0)
    assert centre(sample["photo"])[0] == pytest.approx(0.4, abs=0.01)
    assert centre(sample["caricature"])[0] == pytest.approx(0.3, abs=0.01)
    assert found["photo/y + caricature/Ann/1"]["identity"] == -1
    with pytest.raises(InputError, match="photo/y has no person"):
        labelled(**settings)
    with pytest.raises(InputError, match="not in WebCaricature's layout.*aligned: false"):
        pairs(root=tmp_path)


def test_mistakes_in_the_configuration():
    for settings, message in (
        ({}, "neither 'root'"),
        ({"synthetic": DRAWN, "image_size": [28, 28]}, "7 : 6"),
        ({"synthetic": DRAWN, "fold": 11}, "less than or equal to 10"),
    ):
        with pytest.raises(ValidationError, match=message):
            pairs(**settings)


def test_same_identity_needs_people_with_both_kinds(tmp_path):
    for path in ("photo/Ann/1", "caricature/Bob/1"):
        write_image(tmp_path / f"{path}.png", np.zeros([8, 8, 3], np.float32))
    with pytest.raises(InputError, match="same_identity 0.5, but nobody has both kinds"):
        pairs(root=tmp_path, aligned=False, same_identity=0.5)
