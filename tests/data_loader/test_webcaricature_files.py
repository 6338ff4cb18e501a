"""WebCaricature's files as they come: spaces in names, tabs, line ends; every damage names file and line."""

import numpy as np
import pytest

from data_loader import webcaricature_files as files
from data_loader.webcaricature_files import VERIFICATION, Picture
from engine.errors import InputError
from tests.data_loader.webcaricature_tree import PEOPLE, write_text, write_tree
from tests.engine.test_face_alignment import landmarks


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_tree(tmp_path_factory.mktemp("WebCaricature"))


def test_pictures_are_those_of_the_file_lists(root):
    assert files.is_webcaricature(root) and not files.is_webcaricature(root / "Filenames")
    pictures = files.list_pictures(root)
    assert len(pictures) == 4 * 5 and pictures[0] == Picture("Adam Sandler", "P00001")
    chosen = files.list_pictures(root, ["Zoe de la Cruz"])
    assert [picture.file for picture in chosen] == ["P00001", "P00002", "P00003", "C00001", "C00002"]
    assert [picture.kind for picture in chosen] == ["photo"] * 3 + ["caricature"] * 2
    assert chosen[-1].name == "Zoe de la Cruz/C00002"


def test_picture_files_and_landmarks(root):
    picture = Picture("Ai Wei Wei", "C00001")
    assert files.image_path(root, picture).name == "C00001.png"  # another suffix than the list's
    np.testing.assert_allclose(files.read_landmarks(root, picture), landmarks(), atol=1e-6)
    with pytest.raises(InputError, match="C00009.jpg: missing"):
        files.image_path(root, Picture("Bill", "C00009"))


def test_protocols(root):
    assert files.view1(root, "DevTrain") == PEOPLE[:3]
    assert files.view1(root, "DevTest") == ["Zoe de la Cruz"]
    assert files.view2_people(root) == [["Adam Sandler", "Zoe de la Cruz"], ["Ai Wei Wei", "Bill"]]
    (matched, mismatched), second = files.view2_pairs(root)
    assert matched[1] == (Picture("Zoe de la Cruz", "C00002"), Picture("Zoe de la Cruz", "P00003"))
    assert mismatched[0] == (Picture("Adam Sandler", "C00002"), Picture("Zoe de la Cruz", "P00001"))
    assert mismatched[1] == (Picture("Zoe de la Cruz", "C00001"), Picture("Adam Sandler", "P00001"))  # caricature first
    assert [len(part) for part in second] == [1, 1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x\n", "DevTest.txt:1: found 'x'; expected a number"),
        ("2\nBill\t1\t1\n", r"DevTest.txt: ends after line 2"),
        ("1\nBill 1 1\n", r"DevTest.txt:2: found 'Bill 1 1'; expected 3 fields between tabs"),
        ("1\nBill\t1\t1\nAda\t1\t1\n", r"DevTest.txt:3: found 'Ada\\t1\\t1'; expected the end of the file"),
    ],
)
def test_damaged_protocols_name_the_line(tmp_path, text, message):
    write_text(tmp_path / VERIFICATION / "UnRestricted" / "UnRestrictedView1_DevTest.txt", text)
    with pytest.raises(InputError, match=message):
        files.view1(tmp_path, "DevTest")


def test_two_caricatures_are_no_pair(tmp_path):
    write_text(tmp_path / VERIFICATION / "Restricted" / "RestrictedView2.txt", "1\n1\nBill\tC00001\tC00002\n")
    with pytest.raises(InputError, match="RestrictedView2.txt:3: .*expected one file C... and one file P..."):
        files.view2_pairs(tmp_path)


@pytest.mark.parametrize("text", ["", "1 2\n" * 16, "1 2\n" * 18, "1 2 3\n" * 17, "1 x\n" * 17, "nan 1\n" * 17])
def test_damaged_landmarks(tmp_path, text):
    write_text(tmp_path / "FacialPoints" / "Bill" / "C00001.txt", text)
    with pytest.raises(InputError, match="C00001.txt: expected 17 lines of two numbers"):
        files.read_landmarks(tmp_path, Picture("Bill", "C00001"))


def test_missing_files(tmp_path):
    with pytest.raises(InputError, match="DevTrain.txt: cannot be read"):
        files.view1(tmp_path, "DevTrain")
    with pytest.raises(InputError, match="Filenames: no such folder"):
        files.list_pictures(tmp_path)
    write_text(tmp_path / "Filenames" / "Bill" / "file_p.txt", "C00001.jpg\n")
    with pytest.raises(InputError, match="file_p.txt:1: found 'C00001.jpg'; expected a name that begins with P"):
        files.list_pictures(tmp_path)
