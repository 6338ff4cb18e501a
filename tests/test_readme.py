"""The commands of the README and of docs/ run as they stand, made short by tests/documented_commands.yaml.

Every text that is replaced has to occur, so an override cannot outlive the command it shortens.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.script_calls import copy_project

ROOT = Path(__file__).resolve().parents[1]
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TRANSLATED = sorted(path.relative_to(ROOT).as_posix() for path in [*ROOT.glob("*_cn.md"), *ROOT.glob("docs/*_cn.md")])


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def block_of(page, begins):
    """The one bash block of the page whose first line is `begins`."""
    found = [
        body for language, body in FENCED.findall(read(page)) if language == "bash" and body.startswith(f"{begins}\n")
    ]
    assert len(found) == 1, f"{page}: {len(found)} blocks begin with '{begins}'"
    return found[0]


def short_form(row):
    """A row's block with every override applied."""
    block = block_of(row["page"], row["begins"])
    for long, short in row["instead"].items():
        assert long in block, f"override '{long}' fits nothing in:\n{block}"
        block = block.replace(long, short)
    return block


BLOCKS = [short_form(row) for row in yaml.safe_load(read("tests/documented_commands.yaml"))]


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A copy of the project's files, as a clone has them, in which the blocks run one after another."""
    return copy_project(tmp_path_factory.mktemp("readme") / "clone")


@pytest.mark.slow
@pytest.mark.parametrize("block", BLOCKS, ids=[f"{i}_{block.split()[1]}" for i, block in enumerate(BLOCKS, 1)])
def test_block_runs(clone, block):
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    command = ["bash", "-euo", "pipefail", "-c", block]
    done = subprocess.run(command, cwd=clone, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{block}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


def test_blocks_cover_the_scripts():
    text = "".join(BLOCKS)
    for script in ("train.py", "test.py", "predict.py", "export_model.py", "infer.py", "tools/make_lite_data.py"):
        assert f"python {script}" in text


def test_gpen_commands_stand_word_for_word():
    for command in (
        "python train.py --size=256 --mul=1 --narrow=0.5 --start_iter=0 --max_iter=15000 --batch_size=2 --pretrain=None"
        " --train_path='data/GPEN/train/' --test_path='data/GPEN/test/'",
        "python test.py -w W.pdparams --test_path='data/GPEN/test/' --size=256 --mul=1 --narrow=0.5",
        "python predict.py --size 256 --mul=1 --narrow=0.5 --w W.pdparams --img F.jpg",
        "python export_model.py --model_path W.pdparams --save_dir inference/GPEN",
        "python infer.py --model_file inference/GPEN/model.json --params_file inference/GPEN/model.pdiparams"
        " --img F.jpg",
    ):
        assert f"\n{command}\n" in read("docs/gpen.md")


def test_landmark_commands_stand_word_for_word():
    for command in (
        "python train.py -c configs/landmark.yaml --model_G ./demo/model_cn --phase1 8 --phase2 2 --phase3 40",
        "python predict.py -c configs/landmark.yaml ./models/phase_3_model_generator_epoch64 ./config/config.json"
        " ./results/ --mode cat",
    ):
        assert f"\n{command}\n" in read("docs/masked_faces.md")


@pytest.mark.parametrize("chinese", [*TRANSLATED, "test_tipc/README_cn.md"])
def test_chinese_page_says_the_same(chinese):
    """Same commands (comments apart), same table rows in number, same figures in tables and sample output."""
    english, chinese = read(chinese.replace("_cn.md", ".md")), read(chinese)
    assert commands(english) == commands(chinese)
    assert len(rows(english)) == len(rows(chinese))
    assert figures(english) == figures(chinese)


@pytest.mark.parametrize("name", ["README.md", "README_cn.md"])
def test_readme_is_short(name):
    assert len(read(name).splitlines()) <= 200


def commands(text):
    blocks = [body for language, body in FENCED.findall(text) if language]
    return [line.split("#")[0].rstrip() for line in "".join(blocks).splitlines()]


def rows(text):
    return re.findall(r"^\|.*$", text, re.MULTILINE)


def figures(text):
    samples = [body for language, body in FENCED.findall(text) if not language]
    return re.findall(r"\d+(?:[.,]\d+)*", "\n".join(samples + rows(text)))
