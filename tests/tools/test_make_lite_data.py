"""The lite data tool: what it writes, that a second call writes nothing, that a change is followed."""

import json

import numpy as np
import pytest

from data_loader.lite_data import HELD_OUT
from engine.errors import InputError
from engine.images import list_images, read_image
from tools import make_lite_data

WORDS = ["-c", "configs/gpen_lite.yaml", "--size=64", "--train=2", "--val=2"]


@pytest.fixture(scope="module")
def lite(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lite")
    make_lite_data.main([*WORDS, f"--output={folder}"])
    return folder


def test_folders_pairs_and_truth(lite):
    names = {part: {path.stem for path in list_images(lite / part)} for part in ("train", "val/hq", "val/lq")}
    assert names["val/hq"] == names["val/lq"] and len(names["train"]) == len(names["val/hq"]) == 2
    assert not names["train"] & names["val/hq"]
    faces = json.loads((lite / "val" / "landmarks.json").read_text())["faces"]
    assert set(faces) == names["val/hq"]
    for name, face in faces.items():
        assert int(name.removeprefix("face_")) == face["identity"] >= HELD_OUT
        assert np.shape(face["landmarks"]) == (68, 2)


def test_a_mask_a_picture_white_in_the_hole(lite):
    paths = list_images(lite / "val" / "mask")
    assert {path.stem for path in paths} == {path.stem for path in list_images(lite / "val" / "hq")}
    for path in paths:
        mask = read_image(path)
        assert mask.shape == (64, 64, 3) and set(np.unique(mask)) == {0.0, 1.0} and 0.2 < mask.mean() <= 0.4


def test_lq_is_a_worse_copy_of_hq(lite):
    clean, degraded = (
        np.stack([read_image(path) for path in list_images(lite / "val" / part)]) for part in ("hq", "lq")
    )
    error = ((clean - degraded) ** 2).mean((1, 2, 3))
    assert clean.shape == degraded.shape == (2, 64, 64, 3)
    assert (error > 1e-4).all() and error.max() < ((clean - degraded[::-1]) ** 2).mean((1, 2, 3)).min()


def test_again_writes_nothing_and_less_removes_the_rest(lite, capsys):
    before = {path: path.stat().st_mtime_ns for path in lite.rglob("*.*")}
    make_lite_data.main([*WORDS, f"--output={lite}"])
    assert {path: path.stat().st_mtime_ns for path in lite.rglob("*.*")} == before
    make_lite_data.main([*WORDS, "--train=1", f"--output={lite}"])
    assert [path.name for path in list_images(lite / "train")] == ["face_000000.png"]
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 8 and "already there" in lines[0] and "written" in lines[4]


@pytest.mark.parametrize("flag", ["--train=0", "--val=-1", "--size=8", "--output=/dev/null/x"])
def test_bad_flags_name_themselves(flag):
    with pytest.raises(InputError, match=flag.split("=")[0] if "output" not in flag else "/dev/null/x"):
        make_lite_data.main([*WORDS, flag])
