"""Configurations and flags that are wrong in themselves, before any file is opened: one line and exit status 2."""

from unittest import mock

import pytest

from engine import cli
from tests.script_calls import LITE, call, one_line, process

BAD_YAML = {
    "flags: {size: 5}": "run.yaml.flags.size: expected a key or a list of keys, found 5",
    "flags: [size]": "run.yaml.flags: expected flag names with their keys, found ['size']",
    "seed: 1\nseed: 2": "run.yaml:2: key 'seed' is given twice",
    "[a, b]: 1": "run.yaml: not YAML",
    "seed: [": "run.yaml: not YAML",
}


@pytest.mark.parametrize("text", BAD_YAML)
def test_bad_yaml(tmp_path, text):
    path = tmp_path / "run.yaml"
    path.write_text(text)
    one_line(call("train", "-c", path), BAD_YAML[text])


def test_flag_of_the_yaml_of_a_wrong_type():
    one_line(call("train", "--size=big"), "--size=big: configs/gpen_256.yaml.recipe.size: ", "found 'big'")


def test_unknown_key_in_a_real_process(tmp_path):
    result = process("train", *LITE, "recipe.nrrow=1", "--output_dir", tmp_path / "run")
    one_line(result, "recipe: unknown key 'nrrow'. Did you mean 'narrow'?")
    assert result.stdout == ""
    assert not (tmp_path / "run").exists()


def test_interrupted_before_the_first_step(monkeypatch):
    monkeypatch.setattr(cli, "parse", mock.Mock(side_effect=KeyboardInterrupt))
    result = call("train")
    assert (result.returncode, result.stderr) == (130, "interrupted\n")
