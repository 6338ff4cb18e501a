"""Masks from files: polarity, archives as NVIDIA packs them, what is refused and what is warned of."""

import logging
import zipfile

import cv2
import numpy as np
import pytest

from data_loader.mask_files import MaskFiles, varied
from data_loader.masks import Masks, MaskSettings
from engine.errors import InputError
from engine.images import write_image


def hole(size=(64, 64), top=20, side=16):
    """A box off the edge."""
    box = np.zeros(size, bool)
    box[top : top + side, 8 : 8 + side] = True
    return box


def write(path, box, white="hole"):
    write_image(path, np.float32(box == (white == "hole"))[..., None].repeat(3, 2))
    return path


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "masks" / "a.png", hole())
    write(tmp_path / "masks" / "sub" / "b.png", hole(top=0))
    return tmp_path / "masks"


def archive(path, inner, count, white, step=1):
    """A .zip laid out as NVIDIA's, `count` masks numbered in steps; every second is drawn at the edge."""
    with zipfile.ZipFile(path, "w") as file:
        for i in range(count):
            box = hole(top=20 if i % 2 == 0 else 0)
            png = cv2.imencode(".png", np.uint8(box == (white == "hole")) * 255)[1].tobytes()
            file.writestr(f"{inner}/{i * step:05d}.png", png)
        file.writestr(f"{inner}/readme.txt", "no mask")
        file.writestr(f"__MACOSX/{inner}/._00000.png", b"no mask")
    return path


@pytest.mark.parametrize("white", ["hole", "valid"])
def test_polarity_is_as_declared(tmp_path, white):
    write(tmp_path / "masks" / "a.png", hole(), white)
    found = MaskFiles(tmp_path / "masks", (64, 64), white)
    assert np.array_equal(found.read(0), hole())
    other = "valid" if white == "hole" else "hole"
    assert np.array_equal(MaskFiles(tmp_path / "masks", (64, 64), other).read(0), ~hole())


def test_edge_and_size(folder):
    found = MaskFiles(folder, (32, 32), "hole")
    assert [found.border(i, found.read(i)) for i in range(2)] == ["inside", "free"]
    assert np.array_equal(found.read(0), hole()[::2, ::2])


def test_greys_are_cut_in_the_middle(tmp_path):
    ramp = np.linspace(0, 1, 64, dtype=np.float32)[None, :, None].repeat(64, 0).repeat(3, 2)
    write_image(tmp_path / "masks" / "a.png", ramp)
    for augmentation, share in (("none", 0.5), ("nvidia", 0.4)):
        found = MaskFiles(tmp_path / "masks", (64, 64), "hole", augmentation).read(0)
        assert found.mean() == pytest.approx(share, abs=0.02) and found[:, -1].all() and not found[:, 0].any()


def test_more_than_sixty_percent_hole_is_named(folder, caplog):
    with caplog.at_level(logging.WARNING, "kintsugi"):
        MaskFiles(folder, (64, 64), "hole")
        assert not caplog.records
        MaskFiles(folder, (64, 64), "valid")
    assert "94 % of a picture would be hole with white_means: valid" in caplog.text


def test_nvidias_test_archive_as_it_comes(tmp_path):
    path = archive(tmp_path / "test_mask.zip", "mask/testing_mask_dataset", 4, "hole", step=1000)
    found = MaskFiles(path, (64, 64))
    assert len(found) == 4 and found.white_means == "hole" and np.array_equal(found.read(0), hole())
    assert [found.border(i, None) for i in range(4)] == ["inside", "free", "inside", "free"]  # by number: 0, 1000, ...
    with zipfile.ZipFile(path) as file:
        file.extractall(tmp_path / "out")
    (tmp_path / "out" / "__MACOSX" / "mask" / "testing_mask_dataset" / "._00000.png").unlink()
    assert np.array_equal(MaskFiles(tmp_path / "out", (64, 64)).read(0), hole())


def test_nvidias_training_archive_is_the_other_way_round(tmp_path):
    path = archive(tmp_path / "irregular_mask.zip", "irregular_mask/disocclusion_img_mask", 2, "valid")
    assert np.array_equal(MaskFiles(path, (64, 64)).read(0), hole())
    with pytest.raises(InputError, match="white_means is hole; in this archive of NVIDIA's white is valid"):
        MaskFiles(path, (64, 64), "hole")


