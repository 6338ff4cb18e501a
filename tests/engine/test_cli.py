"""Flags: the same habits in every script, and one line for a mistake."""

import pytest

from engine import cli, config
from engine.cli import Flag
from engine.errors import ConfigError

LITE = ["-c", "configs/gpen_lite.yaml"]


def parsed(*words, standing=("device", "iters", "seed", "output_dir"), own=None):
    keys = {"data_dir": "data.train.root"}
    return cli.parse("doc", keys, [*LITE, *words], standing, own or {"data_dir": Flag("pictures")})


def test_both_spellings_and_none_means_not_given():
    assert parsed("--iters", "3").config.train.steps == parsed("--iters=3").config.train.steps == 3
    untouched = config.load(LITE[1]).train.steps
    assert parsed("--iters=None").config.train.steps == parsed("--iters=null").config.train.steps == untouched


def test_script_decides_what_a_flag_sets():
    assert str(parsed("--data_dir=some/where").config.data.train.root) == "some/where"


def test_override_beats_flag():
    assert parsed("--iters=3", "-o", "train.steps=4").config.train.steps == 4


def test_flag_declared_by_the_yaml_sets_all_its_keys_and_what_it_implies(tmp_path):
    text = open(LITE[1], encoding="utf-8").read()
    text += "flags: {side: [recipe.size, data.train.image_size]}\nflags_imply: {output.dir: ckpts}\n"
    path = tmp_path / "a.yaml"
    path.write_text(text.replace("size: 64\n  channel", "size: 64\n  channel"), encoding="utf-8")
    args = cli.parse("doc", {}, ["-c", str(path), "--side=128"], ("output_dir",))
    assert (args.config.recipe.size, args.config.data.train.image_size) == (128, 128)
    assert str(args.config.output.dir) == "ckpts"
    args = cli.parse("doc", {}, ["-c", str(path), "--side=128", "--output_dir=here"], ("output_dir",))
    assert str(args.config.output.dir) == "here"
    assert cli.parse("doc", {}, ["-c", str(path)], ("output_dir",)).config.output.dir is None


def test_unknown_flag_names_the_nearest():
    with pytest.raises(ConfigError, match="unknown flag '--iter'. Did you mean '--iters'?"):
        parsed("--iter=3")


def test_wrong_type_is_one_line():
    with pytest.raises(ConfigError, match="--iters"):
        parsed("--iters=many")
    with pytest.raises(ConfigError, match="expected one of auto, cpu, gpu; found 'tpu'"):
        parsed("--device=tpu")


def test_boolean_words():
    own = {"use_gpu": Flag("x", cli.boolean, default=False)}
    assert parsed("--use_gpu=True", own=own).use_gpu is True
    assert parsed("--use_gpu=False", own=own).use_gpu is False
    with pytest.raises(ConfigError, match="expected True or False, found 'maybe'"):
        parsed("--use_gpu=maybe", own=own)


def test_dry_run_prints_a_complete_yaml(capsys, tmp_path):
    with pytest.raises(SystemExit) as stop:
        parsed("--iters=3", "--dry-run")
    assert stop.value.code == 0
    path = tmp_path / "printed.yaml"
    path.write_text(capsys.readouterr().out, encoding="utf-8")
    assert config.load(path).train.steps == 3


def test_input_error_becomes_one_line_and_status_two(capsys):
    def main():
        raise ConfigError("a.yaml: wrong")

    with pytest.raises(SystemExit) as stop:
        cli.guarded(main)
    assert stop.value.code == 2
    assert capsys.readouterr().err == "error: a.yaml: wrong\n"


def test_a_bug_keeps_its_traceback():
    def main():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        cli.guarded(main)
