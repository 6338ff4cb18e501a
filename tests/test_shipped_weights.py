"""The weights in weights/lite/ beat the answer that needs no training, on a few people whom training never saw."""

import json
from pathlib import Path

import pytest

from tests.script_calls import call

PEOPLE = [100000, 100016]
FEW = [f"data.validation.synthetic.identities={PEOPLE}", "data.num_workers=0"]
LEAST = {  # score, what it is held against (a score or a number), the least gain; negative: lower is better
    "gpen_lite": ("psnr/restored", "psnr/degraded", 1.2),
    "gfpgan_lite": ("psnr/restored", "psnr/degraded", 1.5),
    "partialconv_lite": ("hole_psnr/composite", "hole_psnr/mean_colour", 4.0),
    "landmark_lite": ("hole_psnr/composite", "hole_psnr/masked", 2.0),
    "landmark_predictor_lite": ("landmarks/nme", "landmarks/nme_mean_shape", -0.01),
    "sphereface_lite": ("verification/auc", 0.5, 0.38),
    "satnet_lite": ("texture_distance/photo", "texture_distance/photo_untranslated", -40.0),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LEAST)
def test_shipped_weights_beat_the_trivial_answer(name, tmp_path):
    done = call(
        "test",
        "-c",
        f"configs/{name}.yaml",
        "--pretrained",
        f"weights/lite/{name}.pdparams",
        "-o",
        *FEW,
        f"--result_dir={tmp_path}",
        *(["--baselines", "true"] if name == "partialconv_lite" else []),
    )
    assert done.returncode == 0, done.stderr
    scores = json.loads((tmp_path / "scores.json").read_text())["scores"]
    score, trivial, gain = LEAST[name]
    reached = scores[score] - scores.get(trivial, trivial)
    assert reached > gain if gain > 0 else reached < gain, scores


def test_every_shipped_file_is_held_to_something():
    assert {path.stem for path in Path("weights/lite").glob("*.pdparams")} == set(LEAST)
