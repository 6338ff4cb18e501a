"""A result goes back as its picture came: depth, alpha, greyness, profile, EXIF, and samples that did not change."""

import io

import numpy as np
import pytest
from PIL import Image

from deploy.files import CONTAINERS, returned, suffix, write
from engine import picture_files
from engine.errors import InputError
from engine.masks import LUMA
from engine.picture_files import Picture, read
from tests.engine.picture_bytes import wide_profile

SIZE = (24, 40)
HOLE = np.zeros(SIZE, bool)
HOLE[5:12, 8:30] = True
LOSSY = {"JPEG": 40, "WEBP": 20, "AVIF": 20}


def exif():
    made = Image.Exif()
    made[0x010F], made[0x0112] = "a maker", 1
    made.get_ifd(0x8769)[0x9003] = "2020:02:03 04:05:06"
    return made.tobytes()


def picture(depth=8, channels=3, has_alpha=False, icc=None, **more):
    """A picture of smooth samples."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]] / 40
    shown = np.stack([x, y, (x + y) / 2], -1)[..., :channels]
    samples = np.rint(shown * (2**depth - 1)).astype(f"u{depth // 8}")
    alpha = np.rint(np.clip(2 * x, 0, 1) * (2**depth - 1)).astype(samples.dtype)[..., None] if has_alpha else None
    return Picture(samples, alpha, icc, name="a", exif=exif(), **more)


FORMS = [(depth, channels, has_alpha, profile) for depth in (8, 16) for channels in (1, 3)
         for has_alpha in (False, True) for profile in (False, True) if not (channels == 1 and profile)]  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("ending", [".png", ".tif", ".webp", ".jpg", ".avif", ".bmp", ".ppm"])
def test_every_container_keeps_what_it_can_and_says_the_rest(tmp_path, caplog, ending, form):
    depth, channels, has_alpha, profile = form
    given = picture(depth, channels, has_alpha, wide_profile() if profile else None)
    container = CONTAINERS[ending]
    write(tmp_path / f"a{ending}", given)
    found, said = read(tmp_path / f"a{ending}"), caplog.text
    is_deep, has_all = ending in (".png", ".tif"), ending not in (".jpg", ".bmp", ".ppm")
    assert found.format == container and found.samples.shape[:2] == SIZE
    assert found.depth == (depth if is_deep else 8) and ("the picture has 16" in said) == (depth > 8 and not is_deep)
    assert (found.alpha is None) == (not has_alpha or not has_all) and ("no alpha" in said) == (
        has_alpha and not has_all
    )
    keeps_profile = profile and (has_all or (ending == ".jpg" and not has_alpha))
    assert (found.icc == given.icc) == (keeps_profile or not profile)
    kept = Image.Exif()
    kept.load(found.exif or b"Exif\0\0")
    assert (kept.get(0x010F) == "a maker") == (ending not in (".bmp", ".ppm")) == ("no EXIF" not in said)
    if found.exif:
        assert kept.get_ifd(0x8769).get(0x9003) == "2020:02:03 04:05:06"
    if container not in LOSSY and (not has_alpha or has_all) and depth == found.depth and keeps_profile == profile:
        assert np.array_equal(np.broadcast_to(given.samples, (*SIZE, 3)), np.broadcast_to(found.samples, (*SIZE, 3)))
        assert not has_alpha or np.array_equal(found.alpha, given.alpha)
    tolerance = LOSSY.get(container, 1.5) / 255
    assert np.abs(found.pixels() - given.pixels()).max() < tolerance


@pytest.mark.parametrize("form", FORMS)
def test_what_is_not_changed_stays_to_the_last_bit(form):
    depth, channels, has_alpha, profile = form
    given = picture(depth, channels, has_alpha, wide_profile() if profile else None)
    shown = given.pixels()
    same = returned(given, shown.copy())
    assert np.array_equal(same.samples, given.samples) and same.alpha is given.alpha and same.exif == given.exif
    filled = np.where(HOLE[..., None], np.float32([0.45, 0.5, 0.55]), shown)
    found = returned(given, filled)
    assert np.array_equal(found.samples[~HOLE], given.samples[~HOLE]) and found.samples.dtype == given.samples.dtype
    expected = filled if channels == 3 else np.repeat((filled @ LUMA)[..., None], 3, 2)
    solid = HOLE if given.alpha is None else HOLE & (given.opacity()[..., 0] > 0.6)
    assert np.abs(found.pixels() - expected)[solid].max() < (3e-3 if depth == 8 else 3e-4) * (2 if profile else 1)


def test_a_result_of_another_size_takes_the_alpha_along():
    given = picture(16, 3, True)
    found = returned(given, np.full((12, 20, 3), 0.25, np.float32))
    assert found.samples.shape == (12, 20, 3) and found.alpha.shape == (12, 20, 1) and found.depth == 16
    assert np.abs(found.alpha[:, 5].astype(int) - given.alpha[:, 10:12].mean()).max() < 700


@pytest.mark.parametrize("channels", [1, 3])
def test_a_grey_picture_comes_back_grey(channels):
    given = picture(8, 1)
    given = given if channels == 1 else Picture(np.repeat(given.samples, 3, 2), name="a")
    tinted = given.pixels() * np.float32([1, 0.8, 0.6])
    kept, free = returned(given, tinted), returned(given, tinted, "free")
    assert kept.is_grey and kept.samples.shape == given.samples.shape
    assert np.abs(kept.pixels()[..., 0] - tinted @ LUMA).max() < 2.1e-3
    assert free.samples.shape[2] == 3 and np.abs(free.pixels() - tinted).max() < 2.1e-3


def test_auto_keeps_container_and_quality(tmp_path):
    assert [suffix(name, "auto") for name in ("a.jpeg", "a.TIF", "a.gif", "a.heic", "a")] == [
        ".jpeg", ".tif", ".png", ".png", ".png"]  # fmt: skip
    assert [suffix("a.jpeg", ext) for ext in ("png", "webp")] == [".png", ".webp"]
    source = io.BytesIO()
    Image.fromarray(picture().samples).save(source, "JPEG", quality=40, subsampling=2)
    given = picture_files.decode(source.getvalue(), "a.jpg")
    write(tmp_path / "b.jpg", given)
    again = Image.open(tmp_path / "b.jpg")
    assert again.quantization == Image.open(source).quantization
    Image.fromarray(picture().samples).save(tmp_path / "a.webp", lossless=True)
    write(tmp_path / "c.webp", read(tmp_path / "a.webp"))
    assert np.array_equal(read(tmp_path / "c.webp").samples, picture().samples)


def test_what_cannot_be_written(tmp_path):
    with pytest.raises(InputError, match="a.xyz: cannot write pictures as '.xyz'; expected one of .png, .jpg"):
        write(tmp_path / "a.xyz", picture())
    (tmp_path / "b.png").mkdir()
    with pytest.raises(InputError, match="b.png: cannot be written"):
        write(tmp_path / "b.png", picture())
