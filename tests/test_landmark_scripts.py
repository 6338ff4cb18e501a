"""The landmark project's own commands, and blends through predict.py, export_model.py and infer.py."""

import json

import numpy as np
import paddle
import pytest

from data_loader.drawn_faces.rendering import render
from engine.images import face_box, read_image, to_uint8, write_image
from engine.ports import BLENDS
from engine.weights.files import read_weights, write_torch
from engine.weights.official_keys import to_official
from model.landmark.network import CompletionNetwork
from system.landmark import LandmarkInpainting
from tests.script_calls import ROOT, call, told

SMALLEST = [
    f"{key}={value}"
    for key, value in LandmarkInpainting.smoke.items()
    if not any(part in key for part in ("phase", "mean_pixel"))
]
CONFIG = ["-c", "configs/landmark.yaml", "-o", *SMALLEST, "data.num_workers=0", "data.batch_size=2"]
MEAN = [0.5, 0.4, 0.3]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """datasets/, test_data/, images/test/ with faces of their names, the project's generator and its config.json."""
    folder = tmp_path_factory.mktemp("landmark")
    for name, first, count in (("datasets", 0, 4), ("test_data", 10, 2), ("images/test", 20, 3)):
        for i in range(first, first + count):
            write_image(folder / name / f"person{i}.jpg", render(i, 0, 40).image)
    paddle.seed(2)
    network = CompletionNetwork(LandmarkInpainting.smoke["recipe.width"])
    arrays = to_official(network, {key: value.numpy() for key, value in network.state_dict().items()})
    write_torch(folder / "models" / "phase_3_model_generator_epoch64", arrays)
    (folder / "config.json").write_text(json.dumps({"mpv": MEAN, "input_generator_size": 32, "alpha": 4e-4}))
    return folder


@pytest.fixture
def inside(folder, monkeypatch):
    """Relative names mean the folder's; configurations and weights are those of the project."""
    for name in ("configs", "weights"):
        if not (folder / name).exists():
            (folder / name).symlink_to(ROOT / name)
    monkeypatch.chdir(folder)
    return folder


def test_train_as_the_project_says(inside):
    """Three phases of one epoch each, from its generator's weights; data and results lie where it has them."""
    said = told(
        "train",
        *CONFIG,
        "train.log_every=1",
        "train.preview_every=0",
        "train.validate_every=0",
        "--model_G",
        "./models/phase_3_model_generator_epoch64",
        "--model_D",
        "None",
        "--phase1",
        "1",
        "--phase2",
        "1",
        "--phase3",
        "1",
    )
    assert "4 training pictures, 6 steps, run folder result" in said
    rows = [json.loads(line) for line in (inside / "result" / "metrics.jsonl").read_text().splitlines()]
    kinds = [("completion/loss" in row, "discriminator/loss" in row) for row in rows]
    assert kinds == [(True, False)] * 2 + [(False, True)] * 2 + [(True, True)] * 2
    assert "fill/mean_pixel" in read_weights(inside / "result" / "latest.pdparams")


def test_a_phase_that_is_changed_on_resuming_has_its_new_length(inside):
    """4 pictures in batches of 2 are 2 steps an epoch; the length that was computed at the start does not stay."""
    words = [*CONFIG, "train.preview_every=0", "train.validate_every=0", "train.log_every=1", "--output_dir", "resumed"]
    began = ["--phase1", "1", "--phase2", "1"]
    told("train", *words, *began, "--phase3", "3", "--iters", "3")
    said = told("train", *words, *began, "--phase3", "1", "--resume", "auto", "--resume_with_changes", "true")
    assert "4 training pictures, 6 steps, run folder resumed" in said
    assert "changed here: recipe.phase3: 3.0 -> 1.0" in said or "changed here: recipe.phase3: 3 -> 1" in said
    assert json.loads((inside / "resumed" / "metrics.jsonl").read_text().splitlines()[-1])["step"] == 6


def check_stack(path, picture):
    """Three pictures below each other: the picture, its box in the mean colour, the filled one."""
    own, found = to_uint8(picture), to_uint8(read_image(path))
    hole = face_box((40, 40))
    assert found.shape == (120, 40, 3)
    np.testing.assert_array_equal(found[:40], own)
    masked = np.where(hole == 1, to_uint8(np.float32(MEAN)), own)
    np.testing.assert_array_equal(found[40:80], masked)
    np.testing.assert_array_equal(np.where(hole, 0, found[80:]), np.where(hole, 0, own))
    assert (found[80:] != masked).any(axis=2)[hole[..., 0] == 1].mean() > 0.5
    return found


