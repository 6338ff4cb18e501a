"""Pictures through the scripts: what comes in one form goes out in that form, whatever marks the hole."""

import numpy as np
import pytest
from PIL import Image

from data_loader.drawn_faces.rendering import render
from engine.images import to_uint8, write_image
from engine.picture_files import read
from tests.engine.picture_bytes import pillow, png_16, stored, tiff, wide_profile
from tests.script_calls import ROOT, call, told

pytestmark = pytest.mark.slow
FACE = to_uint8(render(3, 0, 64).image)
HOLE = np.zeros((64, 64), bool)
HOLE[20:40, 24:48] = True
FILL = ["-c", "configs/partialconv_lite.yaml", "--pretrained=weights/lite/partialconv_lite.pdparams"]
RESTORE = ["-c", "configs/gpen_lite.yaml", "--pretrained=weights/lite/gpen_lite.pdparams"]

LEFT_OUT = ("film.mp4", "other.mp4", "scan.jp2", "telephone.heic")  # HEIC is read with requirements-heif.txt


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The same face in several forms, and masks of the same hole."""
    root = tmp_path_factory.mktemp("pictures")
    for name in ("in", "masks"):
        (root / name).mkdir()
    alpha = np.full((64, 64, 1), 255, np.uint8)
    alpha[:, :20] = 90
    deep = FACE.astype(np.uint16) * 257 + np.arange(64, dtype=np.uint16)[:, None]
    forms = {
        "plain.png": pillow(FACE, "PNG"),
        "alpha.png": pillow(np.concatenate([FACE, alpha], 2), "PNG"),
        "deep.png": png_16(deep),
        "turned.tif": tiff(stored(FACE, 6), orientation=6),
        "deep_turned.tif": tiff(stored(deep, 6), orientation=6),
        "grey.png": pillow(FACE[..., 1:2], "PNG"),
        "wide.png": pillow(FACE, "PNG", icc_profile=wide_profile()),
        "photo.jpg": pillow(FACE, "JPEG", 1, quality=60),
        "damaged.avif": pillow(FACE, "AVIF")[:200],
    }
    for name, content in forms.items():
        (root / "in" / name).write_bytes(content)
    for name in LEFT_OUT:
        (root / "in" / name).touch()
    masks = {
        "white": np.uint8(HOLE) * 255,
        "label": np.uint8(HOLE),
        "red": np.dstack([np.uint8(HOLE) * 255, np.zeros((64, 64, 2), np.uint8)]),
        "strokes": np.dstack([np.full((64, 64, 3), 255, np.uint8), np.uint8(HOLE) * 255]),
        "erased": np.dstack([FACE, np.uint8(~HOLE) * 255]),
        "nothing": np.zeros((64, 64), np.uint8),
    }
    for name, values in masks.items():
        Image.fromarray(values).save(root / "masks" / f"{name}.png")
    return root


def test_filled_pictures_keep_their_form_and_every_sample_outside_the_hole(folder, tmp_path):
    words = [f"--image_dir={folder / 'in'}", f"--mask={folder / 'masks' / 'white.png'}", "--ext=auto"]
    done = call("predict", *FILL, *words, f"--output_dir={tmp_path}")
    assert done.returncode == 0 and "skipped: " in done.stderr and "damaged.avif: not a readable image" in done.stderr
    assert "8 pictures, 1 skipped, 4 files left out (2 .mp4, 1 .heic, 1 .jp2); results in" in done.stdout
    for path in (folder / "in").iterdir():
        if path.name in (*LEFT_OUT, "damaged.avif"):
            continue
        given, made = read(path), read(tmp_path / f"{path.stem}_predict{path.suffix}")
        assert made.format == given.format and made.depth == given.depth and made.is_grey == given.is_grey, path
        assert made.icc == given.icc and (made.alpha is None) == (given.alpha is None), path
        assert (made.samples != given.samples)[HOLE].mean() > 0.5, path
        if path.suffix != ".jpg":
            assert np.array_equal(made.samples[~HOLE], given.samples[~HOLE]), path
            assert given.alpha is None or np.array_equal(made.alpha, given.alpha), path
    plain, wide = (read(tmp_path / f"{name}_predict.png") for name in ("plain", "wide"))
    turned = read(tmp_path / "turned_predict.tif")
    assert np.array_equal(turned.samples, plain.samples)
    assert not np.array_equal(wide.samples[HOLE], plain.samples[HOLE])


def test_the_same_hole_in_any_form_of_mask(folder, tmp_path):
    for name in ("white", "label", "red", "strokes", "erased", "nothing"):
        words = [f"--img={folder / 'in' / 'plain.png'}", f"--mask={folder / 'masks' / name}.png"]
        said = told("predict", *FILL, *words, f"--output_dir={tmp_path / name}")
        assert ("marks nothing" in said) == (name == "nothing")
    white = read(tmp_path / "white" / "plain_predict.png").samples
    for name in ("label", "red", "strokes", "erased"):
        assert np.array_equal(read(tmp_path / name / "plain_predict.png").samples, white), name
    assert np.array_equal(read(tmp_path / "nothing" / "plain_predict.png").samples, FACE)


def test_a_grey_picture_is_restored_in_grey_unless_colour_is_free(folder, tmp_path):
    for words in ([], ["--colour=free"]):
        out = tmp_path / ("free" if words else "kept")
        told("predict", *RESTORE, f"--img={folder / 'in' / 'grey.png'}", *words, f"--output_dir={out}")
        assert read(out / "grey_predict.png").is_grey == (not words)


def test_nothing_is_written_over_an_input(folder, tmp_path):
    Image.fromarray(FACE).save(tmp_path / "a.png")
    Image.fromarray(FACE).save(tmp_path / "a_predict.png")
    before = (tmp_path / "a_predict.png").read_bytes()
    done = call("predict", *RESTORE, f"--image_dir={tmp_path}", f"--output_dir={tmp_path}")
    assert done.returncode == 2 and "a_predict.png: is one of the pictures that are read" in done.stderr
    assert done.stderr.count("\n") == 1 and len(list(tmp_path.iterdir())) == 2
    assert (tmp_path / "a_predict.png").read_bytes() == before


def test_the_cap_on_pixels_is_a_flag(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("KINTSUGI_MAX_PIXELS", "50000000")
    words = [*RESTORE, f"--img={folder / 'in' / 'plain.png'}", f"--output_dir={tmp_path}"]
    done = call("predict", *words, "--max_pixels=4095")
    assert done.returncode == 2 and "4096 pixels, at most 4095; --max_pixels or" in done.stderr
    told("predict", *words, "--max_pixels=4096")


def test_a_picture_that_is_stretched_is_named(tmp_path):
    write_image(tmp_path / "wide.png", np.zeros((40, 60, 3), np.float32))
    write_image(tmp_path / "square.png", np.zeros((48, 48, 3), np.float32))
    weights = ROOT / "weights/lite/gpen_lite.pdparams"
    words = ["-c", ROOT / "configs/gpen_lite.yaml", "--pretrained", weights, "--output_dir", tmp_path / "out"]
    found = [
        call("predict", *words, "--aligned", "--img", tmp_path / name).stderr for name in ("wide.png", "square.png")
    ]
    line = "wide.png: 60 x 40 is stretched to 64 x 64; to restore the faces of a whole photo"
    assert line in found[0] and "stretched" not in found[1]