def test_what_cannot_be_read(tmp_path, folder):
    (tmp_path / "bad.zip").write_bytes(b"PK no archive")
    with zipfile.ZipFile(tmp_path / "empty.zip", "w") as file:
        file.writestr("readme.txt", "")
    with zipfile.ZipFile(tmp_path / "broken.zip", "w") as file:
        file.writestr("m/a.png", b"no picture")
    for root, white, line in (
        (folder, None, "white_means is missing"),
        (tmp_path / "bad.zip", "hole", "not a readable .zip"),
        (tmp_path / "empty.zip", "hole", "holds no image"),
        (tmp_path / "no.zip", "hole", "No such file"),
        (tmp_path / "broken.zip", "hole", "broken.zip: m/a.png: not a readable image"),
    ):
        with pytest.raises(InputError, match=line):
            MaskFiles(root, (8, 8), white)


def test_archives_that_unpack_to_too_much_or_are_cut_short(tmp_path):
    path = archive(tmp_path / "whole.zip", "m", 3, "hole")
    content = path.read_bytes()
    draws = np.random.default_rng(0)
    for i in range(200):
        damaged = bytearray(content[: draws.integers(len(content))] if i % 4 == 0 else content)
        for place in draws.integers(0, max(1, len(damaged)), 4 * bool(damaged)):
            damaged[place] = draws.integers(256)
        (tmp_path / "damaged.zip").write_bytes(bytes(damaged))
        try:
            found = MaskFiles(tmp_path / "damaged.zip", (8, 8), "hole")
            assert all(found.read(i).shape == (8, 8) for i in range(len(found)))
        except InputError as error:
            assert "damaged.zip: " in str(error) and "\n" not in str(error)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("m/a.png", bytes(2**27))
    with pytest.raises(
        InputError, match=r"bomb.zip: m/a.png cannot be read \(unpacked it has 134217728 bytes, at most"
    ):
        MaskFiles(tmp_path / "bomb.zip", (8, 8), "hole")


def test_augmentations():
    box = hole()
    turned = {varied(box, "flips", np.random.default_rng(i)).tobytes() for i in range(60)}
    assert len(turned) == 8 and all(np.frombuffer(each, bool).sum() == box.sum() for each in turned)
    assert varied(box, "none", None) is box
    larger = [varied(hole((128, 128), 50), "nvidia", np.random.default_rng(i)) for i in range(30)]
    inside = [each.tobytes() for each in larger if each.any()]  # a shifted hole may leave the picture
    assert len(set(inside)) == len(inside) > 20 and {each.shape for each in larger} == {(128, 128)}
    assert np.mean([each.sum() for each in larger]) > hole((128, 128), 50).sum()  # dilation: holes grow


def test_masks_of_files_by_ratio_and_in_turn(folder):
    write(folder / "c.png", hole(side=40))
    in_turn = Masks(MaskSettings(files=folder, white_means="hole"), (64, 64), False)
    ratios = [in_turn.draw(i, np.random.default_rng(i))[0].mean() for i in range(6)]
    assert ratios == pytest.approx([256 / 4096, 1600 / 4096, 256 / 4096] * 2)
    wanted = Masks(MaskSettings(files=folder, white_means="hole", ratios=[(0.3, 0.4)]), (64, 64), True)
    assert all(wanted.draw(0, np.random.default_rng(i))[0].mean() == 1600 / 4096 for i in range(4))
    impossible = Masks(MaskSettings(files=folder, white_means="hole", ratios=[(0.5, 0.6)]), (64, 64), True)
    with pytest.raises(InputError, match=r"no hole of ratio \[0.5, 0.6\]"):
        impossible.draw(0, np.random.default_rng(0))
    for i in range(3):
        write(folder / f"empty{i}.png", hole(side=0))
    with pytest.raises(InputError, match="empty1.png holds no hole"):
        Masks(MaskSettings(files=folder, white_means="hole"), (64, 64), False).draw(3, None)
    assert (
        min(
            Masks(MaskSettings(files=folder, white_means="hole"), (64, 64), True)
            .draw(0, np.random.default_rng(i))[0]
            .mean()
            for i in range(20)
        )
        > 0
    )
