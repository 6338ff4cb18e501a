"""The five scripts on pictures with holes: train, test by hole ratio, predict, export, infer; known pixels stay."""

import csv
import io
import json

import numpy as np
import pytest
from PIL import Image

from data_loader.drawn_faces.rendering import render
from data_loader.masks import drawn_hole
from engine.images import write_image
from engine.weights.files import read_weights, write_weights
from system.partialconv import PartialConv
from tests.script_calls import call, told

SMALLEST = [f"{key}={value}" for key, value in PartialConv.smoke.items()]
FACES = [
    "data.train.synthetic={identities: [0, 4], variants: 1}",
    "data.validation.synthetic={identities: [100, 112], variants: 1}",
    "data.validation.masks={kinds: {strokes: 1}, ratios: [[0.1, 0.2], [0.3, 0.4]], margins: [0, 0.1]}",
]
LITE = ["-c", "configs/partialconv_lite.yaml", "-o", *SMALLEST, *FACES, "data.num_workers=0", "data.batch_size=2"]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run of three steps in run/, an exported model in model/."""
    folder = tmp_path_factory.mktemp("partialconv")
    own = ["train.steps=3", "train.preview_every=3", "train.validate_every=3", "train.log_every=1"]
    told("train", *LITE, *own, "--output_dir", folder / "run")
    told(
        "export_model",
        *LITE,
        "--pretrained",
        folder / "run" / "latest.pdparams",
        "--save_inference_dir",
        folder / "model",
    )
    return folder


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """image/ and mask/ of a PNG and a JPEG of odd sizes, and the holes."""
    folder, holes = tmp_path_factory.mktemp("pictures"), {}
    for i, (name, size) in enumerate((("a.png", (45, 51)), ("sub/b.jpg", (67, 38)))):
        face = render(200 + i, 0, 80).image[: size[0], : size[1]]
        write_image(folder / "image" / name, face)
        hole = drawn_hole("strokes", size, (0.2, 0.4), 0, np.random.default_rng(i))[..., None]
        holes[name] = hole
        write_image(folder / "mask" / name.replace(".jpg", ".png"), np.float32(hole).repeat(3, 2))
    return folder, holes


def pixels(path):
    with Image.open(path) as file:
        return np.asarray(file.convert("RGB"))


def check_known_pixels(results, pictures):
    folder, holes = pictures
    for name, hole in holes.items():
        written, own = pixels(results / f"{name.rpartition('.')[0]}_predict.png"), pixels(folder / "image" / name)
        assert written.shape == own.shape
        assert np.array_equal(np.where(hole, 0, written), np.where(hole, 0, own)), name
        assert (written != own).any(axis=2)[hole[..., 0]].mean() > 0.5, name  # three steps fill nothing exactly


def test_naoto0804s_file_is_trained_in_its_own_scale(folder, pictures, tmp_path):
    """Its weights move by his steps; the run resumes in that scale, its weights serve either form of the network."""

    def weights(file):
        return {key.removeprefix("generator/"): array for key, array in read_weights(file).items()}

    own = weights(folder / "run" / "latest.pdparams")
    theirs = {}
    for key, array in own.items():
        factor = np.float32(array[0].size if key.endswith("conv.weight") else 1)
        key = key.replace("conv.", "conv.input_conv.").replace("_mean", "running_mean")
        theirs[f"model/{key.replace('_variance', 'running_var')}"] = array * factor
    write_weights(tmp_path / "1000000.pth", theirs)
    run = ["--output_dir", tmp_path / "run"]
    said = told("train", *LITE, "train.steps=1", "--pretrained", tmp_path / "1000000.pth", *run)
    assert "recipe.network.scale: window" in said
    assert "resumed" in told("train", *LITE, "train.steps=2", "--resume", tmp_path / "run")
    found = weights(tmp_path / "run" / "latest.pdparams")
    name = "enc_2.conv.input_conv.weight"
    change = np.abs(found["enc_2.conv.weight"] - theirs[f"model/{name}"]).max()
    assert 0 < change <= 2.1 * 0.002  # Adam's two steps of 0.002, on weights that are 100 times the paper's
    assert found["enc_2.conv.window"] == found["enc_2.conv.weight"][0].size
    for name, config in (("one", LITE), ("other", [*LITE, "recipe.network.scale=window"])):
        places = ["--image_dir", pictures[0] / "image", "--mask", pictures[0] / "mask", "--output_dir", tmp_path / name]
        told("predict", *config, "--pretrained", tmp_path / "run" / "latest.pdparams", *places)
    for path in (tmp_path / "one").glob("*.png"):
        assert np.abs(np.int32(pixels(path)) - pixels(tmp_path / "other" / path.name)).max() <= 1


def test_training_shows_input_mask_output_and_target(folder):
    from visualdl import LogReader

    rows = [json.loads(line) for line in (folder / "run" / "metrics.jsonl").read_text().splitlines()]
    assert any("validation/hole_psnr/composite" in row for row in rows)
    (file,) = (folder / "run" / "visualdl").iterdir()
    reader = LogReader(file_path=str(file))
    tags = reader.get_tags()["scalar"]
    assert {"generator/loss", "generator/hole", "generator/valid", "lr/generator"} <= set(tags)
    shown = reader.get_data("image", "preview")[-1].image.encoded_image_string
    grid = np.asarray(Image.open(io.BytesIO(shown)).convert("RGB"))[16:]  # below the captions
    assert {"masked", "mask", "output", "composite", "image"} <= set(PartialConv.shown)
    column = {name: grid[:32, 32 * i : 32 * (i + 1)] for i, name in enumerate(PartialConv.shown)}
    hole = column["mask"] == 255
    assert 0.05 < hole.mean() < 0.5 and set(np.unique(column["mask"])) == {0, 255}
    for name in ("masked", "composite"):
        assert np.array_equal(column[name][~hole], column["image"][~hole]), name
    assert (column["masked"][hole] == 255).all()
    assert np.array_equal(column["composite"][hole], column["output"][hole])


def test_scores_by_hole_ratio_beside_fillings(folder, tmp_path):
    text = told(
        "test",
        *LITE,
        "--pretrained",
        folder / "run" / "latest.pdparams",
        "--result_dir",
        tmp_path,
        "--baselines",
        "--show",
        "3",
    )
    report = json.loads((tmp_path / "buckets.json").read_text())
    assert set(report["not_computed"]) >= {"lpips_alex", "lpips_vgg", "fid"}
    counts = {(row["border"], row["bucket"]): row["pictures"] for row in report["table"] if row["method"] == "telea"}
    assert counts == {
        ("all", "all"): 12,
        ("all", "0.1-0.2"): 6,
        ("all", "0.3-0.4"): 6,
        ("free", "all"): 6,
        ("free", "0.1-0.2"): 3,
        ("free", "0.3-0.4"): 3,
        ("inside", "all"): 6,
        ("inside", "0.1-0.2"): 3,
        ("inside", "0.3-0.4"): 3,
    }
    assert {row["method"] for row in report["table"]} == {"masked", "composite", "mean_colour", "telea"}
    scores = json.loads((tmp_path / "scores.json").read_text())["scores"]
    whole = next(row for row in report["table"] if row["method"] == "mean_colour" and row["bucket"] == "all")
    assert whole["hole_psnr"] == pytest.approx(scores["hole_psnr/mean_colour"])
    assert whole["l1"] < whole["hole_l1"] and set(report["definitions"]) <= set(whole)
    with open(tmp_path / "buckets.csv", newline="") as file:
        assert len(list(csv.reader(file))) == len(report["table"]) + 1
    assert (tmp_path / "buckets.md").read_text() in text
    sheet = pixels(tmp_path / "sheet.png")[16:]
    for row in range(3):
        parts = [sheet[32 * row : 32 * (row + 1), 32 * i : 32 * (i + 1)] for i in range(5)]
        known = parts[1] == 0
        assert np.array_equal(parts[3][known], parts[4][known])


def test_predict_and_infer_fill_folders_and_agree(folder, pictures, tmp_path):
    image_dir = pictures[0] / "image"
    weights = ["--pretrained", folder / "run" / "latest.pdparams"]
    told(
        "predict",
        *LITE,
        *weights,
        "--image_dir",
        image_dir,
        "--mask",
        pictures[0] / "mask",
        "--output_dir",
        tmp_path / "predict",
    )
    told("infer", "--model_dir", folder / "model", "--image_dir", pictures[0], "--output_dir", tmp_path / "infer")
    for script in ("predict", "infer"):
        check_known_pixels(tmp_path / script, pictures)
    for name in ("a", "sub/b"):
        levels = [pixels(tmp_path / script / f"{name}_predict.png").astype(int) for script in ("predict", "infer")]
        assert np.abs(levels[0] - levels[1]).max() <= 1


def test_one_picture_and_an_inverted_mask(folder, pictures, tmp_path):
    hole = pictures[1]["a.png"]
    write_image(tmp_path / "known.png", np.float32(~hole).repeat(3, 2))
    weights = ["--pretrained", folder / "run" / "latest.pdparams", "--img", pictures[0] / "image" / "a.png"]
    told("predict", *LITE, *weights, "--mask", pictures[0] / "mask" / "a.png", "--output_dir", tmp_path / "hole")
    told(
        "predict",
        *LITE,
        *weights,
        "--mask",
        tmp_path / "known.png",
        "--white_means=valid",
        "--output_dir",
        tmp_path / "valid",
    )
    one, other = (pixels(tmp_path / name / "a_predict.png") for name in ("hole", "valid"))
    assert np.array_equal(one, other)
    text = told("predict", *LITE, *weights, "--mask", tmp_path / "known.png", "--output_dir", tmp_path / "wrong")
    assert "is it right that white means hole?" in text


@pytest.mark.parametrize(
    "mask, line",
    [
        (None, "error: input 'mask' is missing; give --mask FILE"),
        ("image/sub/b.jpg", "mask of 67 x 38; expected 45 x 51, the size of"),
        ("nowhere.png", "nowhere.png: not a readable image"),
    ],
)
def test_mistakes_are_one_line(folder, pictures, tmp_path, mask, line):
    words = ["--img", pictures[0] / "image" / "a.png", "--output_dir", tmp_path]
    words += ["--mask", pictures[0] / mask] if mask else []
    for script, own in (
        ("predict", [*LITE, "--pretrained", folder / "run" / "latest.pdparams"]),
        ("infer", ["--model_dir", folder / "model"]),
    ):
        result = call(script, *own, *words)
        assert result.returncode == 2 and line in result.stderr and result.stderr.count("\n") == 1, result.stderr


def test_a_hole_that_cannot_be_closed_is_no_grey_block(tmp_path):
    """With the shipped weights: what no known pixel reaches is one value, in the network's own output."""
    write_image(tmp_path / "face.png", render(200, 0, 256).image)
    hole = np.zeros((256, 256, 3), np.float32)
    hole[:230, 10:240] = 1
    write_image(tmp_path / "mask.png", hole)
    lite = ["-c", "configs/partialconv_lite.yaml", "--pretrained", "weights/lite/partialconv_lite.pdparams"]
    given = ["--img", tmp_path / "face.png", "--mask", tmp_path / "mask.png", "--output_dir", tmp_path / "out"]
    told("predict", *lite, *given)
    inside = np.float32(pixels(tmp_path / "out" / "face_predict.png"))[8:216, 16:224]
    blocks = inside.reshape(13, 16, 13, 16, 3).std(axis=(1, 3)).max(axis=-1)
    assert blocks.min() > 0.5
