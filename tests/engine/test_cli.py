"""Flags: the same habits in every script, and one line for a mistake."""

import pytest

from engine import cli, config
from engine.cli import Flag
from engine.errors import ConfigError, InputError

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
    with pytest.raises(ConfigError, match="unknown flag '--max_iter'. See --help"):  # dashes alone are no likeness
        cli.read("doc", {"size": Flag("x"), "output": Flag("x")}, ["--max_iter=3"])


def test_a_program_without_a_configuration():
    flags = {"inspect": Flag("x", cli.boolean, default=False), "n": Flag("x", cli.at_least(1), default=2),
             "out": Flag("where", required=True)}  # fmt: skip
    places = {"first": Flag("x", required=True, metavar="FILE"), "rest": Flag("x", many=True)}

    def read(*words):
        return cli.read("doc", flags, words, places)

    args = read("--inspect", "a", "--out=o", "b", "c", "--n", "None")
    assert (args.inspect, args.first, args.rest, args.n, args.out) == (True, "a", ["b", "c"], 2, "o")
    assert read("a", "--out=o", "--inspect=False").inspect is False
    for words, line in (
        (["--out=o"], "FILE is missing: x"),
        (["a"], "--out is missing: where"),
        (["a", "--out=o", "--n=0"], "--n: expected at least 1, found 0"),
        (["--ot=o"], "unknown flag '--ot'. Did you mean '--out'?"),
    ):
        with pytest.raises(ConfigError, match=line.replace("?", ".")):
            read(*words)
    with pytest.raises(ConfigError, match="unknown word 'b'"):
        cli.read("doc", {}, ["a", "b"], {"first": Flag("x")})


WORDS = {
    "pretrained": Flag("weights"),
    "output_dir": Flag("results", default="results"),
    "stacks": Flag("form"),
    "image_dir": Flag("pictures"),
}


def worded(monkeypatch, *words, script="predict.py"):
    monkeypatch.setattr("sys.argv", [script])
    return cli.parse("doc", {}, ["-c", "configs/landmark.yaml", *map(str, words)], (), WORDS)


@pytest.fixture
def original(tmp_path):
    """A config.json of the landmark project."""
    path = tmp_path / "config.json"
    path.write_text('{"mpv": [0.5, 0.4, 0.3], "input_generator_size": 128, "alpha": 4e-4}')
    return path


def test_words_stand_for_flags(monkeypatch, original):
    args = worded(monkeypatch, "MODEL", original, "OUT", "--mode", "cat")
    assert (args.pretrained, args.output_dir, args.stacks, args.image_dir) == ("MODEL", "OUT", "all", "images/test")
    assert args.config.recipe.mean_pixel == (0.5, 0.4, 0.3)
    assert (args.config.recipe.image_size, args.config.recipe.local_size) == (128, 64)
    args = worded(monkeypatch, "MODEL", original, "OUT", "--image_dir=here")
    assert (args.stacks, args.image_dir) == ("each", "here")
    args = worded(monkeypatch, "MODEL", "None", "OUT")
    assert (args.original_config, args.config.recipe.mean_pixel, args.stacks) == (None, None, "each")
    args = worded(monkeypatch, "--pretrained=W")
    assert (args.pretrained, args.stacks, args.image_dir) == ("W", None, None)


def test_words_that_mean_nothing_are_one_line(monkeypatch, original):
    with pytest.raises(ConfigError, match="expected PRETRAINED ORIGINAL_CONFIG OUTPUT_DIR, or flags only; found 'W'"):
        worded(monkeypatch, "W")
    with pytest.raises(ConfigError, match="'W' and --pretrained say the same"):
        worded(monkeypatch, "W", original, "OUT", "--pretrained=V")
    with pytest.raises(ConfigError, match="train.py: unknown word 'W'; LandmarkInpainting takes flags only"):
        worded(monkeypatch, "W", original, "OUT", script="train.py")
    with pytest.raises(ConfigError, match="unknown word 'W'; GPEN takes flags only"):
        parsed("W")
    with pytest.raises(ConfigError, match="unknown flag '--iter'"):
        parsed("W", "--iter=3")


@pytest.mark.parametrize(
    "content, line",
    [
        ('{"mpv": [0.5, 0.4]}', r"mpv is \[0.5, 0.4\]; expected the mean pixel, three numbers in \[0, 1\]"),
        ('{"mpv": [120, 100, 90]}', "three numbers in"),
        ('{"mpv": [0.5, 0.4, 0.3], "input_generator_size": "160"}', "input_generator_size is '160'"),
        ("[1, 2]", "mpv is None"),
        ("no json", "not JSON .* expected a config.json"),
    ],
)
def test_original_configurations_are_checked(monkeypatch, original, content, line):
    original.write_text(content)
    with pytest.raises(InputError, match=line):
        worded(monkeypatch, "W", original, "OUT")


@pytest.mark.parametrize("flag", ["--original_config=x.json", "--mode=cat", "--a2b", "--degrade"])
def test_words_of_a_paper_are_flags_of_its_system_alone(flag, monkeypatch):
    monkeypatch.setattr("sys.argv", ["predict.py"])
    with pytest.raises(ConfigError, match=f"unknown flag '{flag.split('=')[0]}'"):
        cli.parse("doc", {}, ["-c", "configs/partialconv_lite.yaml", flag], (), WORDS)


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
