"""Every mistake in a YAML file or an override is one line: file, key, what was found, what was expected."""

import logging

import pytest
import yaml

from engine import config as configuration
from engine.errors import ConfigError
from engine.files import read_yaml

SOURCE = "configs/gpen_lite.yaml"


@pytest.fixture
def content():
    return read_yaml(SOURCE)


def written(tmp_path, content):
    path = tmp_path / "a.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content), encoding="utf-8")
    return path


def message(path, overrides=()):
    with pytest.raises(ConfigError) as caught:
        configuration.load(path, overrides)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_unknown_key_names_the_nearest(tmp_path, content):
    content["train"]["log_evry"] = 3
    path = written(tmp_path, content)
    known = (
        "['best', 'keep', 'log_every', 'measures', 'precision', 'preview_every', 'save_every', 'start_step', "
        "'steps', 'to_static', 'validate_every']"
    )
    assert message(path) == f"{path}.train: unknown key 'log_evry'. Did you mean 'log_every'? Known: {known}"


def test_unknown_key_of_the_recipe_and_of_a_dataset(tmp_path, content):
    content["recipe"]["r1_gama"] = 1.0
    assert "recipe: unknown key 'r1_gama'. Did you mean 'r1_gamma'?" in message(written(tmp_path, content))
    del content["recipe"]["r1_gama"]
    content["data"]["train"]["degradation"]["blur"]["sigmas"] = [1, 2]
    text = message(written(tmp_path, content))
    assert "data.train.degradation.blur: unknown key 'sigmas'. Did you mean 'sigma'?" in text


def test_wrong_type_names_the_value(tmp_path, content):
    content["optimizers"]["encoder"]["lr"] = "fast"
    assert ".optimizers.encoder.lr: " in message(written(tmp_path, content))
    assert "found 'fast'" in message(written(tmp_path, content))


def test_repeated_key_names_the_line(tmp_path):
    path = written(tmp_path, "seed: 0\nsystem: a\nseed: 1\n")
    assert message(path) == f"{path}:3: key 'seed' is given twice"


@pytest.mark.parametrize(("text", "part"), [("- 1\n", "a mapping"), ("a: [1\n", "not YAML"), ("", "a mapping")])
def test_no_mapping(tmp_path, text, part):
    path = written(tmp_path, text)
    assert message(path).startswith(f"{path}: ")
    assert part in message(path)


def test_missing_file_and_missing_key(tmp_path, content):
    assert "cannot be read" in message(tmp_path / "none.yaml")
    del content["train"]["steps"]
    path = written(tmp_path, content)
    assert message(path) == f"{path}.train: key 'steps' is missing"


def test_dotted_paths_stay_below_their_roots(tmp_path, content):
    content["system"] = "os.system"
    assert "'os.system' is not allowed; expected a class below system." in message(written(tmp_path, content))
    content["system"] = "system.gpen.GPPEN"
    assert "has no class 'GPPEN'. Did you mean 'GPEN'?" in message(written(tmp_path, content))
    content["system"] = "system.nothing.GPEN"
    assert "there is no module 'system.nothing'" in message(written(tmp_path, content))


def test_exponent_without_point_is_a_number(tmp_path, content):
    path = written(tmp_path, yaml.safe_dump(content).replace("epsilon: 1.0e-08", "epsilon: 1e-8"))
    assert "epsilon: 1e-8" in path.read_text()
    assert configuration.load(path).optimizers["encoder"].epsilon == 1e-8


def test_override_wins_and_is_named_in_errors():
    config = configuration.load(SOURCE, [("train.steps", 7, "--iters=7"), ("train.steps", 9, "-o train.steps=9")])
    assert config.train.steps == 9
    text = message(SOURCE, [("train.stepz", 9, "-o train.stepz=9")])
    assert text.startswith(f"-o train.stepz=9: {SOURCE}.train: unknown key 'stepz'. Did you mean 'steps'?")
    assert message(SOURCE, [("seed.a", 1, "-o seed.a=1")]) == "-o seed.a=1: 'seed' is a value, not a section"


def test_resolved_configuration_loads_again(tmp_path):
    config = configuration.load(SOURCE, [("train.steps", 7, "x")])
    again = configuration.load(written(tmp_path, configuration.to_yaml(config)))
    assert configuration.as_dict(again) == configuration.as_dict(config)
    assert configuration.digest(again) == configuration.digest(config)


def test_configuration_is_frozen():
    config = configuration.load(SOURCE)
    with pytest.raises(ValueError, match="frozen"):
        config.train.steps = 3


def test_differences_names_dotted_keys():
    one, other = {"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 1, "c": 4}, "e": 5}
    assert configuration.differences(one, other) == ["a.c", "d", "e"]


@pytest.fixture
def moved(monkeypatch):
    """A class and a module that are somewhere else than older YAML files say."""
    configuration._tell_of_move.cache_clear()
    monkeypatch.setattr(logging.getLogger("kintsugi"), "propagate", True)
    monkeypatch.setattr(
        configuration, "MOVED", {"system.blind.Faces": "system.gpen.GPEN", "data_loader.old": "data_loader.restoration"}
    )


def test_a_path_that_moved_is_understood_and_one_line_names_where_to(moved, tmp_path, content, caplog):
    content["system"] = "system.blind.Faces"
    content["data"]["train"]["dataset"] = "data_loader.old.DegradedFaces"
    path = written(tmp_path, content)
    for _ in range(2):
        found = configuration.load(path)
    assert configuration.as_dict(found) == configuration.as_dict(configuration.load(SOURCE))
    assert configuration.system_of(path, content)[0] == "GPEN"
    assert [record.getMessage() for record in caplog.records] == [
        f"{path}.system: 'system.blind.Faces' moved; write 'system.gpen.GPEN'",
        f"{path}.data.train.dataset: 'data_loader.old.DegradedFaces' moved; "
        "write 'data_loader.restoration.DegradedFaces'",
    ]


def test_only_whole_names_move_and_only_where_code_may_be_named(moved):
    assert configuration.current_path("data_loader.older.A") == "data_loader.older.A"
    assert configuration.current_path("data_loader.old") == "data_loader.restoration"
    with pytest.raises(ConfigError, match="is not allowed"):
        configuration.import_class("data_loader.old.DegradedFaces", ("system.",), "x")


def test_a_saved_run_under_an_older_path_is_the_same_run(moved):
    config = configuration.load(SOURCE)
    saved = configuration.as_dict(config) | {"system": "system.blind.Faces"}
    saved["data"]["train"]["dataset"] = "data_loader.old.DegradedFaces"
    assert configuration.completed(saved, config) == configuration.as_dict(config)
