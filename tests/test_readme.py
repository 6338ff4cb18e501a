"""The README's marked blocks run as they stand, made short by the overrides in their marks.

A mark `<!-- run: {"what stands there": "what the test runs"} -->` stands on the line above a bash block. Every text it
replaces has to occur, so an override cannot outlive the command it shortens.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.script_calls import copy_project

ROOT = Path(__file__).resolve().parents[1]
MARKED = re.compile(r"^<!-- run: (\{[^\n]*\}) -->\n```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#]+)")


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def short_form(overrides, block):
    """The block with every override applied."""
    for long, short in overrides.items():
        assert long in block, f"override '{long}' fits nothing in:\n{block}"
        block = block.replace(long, short)
    return block


BLOCKS = [short_form(json.loads(overrides), block) for overrides, block in MARKED.findall(read("README.md"))]


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
        assert f"\n{command}\n" in read("README.md")


def test_landmark_commands_stand_word_for_word():
    for command in (
        "python train.py -c configs/landmark.yaml --model_G ./demo/model_cn --phase1 8 --phase2 2 --phase3 40",
        "python predict.py -c configs/landmark.yaml ./models/phase_3_model_generator_epoch64 ./config/config.json"
        " ./results/ --mode cat",
    ):
        assert f"\n{command}\n" in read("README.md")


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "README_cn.md",
        "docs/adding_a_model.md",
        "docs/differences.md",
        "docs/landmark.md",
        "docs/weights.md",
    ],
)
def test_links_lead_somewhere(name):
    inside = [link for link in LINK.findall(read(name)) if not link.startswith("http")]
    missing = [link for link in inside if not ((ROOT / name).parent / link).exists()]
    assert not missing


@pytest.mark.parametrize("folder", ["", "test_tipc/"])
def test_chinese_readme_says_the_same(folder):
    """Same commands (comments apart), same table rows in number, same figures in tables and sample output."""
    english, chinese = read(f"{folder}README.md"), read(f"{folder}README_cn.md")
    assert commands(english) == commands(chinese)
    assert len(rows(english)) == len(rows(chinese))
    assert figures(english) == figures(chinese)


def commands(text):
    blocks = [body for language, body in FENCED.findall(text) if language]
    return [line.split("#")[0].rstrip() for line in "".join(blocks).splitlines()]


def rows(text):
    return re.findall(r"^\|.*$", text, re.MULTILINE)


def figures(text):
    samples = [body for language, body in FENCED.findall(text) if not language]
    return re.findall(r"\d+(?:[.,]\d+)*", "\n".join(samples + rows(text)))
