import numpy as np
import pytest
from PIL import Image

from data_loader.folder import ImageFolder, split_folder
from engine.errors import InputError
from engine.images import write_image


def test_nested_unicode_names_in_sorted_order(tmp_path):
    for number, name in enumerate(("b/2.png", "a/\u732b.jpg", "1.png")):
        write_image(tmp_path / name, np.full((20, 20, 3), number / 2, np.float32))
    source = ImageFolder(tmp_path, (10, 10), "area")
    assert [source.name(i) for i in range(len(source))] == ["1", "a/\u732b", "b/2"]
    assert [round(float(source.read(i).mean()), 1) for i in range(3)] == [1, 0.5, 0]
    assert source.read(0).shape == (10, 10, 3) and source.read(0).dtype == np.float32


def test_odd_formats_are_read(tmp_path):
    Image.fromarray(np.full((8, 8), 40000, np.uint16)).save(tmp_path / "deep.png")
    Image.new("LA", (8, 8), (51, 255)).save(tmp_path / "grey_alpha.png")
    rotated = Image.Exif()
    rotated[0x0112] = 6  # stored on its side: turn clockwise
    stored = np.zeros((8, 8, 3), np.uint8)
    stored[4:, :, 0] = 255
    Image.fromarray(stored).save(tmp_path / "rotated.png", exif=rotated)
    deep, grey_alpha, upright = (ImageFolder(tmp_path, (4, 4), "area").read(i) for i in range(3))
    assert np.allclose(deep, 40000 / 65535) and np.allclose(grey_alpha, 0.2)
    assert upright[:, :2, 0].min() == 1 and upright[:, 2:].max() == 0  # the lower half is on the left


def test_split_folder(tmp_path):
    assert split_folder(tmp_path, True) == tmp_path
    (tmp_path / "train").mkdir()
    (tmp_path / "val").mkdir()
    assert split_folder(tmp_path, True) == tmp_path / "train" and split_folder(tmp_path, False) == tmp_path / "val"


def test_unreadable_file_is_named_when_read(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    source = ImageFolder(tmp_path, (4, 4), "area")
    with pytest.raises(InputError, match="broken.png"):
        source.read(0)
