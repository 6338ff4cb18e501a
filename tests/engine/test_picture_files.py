"""Every container, depth and property of a picture file, and what is refused."""

import io
import os
import struct

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from engine import images, picture_files
from engine.errors import InputError
from engine.picture_files import decode, read
from tests.engine.picture_bytes import RAMP, SIZE, STORED, pillow, png_16, samples, stored, tiff, wide_profile

LOSSY = {"JPEG": 0.05, "MPO": 0.05, "WEBP": 0.06, "AVIF": 0.06}


CONTAINERS = {  # name -> (bits, channels it is tried with, writer of what a camera stores)
    "jpeg": (8, (1, 3), lambda p, o: pillow(p, "JPEG", o)),
    "mpo": (8, (3,), lambda p, o: pillow(p, "MPO", o, save_all=True, append_images=[Image.new("RGB", (8, 8))])),
    "png": (8, (1, 2, 3, 4), lambda p, o: pillow(p, "PNG", o)),
    "webp": (8, (3, 4), lambda p, o: pillow(p, "WEBP", o, lossless=True, exact=True)),
    "avif": (8, (3, 4), lambda p, o: pillow(p, "AVIF", o)),
    "png16": (16, (1, 2, 3, 4), png_16),
}
for _depth in (8, 16):
    CONTAINERS[f"tiff{_depth}"] = (_depth, (1, 2, 3, 4), lambda p, o: tiff(p, orientation=o))
    CONTAINERS[f"tiff{_depth} big-endian"] = (_depth, (1, 3, 4), lambda p, o: tiff(p, ">", orientation=o))
    CONTAINERS[f"tiff{_depth} tiled"] = (_depth, (1, 3), lambda p, o: tiff(p, tiles=True, deflated=True, orientation=o))
    CONTAINERS[f"tiff{_depth} planes"] = (_depth, (3, 4), lambda p, o: tiff(p, planar=2, orientation=o))
    CONTAINERS[f"tiff{_depth} planes in tiles"] = (_depth, (3,), lambda p, o: tiff(p, ">", None, 2, True, True, o))
    CONTAINERS[f"tiff{_depth} white is zero"] = (
        _depth,
        (1,),
        lambda p, o: tiff(np.iinfo(p.dtype).max - p, photometric=0, orientation=o),
    )
    CONTAINERS[f"tiff{_depth} white is zero, big-endian"] = (
        _depth,
        (1,),
        lambda p, o: tiff(np.iinfo(p.dtype).max - p, ">", 0, orientation=o),
    )
CONTAINERS["tiff lzw"] = (8, (3,), lambda p, o: pillow(p, "TIFF", o, compression="tiff_lzw"))
TABLE = [(name, channels) for name, (_, several, _) in CONTAINERS.items() for channels in several]


@pytest.mark.parametrize("name, channels", TABLE)
def test_every_container_comes_out_upright_in_its_depth(name, channels):
    depth, _, write = CONTAINERS[name]
    picture = samples(depth, channels)
    tolerance = LOSSY.get(name.upper(), 0) * (2**depth - 1)
    for orientation in STORED:
        found = decode(write(stored(picture, orientation), orientation), name)
        assert found.depth == depth and (found.alpha is None) == (channels in (1, 3))
        values = found.samples if found.alpha is None else np.concatenate([found.samples, found.alpha], -1)
        values = values[..., ::3] if channels == 2 and values.shape[2] == 4 else values  # OpenCV makes LA an RGBA
        assert values.shape == picture.shape, orientation
        assert np.abs(values.astype(int) - picture).max() <= tolerance, orientation
        assert found.exif is None or Image.Exif().load(found.exif) is None
        shown = found.pixels()
        opacity = 1 if found.alpha is None else found.alpha.astype(float) / (2**depth - 1)
        expected = np.broadcast_to(picture[..., : 3 if channels > 2 else 1] / (2**depth - 1), (*SIZE, 3))
        assert np.abs(shown - (opacity * expected + 1 - opacity)).max() <= tolerance / (2**depth - 1) + 1e-6


def test_alpha_that_is_multiplied_in_is_taken_out():
    picture = samples(16, 4)
    multiplied = picture.copy()
    multiplied[..., :3] = np.rint(picture[..., :3] * (picture[..., 3:] / 65535))
    content = bytearray(tiff(multiplied))
    at = content.index(struct.pack("<HHI", 338, 3, 1)) + 8
    content[at] = 1
    found = decode(bytes(content), "a.tif")
    assert np.array_equal(found.alpha, picture[..., 3:])
    solid = picture[..., 3] > 20000
    assert np.abs(found.samples.astype(int) - picture[..., :3])[solid].max() <= 2


