"""SATNet through the scripts: train, predict both ways, export, run the graphs, a style from a picture."""

import shutil

import numpy as np
import pytest

from data_loader.drawn_faces.rendering import render
from engine.images import read_image, write_image
from system.satnet import SATNet
from tests.script_calls import call

LITE = [
    "-c",
    "configs/satnet_lite.yaml",
    "-o",
    *(f"{key}={value}" for key, value in SATNet.smoke.items()),
    "data.num_workers=0",
    "data.train.synthetic={identities: [0, 3], variants: 1}",
    "data.validation.synthetic={identities: [9, 12], variants: 1}",
]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Folder with run/, faces/a.png and style.png."""
    folder = tmp_path_factory.mktemp("satnet")
    for name, style in (("faces/a.png", "photo"), ("style.png", "caricature")):
        write_image(folder / name, render(5, 0, 28, style=style).image)
    result = call(
        "train",
        *LITE,
        "train.validate_every=2",
        "train.log_every=1",
        "train.preview_every=2",
        "--iters=2",
        "--batch_size=2",
        "--output_dir",
        folder / "run",
    )
    assert result.returncode == 0, result.stderr
    return folder


def pictures(folder):
    return {path.name: read_image(path) for path in sorted(folder.rglob("*.png"))}


def predict(trained, out, *words):
    weights = trained / "run" / "latest.pdparams"
    given = ["--pretrained", weights, "--image_dir", trained / "faces", "--output_dir", out]
    result = call("predict", *LITE, *given, *words)
    assert result.returncode == 0, result.stderr
    return pictures(out), result.stdout


@pytest.mark.slow
def test_validation_scores_the_sets_and_keeps_the_best(trained):
    log = (trained / "run" / "train.log").read_text()
    assert "texture_distance/caricature " in log and "texture_distance/photo_untranslated " in log
    assert (trained / "run" / "best.pdparams").is_file() and (trained / "run" / "samples").is_dir()


@pytest.mark.slow
def test_predicts_both_ways_in_the_words_of_both_projects(trained, tmp_path):
    forth, said = predict(trained, tmp_path / "forth")
    assert [*forth] == ["a_predict.png"] and "style: drawn, seed 0" in said
    for i, words in enumerate((("--to", "caricature"), ("--b2a",), ("--a2b", "0"))):
        again, _ = predict(trained, tmp_path / f"forth{i}", *words)
        np.testing.assert_array_equal(again["a_predict.png"], forth["a_predict.png"])
    back, _ = predict(trained, tmp_path / "back", "--to", "photo")
    also, _ = predict(trained, tmp_path / "also", "--a2b")
    np.testing.assert_array_equal(back["a_predict.png"], also["a_predict.png"])
    assert np.abs(back["a_predict.png"] - forth["a_predict.png"]).max() > 0.02


@pytest.mark.slow
def test_a_wide_picture_is_not_squeezed(trained, tmp_path):
    """Its centre is translated, and the result has the network's proportions."""
    face = read_image(trained / "faces" / "a.png")  # 28 x 28
    wide = np.concatenate([np.zeros((28, 20, 3), np.float32), face, np.ones((28, 20, 3), np.float32)], 1)
    write_image(tmp_path / "wide" / "a.png", wide)
    given, _ = predict(trained, tmp_path / "one")
    result = call(
        "predict",
        *LITE,
        "--pretrained",
        trained / "run" / "latest.pdparams",
        "--image_dir",
        tmp_path / "wide",
        "--output_dir",
        tmp_path / "two",
    )
    assert result.returncode == 0, result.stderr
    found = pictures(tmp_path / "two")["a_predict.png"]
    assert found.shape == (28, 24, 3)
    np.testing.assert_array_equal(found, given["a_predict.png"])


@pytest.mark.slow
def test_styles_in_predict_and_in_the_exported_graphs(trained, tmp_path):
    many, said = predict(trained, tmp_path / "many", "--num_style", "2", "--seed", "4")
    assert [*many] == ["a_seed4_predict.png", "a_seed5_predict.png"] and "seed 4 to 5" in said
    styled, said = predict(trained, tmp_path / "styled", "--style", trained / "style.png")
    assert "style: from a picture" in said
    assert len({picture.tobytes() for picture in [*many.values(), *styled.values()]}) == 3

    exported = call(
        "export_model",
        *LITE,
        "--pretrained",
        trained / "run" / "latest.pdparams",
        "--save_inference_dir",
        tmp_path / "graphs",
    )
    assert exported.returncode == 0, exported.stderr
    assert {path.parent.name for path in (tmp_path / "graphs").rglob("inference.json")} == {
        "graphs",
        "to_photo",
        "style_of_photo",
        "style_of_caricature",
    }
    run = ["--model_dir", tmp_path / "graphs", "--image_dir", trained / "faces"]
    drawn = call("infer", *run, "--output_dir", tmp_path / "i", "--num_style", "2", "--seed", "4")
    assert drawn.returncode == 0 and "seed 4 to 5" in drawn.stdout
    given = call("infer", *run, "--output_dir", tmp_path / "j", "--style", trained / "style.png")
    assert given.returncode == 0, given.stderr
    for name, wanted in (many | styled).items():
        found = pictures(tmp_path / ("i" if "seed" in name else "j"))[name]
        assert (np.abs(found - wanted) > 1.5 / 255).mean() == 0 and (found != wanted).mean() < 0.005
    back = call(
        "infer",
        "--model_dir",
        tmp_path / "graphs" / "to_photo",
        "--img",
        trained / "style.png",
        "--style",
        trained / "faces" / "a.png",
        "--output_dir",
        tmp_path / "k",
    )
    assert back.returncode == 0, back.stderr
    shutil.rmtree(tmp_path / "graphs")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--to", "sketch"], "--to sketch: this system makes caricature, photo"),
        (["--to", "photo", "--b2a"], "--b2a True means --to caricature, but --to is photo"),
    ],
)
def test_wrong_directions_are_one_line(trained, words, text):
    result = call(
        "predict", *LITE, "--pretrained", trained / "run" / "latest.pdparams", "--image_dir", trained / "faces", *words
    )
    assert result.returncode == 2 and text in result.stderr
