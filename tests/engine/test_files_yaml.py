"""YAML files that would never end, fill the memory or end in a traceback are one line."""

import time

import pytest

from engine.errors import ConfigError
from engine.files import parse_value, read_yaml


def doubling(pattern, times):
    """A value, and each next one holds the one before it twice: 2 ** times values in all."""
    lines = ["v0: &v0 {x: 1}"] + [pattern.format(i + 1, i) for i in range(times)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    "text, line",
    [
        (doubling("v{0}: &v{0} [*v{1}, *v{1}]", 60), "holds more than 100000 values"),
        (doubling("v{0}: &v{0}\n  <<: [*v{1}, *v{1}]", 60), "holds more than 100000 values"),
        ("a: &a [*a]", "holds more than 100000 values"),
        ("[" * 100_000, "not YAML"),
        ("a: b\n" * 300_000, "1500000 characters; expected at most 1000000"),
        ("a: !!timestamp x", "not YAML"),
        ("a: !!int ''", "not YAML"),
        ("a: 2001-99-99", "not YAML"),
        ("? {a: 1}\n: 2", "not YAML"),
        ("", "expected a mapping of keys, found NoneType"),
    ],
)
def test_one_line_and_soon(tmp_path, text, line):
    (tmp_path / "a.yaml").write_text(text)
    began = time.perf_counter()
    with pytest.raises(ConfigError, match=line) as caught:
        read_yaml(tmp_path / "a.yaml")
    assert str(caught.value).startswith(str(tmp_path / "a.yaml")) and "\n" not in str(caught.value)
    assert time.perf_counter() - began < 30


def test_aliases_and_merges_of_a_usual_size_are_read(tmp_path):
    (tmp_path / "a.yaml").write_text("a: &a {x: 1, y: [2, 3]}\nb: {<<: *a, z: *a}\n")
    own = {"x": 1, "y": [2, 3]}
    assert read_yaml(tmp_path / "a.yaml") == {"a": own, "b": own | {"z": own}}


def test_a_value_that_yaml_cannot_make_is_text():
    assert parse_value("2001-99-99") == "2001-99-99" and parse_value("None") is None and parse_value("1e-4") == "1e-4"