@pytest.mark.parametrize("highest", [200, 1023, 65535])
@pytest.mark.parametrize("letter, channels", [("P5", 1), ("P6", 3)])
def test_pnm_of_any_number_of_levels_keeps_them(letter, channels, highest):
    values = np.rint(RAMP[..., :channels] * highest).astype(">u2" if highest > 255 else "u1")
    content = f"{letter}\n# a comment\n{SIZE[1]} {SIZE[0]}\n{highest}\n".encode() + values.tobytes()
    found = decode(content, "a.ppm")
    assert found.depth == (16 if highest > 255 else 8) and found.samples.shape == values.shape
    assert np.abs(found.pixels() - values / highest).max() < (1e-5 if highest > 255 else 2.1e-3)
    with pytest.raises(InputError, match="a.ppm: not a readable image"):
        decode(content[:-9], "a.ppm")


@pytest.mark.parametrize("dtype, kind", [("f4", 3), ("f2", 3), ("i2", 2), ("u4", 1)])
def test_other_samples_are_refused_by_name(dtype, kind):
    picture = (RAMP * 100).astype(dtype)
    if dtype == "f4":
        picture[3, 3] = np.nan
    for channels in (1, 3):
        content = tiff(picture[..., :channels], sample_format=[kind] * channels)
        with pytest.raises(InputError, match=r"^a.tif: not a readable image \(.+\)$"):
            decode(content, "a.tif")


def test_a_wide_profile_is_turned_into_srgb_as_lcms_does():
    picture = np.random.default_rng(0).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    own = ImageCms.ImageCmsProfile(io.BytesIO(wide_profile()))
    by_lcms = ImageCms.profileToProfile(Image.fromarray(picture), own, ImageCms.createProfile("sRGB"))
    found = decode(pillow(picture, "PNG", icc_profile=wide_profile()), "a.png")
    assert np.abs(found.pixels() - np.asarray(by_lcms) / 255).max() < 1.01 / 255
    assert np.abs(found.pixels() - picture / 255).max() > 0.05
    assert np.array_equal(found.samples, picture) and found.icc == wide_profile()
    inside = np.float32(0.2 + 0.5 * RAMP)
    profile = found.profile()
    assert np.abs(profile.to_srgb(profile.from_srgb(inside)) - inside).max() < 1e-3


def test_srgb_profiles_change_nothing_and_damaged_ones_are_said(caplog):
    picture = samples(8, 3)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    expected = picture.astype(np.float32) / 255
    assert np.array_equal(decode(pillow(picture, "PNG", icc_profile=srgb), "a.png").pixels(), expected)
    assert not caplog.records
    for length in (3, 130, 200, len(wide_profile()) // 2):
        damaged = decode(pillow(picture, "PNG", icc_profile=wide_profile()[:length]), "a.png")
        assert np.array_equal(damaged.pixels(), expected)
    assert len(caplog.records) == 4 and "a.png: read as sRGB" in caplog.text


def test_a_profile_of_tables_and_cmyk_go_through_lcms():
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    with pytest.raises(ValueError, match="colour profile of Lab"):
        picture_files.colour_profiles.profile_of(lab)
    table = picture_files.colour_profiles.Table(wide_profile())
    found = picture_files.colour_profiles.profile_of(wide_profile()).to_srgb(np.float32(RAMP))
    assert np.abs(table.to_srgb(np.rint(np.float32(RAMP) * 255) / 255) - found).max() < 3 / 255
    ink = Image.fromarray(samples(8, 3)).convert("CMYK")
    out = io.BytesIO()
    ink.save(out, "JPEG", quality=100)
    assert np.abs(decode(out.getvalue(), "a.jpg").pixels() - np.asarray(ink.convert("RGB")) / 255).max() < 0.06


@pytest.mark.parametrize("write", [lambda p: pillow(p, "PNG"), lambda p: png_16(p.astype("u2")), lambda p: tiff(p),
                                   lambda p: tiff(p.astype("u2")), lambda p: pillow(p, "WEBP"),
                                   lambda p: pillow(p, "AVIF"), lambda p: pillow(p, "GIF"), lambda p: pillow(p, "BMP"),
                                   lambda p: pillow(p, "JPEG")])  # fmt: skip
def test_too_many_pixels_are_refused_before_decoding(write, monkeypatch):
    content = write(np.zeros((40, 50, 3), np.uint8))
    monkeypatch.setenv(picture_files.LIMIT, "2000")
    assert decode(content, "a").samples.shape[:2] == (40, 50)
    monkeypatch.setenv(picture_files.LIMIT, "1999")
    monkeypatch.setattr(Image.Image, "convert", None)
    monkeypatch.setattr(cv2, "imdecode", None)
    with pytest.raises(InputError, match=r"a: not a readable image \(2000 pixels, at most 1999; --max_pixels"):
        decode(content, "a")
    monkeypatch.setenv(picture_files.LIMIT, "many")
    with pytest.raises(InputError, match="KINTSUGI_MAX_PIXELS=many: expected a whole number"):
        decode(content, "a")


def test_a_tile_larger_than_the_picture_is_refused():
    content = tiff(np.zeros((16, 16, 3), np.uint8), tiles=True)
    for tag in (322, 323):
        content = content.replace(struct.pack("<HHIH", tag, 3, 1, 16), struct.pack("<HHIH", tag, 3, 1, 32000))
    with pytest.raises(InputError, match="1024000000 pixels, at most 50000000"):
        decode(content, "a.tif")


@pytest.mark.timeout(20)
def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "null.png").symlink_to("/dev/zero")
    for name in ("pipe.png", "null.png"):
        with pytest.raises(InputError, match=f"{name}: is a pipe, a socket or a device"):
            read(tmp_path / name)