def test_predict_as_the_project_says(inside):
    words = ["./models/phase_3_model_generator_epoch64", "./config.json", "./results/"]
    told("predict", *CONFIG, "--device=cpu", *words)
    names = sorted(path.name for path in (inside / "results").iterdir())
    assert names == ["person20.png", "person21.png", "person22.png"]
    stacks = [
        check_stack(inside / "results" / name, read_image(inside / "images/test" / name.replace("png", "jpg")))
        for name in names
    ]
    told("predict", *CONFIG, "--device=cpu", *words, "--mode", "cat")
    np.testing.assert_array_equal(to_uint8(read_image(inside / "results" / "predict.png")), np.hstack(stacks))


def test_blends_of_predict_and_infer_agree(inside, tmp_path):
    """Every mode; without one, what the system says: Poisson."""
    weights = ["--pretrained", "models/phase_3_model_generator_epoch64", "--original_config", "config.json"]
    told("export_model", *CONFIG, *weights, "--save_inference_dir", tmp_path / "model")
    found = {}
    for script, first in (("predict", [*CONFIG, *weights]), ("infer", ["--model_dir", tmp_path / "model"])):
        for mode in (*BLENDS, None):
            out = tmp_path / script / str(mode)
            asked = ["--blend", mode] if mode else []
            told(script, *first, "--img", "images/test/person20.jpg", "--output_dir", out, *asked)
            found[script, mode] = to_uint8(read_image(out / "person20_predict.png")).astype(int)
    hole = face_box((40, 40)) == 1
    own = to_uint8(read_image("images/test/person20.jpg"))
    for mode in (*BLENDS, None):
        assert np.abs(found["predict", mode] - found["infer", mode]).max() <= 1
        assert (mode == "none") == bool((found["predict", mode] != own)[~hole[..., 0]].any())
    np.testing.assert_array_equal(found["predict", None], found["predict", "poisson"])
    np.testing.assert_array_equal(found["predict", "none"][hole[..., 0]], found["predict", "composite"][hole[..., 0]])
    assert len({found["predict", mode].tobytes() for mode in BLENDS}) == len(BLENDS)


def test_another_mask(inside, tmp_path):
    write_image(tmp_path / "mask.png", np.float32(np.arange(40) < 10)[:, None, None].repeat(40, 1).repeat(3, 2))
    told(
        "predict",
        *CONFIG,
        "--device=cpu",
        "models/phase_3_model_generator_epoch64",
        "config.json",
        tmp_path / "out",
        "--mask",
        tmp_path / "mask.png",
    )
    found, own = (to_uint8(read_image(path)) for path in (tmp_path / "out/person20.png", "images/test/person20.jpg"))
    np.testing.assert_array_equal(found[40:50], np.broadcast_to(to_uint8(np.float32(MEAN)), (10, 40, 3)))
    np.testing.assert_array_equal(found[90:120], own[10:])


@pytest.mark.parametrize(
    "script, words, line",
    [
        ("predict", ["MODEL", "config.json"], "expected PRETRAINED ORIGINAL_CONFIG OUTPUT_DIR"),
        ("predict", ["models/none", "config.json", "out"], "models/none: cannot be read"),
        ("predict", ["models/phase_3_model_generator_epoch64", "none.json", "out"], "none.json: cannot be read"),
        ("train", ["MODEL"], "unknown word 'MODEL'"),
    ],
)
def test_mistakes_are_one_line(inside, script, words, line):
    result = call(script, *CONFIG, "--device=cpu", *words)
    assert result.returncode == 2 and line in result.stderr and result.stderr.count("\n") == 1, result.stderr


def test_a_network_without_its_mean_pixel_says_which_is_used(inside):
    result = call(
        "predict", *CONFIG, "--pretrained=models/phase_3_model_generator_epoch64", "--img=images/test/person20.jpg"
    )
    said = result.stdout + result.stderr
    assert result.returncode == 0 and "mean pixel: not in the weights file; CelebA's" in said


def test_words_are_for_those_who_have_them(inside):
    result = call("predict", "-c", "configs/gpen_lite.yaml", "MODEL", "config.json", "out")
    assert result.returncode == 2 and "unknown word 'MODEL'; GPEN takes flags only" in result.stderr
