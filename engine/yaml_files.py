"""YAML text to plain values; every mistake is one line that names the file."""

import math
from pathlib import Path
from typing import Any

import yaml

from engine.errors import ConfigError

LONGEST, MOST_VALUES = 1_000_000, 100_000  # characters of a file, values in it
WRONG_VALUES = (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError)  # PyYAML's own too


class _UniqueKeyLoader(yaml.SafeLoader):
    """A safe loader that refuses a repeated key instead of keeping the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        """Build the mapping, or name the line of the second occurrence."""
        seen = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                continue
            if key_node.value in seen:
                line = key_node.start_mark.line + 1
                raise ConfigError(f"{self.name}:{line}: key '{key_node.value}' is given twice")
            seen.add(key_node.value)
        return super().construct_mapping(node, deep)


def read_yaml(path: str | Path) -> dict:
    """The mapping in a YAML file. ConfigError where it is missing, not YAML, not a mapping, or repeats a key."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        if len(text) > LONGEST:
            raise ConfigError(f"{path}: {len(text)} characters; expected at most {LONGEST}")
        loader = _UniqueKeyLoader(text)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); expected a YAML file") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not UTF-8 text; expected a YAML file") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not YAML ({_flat(error)})") from None
    loader.name = str(path)
    try:
        node = loader.get_single_node()
        if _values(node, {}) > MOST_VALUES:
            raise ConfigError(f"{path}: holds more than {MOST_VALUES} values, those of aliases counted")
        content = loader.construct_document(node) if node else None
    except (yaml.YAMLError, *WRONG_VALUES) as error:
        raise ConfigError(f"{path}: not YAML ({_flat(error)})") from None
    finally:
        loader.dispose()
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: expected a mapping of keys, found {type(content).__name__}")
    return content


def parse_value(text: str) -> Any:
    """The value of a flag or `-o` in YAML's reading; `None` and `null` mean nothing."""
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, *WRONG_VALUES):
        return text
    return None if value == "None" else value


def _values(node, counted):
    """Number of values below a node, with those of an alias wherever it stands; infinite where a node holds itself."""
    if id(node) not in counted:
        counted[id(node)] = math.inf
        children = node.value if isinstance(node, yaml.CollectionNode) else ()
        parts = (part for child in children for part in (child if isinstance(child, tuple) else (child,)))
        counted[id(node)] = 1 + sum(_values(part, counted) for part in parts)
    return counted[id(node)]


def _flat(error):
    return " ".join(str(error).split())
