"""The written data set is read back as WebCaricature: same pictures, landmarks, labels; the report counts rejects."""

import re

import numpy as np
import pytest

from data_loader import webcaricature_files as files
from data_loader.caricature_sources import DrawnSettings, DrawnSource, WebCaricatureSource
from data_loader.webcaricature import FaceSettings, LabelledFaces, subjects
from data_loader.webcaricature_writing import write
from engine.errors import ConfigError, InputError
from engine.images import read_image
from tests.data_loader.webcaricature_tree import write_tree
from tools import webcaricature


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lite") / "WebCaricature"
    write(folder, 20, 1, seed=4)
    return folder


@pytest.mark.slow
def test_written_pictures_are_the_drawn_ones(root):
    drawn = DrawnSource(DrawnSettings(identities=(0, 20), variants=1, seed=4))
    read = WebCaricatureSource(root, drawn.people, filtered=False)
    assert read.missing == [] and len(read.entries["photo"]) == len(read.entries["caricature"]) == 20
    for kind in ("photo", "caricature"):
        one, other = drawn.entries[kind][3], read.entries[kind][3]
        assert one.name == other.name and one.identity == other.identity == 3
        np.testing.assert_allclose(files.read_landmarks(root, other.place), drawn.landmarks(one), atol=1e-3)
        picture = read_image(files.image_path(root, other.place))
        assert np.abs(picture - drawn.drawn(one)).mean() < 0.01
        aligned = [source.read(entry, (112, 96), 0) for source, entry in ((drawn, one), (read, other))]
        assert np.abs(aligned[0] - aligned[1]).mean() < 0.01


@pytest.mark.slow
def test_protocols_cover_the_people_once(root):
    everyone = [f"Person {i:05d}" for i in range(20)]
    folds = files.view2_people(root)
    assert len(folds) == 10 and sorted(name for fold in folds for name in fold) == everyone
    assert subjects(root, None, True) + subjects(root, None, False) == everyone
    for fold, (matched, mismatched) in zip(folds, files.view2_pairs(root), strict=True):
        assert len(matched) == len(mismatched) == 2
        for c, p in matched + mismatched:
            assert {c.person, p.person} <= set(fold) and (c.kind, p.kind) == ("caricature", "photo")
            assert files.image_path(root, c) and files.image_path(root, p)
        assert all(c.person == p.person for c, p in matched) and all(c.person != p.person for c, p in mismatched)
    assert len(LabelledFaces(FaceSettings(root=root, image_size=(56, 48), filtered=False, fold=3), 0, False)) == 4


@pytest.mark.slow
def test_a_second_call_writes_nothing_and_other_numbers_are_refused(root, capsys):
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    none = ["--side_faces", "0", "--misplaced", "0"]
    webcaricature.main(["--write", str(root), "--people", "20", "--variants", "1", "--seed", "4", *none])
    assert "already there" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before
    for numbers, faults in (((20, 2), {}), ((20, 1), {"misplaced": 0.5})):
        with pytest.raises(InputError, match="holds other files, or another number of people"):
            write(root, *numbers, seed=4, **faults)


@pytest.mark.slow
def test_faults_are_written_and_reported(tmp_path, capsys):
    webcaricature.main(["--write", str(tmp_path / "w"), "--people", "20", "--variants", "1", "--side_faces", "0.5"])
    webcaricature.main(["--report", str(tmp_path / "w"), "--output", str(tmp_path / "rejected.tsv")])
    kept, rejected = re.search(r"photo: (\d+) kept, (\d+) rejected", capsys.readouterr().out).groups()
    assert int(kept) + int(rejected) == 20 and 4 <= int(rejected) <= 16
    assert "mouth corners enclose nose and lips" in (tmp_path / "rejected.tsv").read_text()
    with pytest.raises(ConfigError, match="--misplaced: expected 0 to 1, found 1.5"):
        webcaricature.main(["--write", str(tmp_path / "v"), "--misplaced", "1.5"])


def test_report(tmp_path, capsys):
    write_tree(tmp_path / "data")
    path = tmp_path / "data" / "FacialPoints" / "Bill" / "C00001.txt"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[2], *lines[1:]]))
    (tmp_path / "data" / "OriginalImages" / "Bill" / "P00002.png").unlink()
    webcaricature.main(["--report", str(tmp_path / "data"), "--output", str(tmp_path / "out.tsv")])
    shown = capsys.readouterr().out
    assert "4 people, 1 picture missing" in shown
    assert "photo: 11 kept, 0 rejected" in shown and "caricature: 7 kept, 1 rejected" in shown
    assert "1  order: 0 is the topmost of the outline" in shown
    rows = [line.split("\t") for line in (tmp_path / "out.tsv").read_text().splitlines()]
    assert ["Bill/C00001", "order: 0 is the topmost of the outline"] in rows
    assert rows[-1][0] == "" and "P00002.jpg" in rows[-1][1]


def test_one_of_the_two_is_asked_for():
    with pytest.raises(InputError, match="either --write DIR or --report DIR"):
        webcaricature.main([])
