import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from engine import images
from engine.errors import InputError

RED_BLUE = np.zeros((4, 6, 3), np.float32)  # left half red, right half blue
RED_BLUE[:, :3, 0] = RED_BLUE[:, 3:, 2] = 1


@pytest.fixture
def picture():
    return np.random.default_rng(0).random((5, 7, 3)).astype(np.float32)


def test_png_round_trip_keeps_channels_and_rounds_to_nearest(tmp_path, picture):
    path = tmp_path / "sub" / "\u732b \u00e9.png"
    images.write_image(path, picture)
    assert np.asarray(Image.open(path))[2, 3].tolist() == [round(float(v) * 255) for v in picture[2, 3]]
    back = images.read_image(path)
    assert back.dtype == np.float32 and back.shape == (5, 7, 3)
    assert np.abs(back - picture).max() <= 0.5001 / 255
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_write_clips_and_leaves_nothing_behind_on_failure(tmp_path, picture):
    images.write_image(tmp_path / "a.png", picture * 4 - 2)
    assert images.read_image(tmp_path / "a.png").min() == 0 and images.read_image(tmp_path / "a.png").max() == 1
    with pytest.raises(InputError, match="a.xyz: cannot write images as '.xyz'"):
        images.write_image(tmp_path / "a.xyz", picture)
    (tmp_path / "taken.png").mkdir()
    with pytest.raises(InputError, match="taken.png: cannot be written"):
        images.write_image(tmp_path / "taken.png", picture)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.png", "taken.png"]


def test_jpeg_is_red_left_blue_right(tmp_path):
    images.write_image(tmp_path / "a.jpg", RED_BLUE.repeat(8, 0).repeat(8, 1))
    back = images.read_image(tmp_path / "a.jpg")
    assert back[16, 4, 0] > 0.9 and back[16, 4, 2] < 0.1 and back[16, 44, 2] > 0.9


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGB", "CMYK", "LA", "RGBA"])
def test_every_pillow_mode_becomes_rgb(tmp_path, mode):
    source = Image.fromarray(images.to_uint8(RED_BLUE)).convert(mode)
    path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    source.save(path)
    expected = np.asarray(source.convert("RGB"), np.float32) / 255
    assert np.abs(images.read_image(path) - expected).max() < 1e-6


def test_transparency_is_composited_on_white(tmp_path):
    rgba = np.zeros((2, 2, 4), np.uint8)
    rgba[..., 1] = 255
    rgba[0, 0, 3], rgba[1, 1, 3] = 255, 51
    Image.fromarray(rgba).save(tmp_path / "a.png")
    back = images.read_image(tmp_path / "a.png")
    assert back[0, 0].tolist() == [0, 1, 0] and back[0, 1].tolist() == [1, 1, 1]
    assert np.allclose(back[1, 1], [0.8, 1, 0.8])


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bit_keeps_its_precision(tmp_path, channels, suffix):
    samples = np.full((3, 2, channels), 65535, np.uint16)
    samples[..., : min(channels, 3)] = np.random.default_rng(1).integers(0, 65536, (3, 2, min(channels, 3)))
    assert cv2.imwrite(str(tmp_path / f"a{suffix}"), samples)
    expected = np.repeat(samples, 3, 2) if channels == 1 else samples[..., 2::-1]
    assert np.abs(images.read_image(tmp_path / f"a{suffix}") - expected / 65535).max() < 1e-6


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation(tmp_path, picture, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(images.to_uint8(picture)).save(tmp_path / "a.png", exif=exif)
    with Image.open(tmp_path / "a.png") as file:
        expected = np.asarray(ImageOps.exif_transpose(file), np.float32) / 255
    assert np.array_equal(images.read_image(tmp_path / "a.png"), expected)


def test_unreadable_files_are_named(tmp_path, picture):
    images.write_image(tmp_path / "whole.jpg", picture.repeat(20, 0).repeat(20, 1))
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "whole.jpg").read_bytes()[:-400])
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "empty.png").touch()
    Image.fromarray(picture[..., 0]).save(tmp_path / "float.tif")
    for name in ("cut.jpg", "text.png", "empty.png", "float.tif", "missing.png"):
        with pytest.raises(InputError, match=rf"{name}: not a readable image \(.+\)$"):
            images.read_image(tmp_path / name)


def test_list_images_is_nested_and_sorted(tmp_path):
    for name in ("b.PNG", "a/z.jpeg", "a/\u00e9.webp", ".hidden.png", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in images.list_images(tmp_path)]
    assert found == ["a/z.jpeg", "a/\u00e9.webp", "b.PNG"]