@pytest.mark.parametrize("container", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF", "BMP", "GIF", "PPM"])
def test_damaged_files_are_one_line_whatever_the_decoder_raises(container):
    content = pillow(samples(8, 3), container)
    draws = np.random.default_rng(1)
    for i in range(60):
        damaged = bytearray(content[: len(content) if i % 2 else draws.integers(1, len(content))])
        for place in draws.integers(0, len(damaged), draws.integers(1, 8)):
            damaged[place] = draws.integers(256)
        try:
            assert np.isfinite(decode(bytes(damaged), "a").pixels()).all()
        except InputError as error:
            assert str(error).startswith("a: not a readable image (") and "\n" not in str(error)


def test_only_the_formats_that_are_meant(tmp_path):
    (tmp_path / "a.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n")
    with pytest.raises(InputError, match=r"a.png: not a readable image \(none of JPEG, PNG, WEBP, AVIF, TIFF"):
        images.read_image(tmp_path / "a.png")


@pytest.mark.parametrize("brands", [b"heic\0\0\0\0mif1heic", b"mif1\0\0\0\0mif1heic"])
def test_a_phones_picture_says_what_reads_it(monkeypatch, brands):
    monkeypatch.setattr(picture_files, "FORMATS", tuple(one for one in picture_files.FORMATS if one != "HEIF"))
    with pytest.raises(InputError, match=r"a.jpg: not a readable image \(HEIC; pip install -r requirements-heif.txt"):
        decode(b"\0\0\0\x18ftyp" + brands + bytes(100), "a.jpg")


def test_exif_is_kept_upright_without_what_lays_out_a_tiff():
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "a maker", 6
    exif.get_ifd(0x8769)[0x9003] = "2020:02:03 04:05:06"
    for container in ("JPEG", "PNG", "WEBP", "TIFF"):
        out = io.BytesIO()
        Image.fromarray(samples(8, 3)).save(out, container, exif=exif.tobytes())
        kept = Image.Exif()
        kept.load(decode(out.getvalue(), "a").exif)
        assert kept[0x010F] == "a maker" and kept[0x0112] == 1, container
        assert kept.get_ifd(0x8769)[0x9003] == "2020:02:03 04:05:06"
        assert not set(kept) & {256, 257, 258, 273, 279}


def test_a_jpeg_remembers_how_it_was_written():
    content = pillow(samples(8, 3), "JPEG", quality=31, subsampling=2)
    found = decode(content, "a.jpg")
    out = io.BytesIO()
    Image.fromarray(found.samples).save(out, "JPEG", **found.encoding)
    again = Image.open(out)
    assert again.quantization == Image.open(io.BytesIO(content)).quantization
    assert found.encoding["subsampling"] == 2


def test_damaged_exif_is_no_damaged_picture():
    content = pillow(samples(8, 3), "JPEG", 6)
    at = content.index(b"Exif\0\0") + 6
    draws = np.random.default_rng(2)
    for _ in range(50):
        damaged = bytearray(content)
        for place in draws.integers(at, at + 26, 4):
            damaged[place] = draws.integers(256)
        assert decode(bytes(damaged), "a.jpg").samples.shape[2] == 3
