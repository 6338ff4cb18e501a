import numpy as np
import pytest
from PIL import Image

from data_loader.drawn_faces.rendering import render
from data_loader.folder import ImageFolder, split_folder
from engine import picture_files
from engine.errors import InputError
from engine.images import fitted, read_image, to_uint8, write_image


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


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("turn", [1, 6])
def test_a_large_jpeg_is_read_in_little_time_as_the_picture_it_is(tmp_path, monkeypatch, mode, turn):
    exif = Image.Exif()
    exif[0x0112] = turn
    face = to_uint8(render(3, 0, 256).image)[32:, :, :]  # not square
    Image.fromarray(face).resize((1024, 896), Image.Resampling.BICUBIC).convert(mode).save(
        tmp_path / "face.jpg", quality=95, subsampling=0, exif=exif
    )
    decoded, load = [], picture_files._decoded
    monkeypatch.setattr(
        picture_files, "_decoded", lambda file, content: decoded.append(file.size) or load(file, content)
    )
    for size, width in (
        ((64, 64), 256),
        ((128, 112) if turn == 6 else (112, 128), 512),
        ((100, 100), 256),
        ((256, 256), 1024),
    ):
        exact = fitted(read_image(tmp_path / "face.jpg"), size, "area")
        found = ImageFolder(tmp_path, size, "area").read(0)
        assert found.shape == (*size, 3) and found.dtype == np.float32
        assert np.abs(found - exact).mean() < 1 / 255 and np.abs(found - exact).max() < 16 / 255
        assert [max(taken) for taken in decoded] == [1024, width]
        decoded.clear()
    ImageFolder(tmp_path, (64, 64), "cubic").read(0)  # a kernel that does not average sees every pixel
    assert max(decoded[0]) == 1024


def test_deep_transparent_and_profiled_pictures_keep_their_precision(tmp_path):
    ramp = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)
    Image.fromarray(ramp).save(tmp_path / "deep.png")
    Image.fromarray(np.dstack([np.full((64, 64, 3), 90, np.uint8), (ramp >> 8).astype(np.uint8)])).save(
        tmp_path / "see.png"
    )
    source = ImageFolder(tmp_path, (16, 16), "area")
    for index, path in enumerate(source.paths):
        assert np.array_equal(source.read(index), fitted(read_image(path), (16, 16), "area"))