def test_what_is_left_out_of_a_folder_is_counted(tmp_path):
    for name in ("a.jfif", "b.JPE", "c.avif", "d.heic", "e.mp4", "f.mp4", "plain", ".g.png", "@eaDir/h.jpg",
                 "sub/__MACOSX/i.png", ".ipynb_checkpoints/j/k.png"):  # fmt: skip
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).touch()
    found = images.listing(tmp_path)
    assert [name for name in found.names if name != "d.heic"] == ["a.jfif", "b.JPE", "c.avif"]
    assert found.left_out["hidden"] == 4 and found.left_out[".mp4"] == 2 and found.left_out["without suffix"] == 1
    assert found.said().startswith(", 8 files left out (4 hidden, 2 .mp4")


def test_linked_folders_are_followed_once(tmp_path):
    for name in ("elsewhere/a.png", "pictures/b.png", "pictures/deep/c.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).touch()
    (tmp_path / "pictures" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "pictures" / "again").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "pictures" / "deep" / "up").symlink_to(tmp_path / "pictures")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "pictures" / "deep")
    (tmp_path / "pictures" / "d.png").symlink_to(tmp_path / "pictures" / "b.png")
    found = sorted(path.name for path in images.list_images(tmp_path / "pictures"))
    assert found == ["a.png", "b.png", "c.png", "d.png"]
    (tmp_path / ".cache").symlink_to(tmp_path / "pictures")
    assert len(images.list_images(tmp_path / ".cache")) == 4  # a folder that is named is meant


def test_list_images_says_what_is_wrong(tmp_path):
    (tmp_path / "file.png").touch()
    (tmp_path / "empty").mkdir()
    for name, words in (("nothing", "no such folder"), ("file.png", "not a folder"), ("empty", "holds no image")):
        with pytest.raises(InputError, match=f"{name}: {words}"):
            images.list_images(tmp_path / name)


def test_resize_size_is_height_then_width_and_kernels_differ():
    board = np.indices((8, 12)).sum(0)[..., None] % 2 * np.ones(3, np.float32)
    results = {kernel: images.resize(board.astype(np.float32), (4, 3), kernel) for kernel in images.KERNELS}
    assert all(result.shape == (4, 3, 3) for result in results.values())
    assert np.allclose(results["area"], 0.5) and set(np.unique(results["nearest"])) <= {0, 1}
    assert images.resize(np.ones((8, 12, 1), np.float32), (4, 6), "linear").shape == (4, 6, 1)
    assert images.resize(board, (8, 12), "cubic") is board


def test_layout_range_and_composite(picture):
    chw = images.to_chw(picture)
    assert chw.flags.c_contiguous and chw[2, 1, 4] == picture[1, 4, 2]
    assert np.array_equal(images.to_hwc(chw), picture)
    assert np.array_equal(images.to_hwc(np.stack([chw, chw]))[1], picture)
    assert images.to_signed(np.array([0, 0.5, 1])).tolist() == [-1, 0, 1]
    assert np.allclose(images.from_signed(images.to_signed(picture)), picture)
    assert images.composite(5, 3, np.array([1, 0])).tolist() == [5, 3]
    assert images.to_uint8(np.array([-1, 0.4999, 1.5 / 255 + 1e-6, 2])).tolist() == [0, 127, 2, 255]


def test_picture_grid_places_rows_and_labels(picture):
    small = np.zeros((2, 2, 3), np.float32)
    small[0, 0] = [1, 0, 0]
    big = np.ones((4, 4, 3), np.float32)
    grid = images.picture_grid([[big, small], [small]])
    assert grid.shape == (8, 8, 3)
    assert np.array_equal(grid[:4, :4], big) and not grid[4:, 4:].any()
    assert np.array_equal(grid[:4, 4:], small.repeat(2, 0).repeat(2, 1))
    labelled = images.picture_grid([[picture, picture]], labels=["in", "out"])
    assert labelled.shape == (images.CAPTION_HEIGHT + 5, 14, 3) and labelled[: images.CAPTION_HEIGHT].max() > 0.9


def test_fitted_takes_the_centre_and_averages():
    image = np.zeros((8, 16, 3), np.float32)
    image[:, 4:12] = np.indices((8, 8)).sum(0)[..., None] % 2
    image[:, :4] = image[:, 12:] = 5
    assert np.allclose(images.fitted(image, (4, 4), "area"), 0.5)
    assert images.fitted(image, (4, 8), "area").max() == 5


def test_enlarging_is_linear_whatever_the_kernel():
    step = np.repeat(np.float32([0, 1])[None, :, None], 3, 2).repeat(2, 0)
    assert np.allclose(images.fitted(step, (4, 4), "area")[0, :, 0], [0, 0.25, 0.75, 1])
