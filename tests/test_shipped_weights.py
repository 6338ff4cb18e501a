"""The weights in weights/lite/ beat the answer that needs no training, and give the figures that the pages state."""

import json
import re
from pathlib import Path

import pytest

from tests.script_calls import call

PEOPLE = [100000, 100016]
FEW = [f"data.validation.synthetic.identities={PEOPLE}"]
LEAST = {  # score, what it is held against (a score or a number), the least gain; negative: lower is better
    "gpen_lite": ("psnr/restored", "psnr/degraded", 1.2),
    "gfpgan_lite": ("psnr/restored", "psnr/degraded", 1.5),
    "gfpgan_128_lite": ("psnr/restored", "psnr/degraded", 2.3),
    "partialconv_lite": ("hole_psnr/composite", "hole_psnr/mean_colour", 4.0),
    "partialconv_128_lite": ("hole_psnr/composite", "hole_psnr/telea", 2.0),
    "landmark_lite": ("hole_psnr/composite", "hole_psnr/masked", 5.0),
    "landmark_predictor_lite": ("landmarks/nme", "landmarks/nme_mean_shape", -0.01),
    "sphereface_lite": ("verification/auc", 0.5, 0.38),
    "satnet_lite": ("texture_distance/photo", "texture_distance/photo_untranslated", -40.0),
}
STATED = {  # score on the whole validation set -> what README.md and docs/reproduction.md print, as a format
    "gpen_lite": {"psnr/degraded": "25.73", "psnr/restored": "27.48", "ssim/restored": "0.8366"},
    "gfpgan_lite": {"psnr/degraded": "25.73", "psnr/restored": "27.81", "ssim/restored": "0.855"},
    "gfpgan_128_lite": {"psnr/degraded": "24.27", "psnr/restored": "26.78", "ssim/restored": "0.8096"},
    "partialconv_lite": {"hole_psnr/mean_colour": "14.71", "hole_psnr/telea": "18.90", "hole_psnr/composite": "20.32"},
    "partialconv_128_lite": {
        "hole_psnr/mean_colour": "14.58",
        "hole_psnr/telea": "19.22",
        "hole_psnr/composite": "21.40",
    },
    "landmark_lite": {"psnr/masked": "19.67", "psnr/composite": "25.41", "hole_psnr/composite": "19.39"},
    "landmark_predictor_lite": {"landmarks/nme": "4.69", "landmarks/nme_mean_shape": "6.63"},
}
LONG = ("satnet_lite", "sphereface_lite")  # half a minute and more: a few people stand for all
RESULT_ROW = re.compile(r"^\| \[(\w+_lite)\.yaml\]\([^)]*\) (?:\|[^|]*){3}\|([^|]*)\|", re.MULTILINE)


@pytest.mark.slow
@pytest.mark.parametrize("name", LEAST)
def test_shipped_weights_beat_the_trivial_answer_and_give_the_stated_figures(name, tmp_path):
    words = ["-c", f"configs/{name}.yaml", "--pretrained", f"weights/lite/{name}.pdparams", f"--result_dir={tmp_path}"]
    baselines = ["--baselines", "true"] if name.startswith("partialconv") else []
    done = call("test", *words, *baselines, "-o", "data.num_workers=0", *(FEW if name in LONG else []))
    assert done.returncode == 0, done.stderr
    scores = json.loads((tmp_path / "scores.json").read_text())["scores"]
    score, trivial, gain = LEAST[name]
    reached = scores[score] - scores.get(trivial, trivial)
    assert reached > gain if gain > 0 else reached < gain, scores
    for key, text in STATED.get(name, {}).items():
        value = scores[key] * (100 if key.startswith("landmarks/") else 1)
        assert f"{value:.{len(text.partition('.')[2])}f}" == text, (key, value)


def test_every_shipped_file_is_held_to_something():
    assert {path.stem for path in Path("weights/lite").glob("*.pdparams")} == set(LEAST)
    assert set(STATED) | set(LONG) == set(LEAST)


@pytest.mark.parametrize("page", ["README.md", "README_cn.md"])
def test_figures_of_the_readme_stand_in_the_reproduction(page):
    """Every number of a lite row stands in a paragraph or table of docs/reproduction.md about that configuration."""
    rows = dict(RESULT_ROW.findall(Path(page).read_text(encoding="utf-8")))
    assert set(rows) == set(LEAST)
    blocks = Path("docs/reproduction.md").read_text(encoding="utf-8").split("\n\n")
    for name, cell in rows.items():
        about = "\n".join(block for block in blocks if re.search(rf"\b{name}\b", block))
        for number in re.findall(r"\d+\.\d+", cell):
            assert re.search(rf"(?<![\d.]){re.escape(number)}(?!\d)", about), f"{page}: {name}: {number}"
    stated = {text for figures in STATED.values() for text in figures.values()}
    pages = "\n".join(blocks)
    assert not [text for text in stated if text not in pages]
