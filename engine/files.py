"""Read untrusted files or refuse them in one line; write files whole or not at all.

Text, JSON, YAML, arrays. Pictures are read by engine.picture_files, weights by engine.weights.
"""

import json
import math
import os
import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml

from engine.errors import ConfigError, InputError

MOST = 2**29  # bytes of a file, and of what an archive unpacks to
LONGEST, MOST_VALUES = 1_000_000, 100_000  # characters of a YAML file, values in it
WRONG_VALUES = (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError)  # PyYAML's own too


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A temporary path beside `path`; it takes `path`'s place when the block ends well and is removed when it does not.

    Raises:
        InputError: the file cannot be written (no such folder, no permission, disk full).
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text, whole or not at all; bytes of a file's name that are no text are escaped."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_json(path: str | Path, value: Any, indent: int | None = 1) -> None:
    """Write a value as JSON, whole or not at all; `indent` None: on one line."""
    write_text(path, json.dumps(value, indent=indent) + "\n")


def check_regular(path: str | Path) -> None:
    """InputError where the path is a pipe, a socket or a device, which would be waited for; a missing file passes."""
    with suppress(OSError):
        kind = os.stat(path).st_mode
        if not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):
            raise InputError(f"{path}: is a pipe, a socket or a device; expected a file")


def check_writable(folder: str | Path) -> None:
    """Make a folder and try that a file can be written there.

    Raises:
        InputError: it cannot be made or written.
    """
    trial = Path(folder) / f".writable_{os.getpid()}"
    try:
        trial.parent.mkdir(parents=True, exist_ok=True)
        trial.write_bytes(b"")
        trial.unlink()
    except OSError as error:
        raise InputError(f"{folder}: output folder cannot be written ({error.strerror})") from None


def said(error: BaseException) -> str:
    """The text of an exception, as one short line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]


def read_bytes(path: str | Path, expected: str, most: int = MOST) -> bytes:
    """A file's bytes.

    Args:
        path: the file.
        expected: what it should be, for the error, such as "a file of landmarks".
        most: bytes it may have.

    Raises:
        InputError: missing, no file, too large, unreadable.
    """
    check_regular(path)
    try:
        if (size := os.path.getsize(path)) > most:
            raise InputError(f"{path}: {size} bytes, at most {most}; expected {expected}")
        return Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); expected {expected}") from None


def read_text(path: str | Path, expected: str, encodings: tuple[str, ...] = ("utf-8-sig",), most: int = MOST) -> str:
    """A file's text in the first of the encodings that fits. InputError: see `read_bytes`, or none fits."""
    content = read_bytes(path, expected, most)
    for encoding in encodings:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise InputError(f"{path}: not text in {' or '.join(encodings)}; expected {expected}")


def read_json(path: str | Path, expected: str, most: int = MOST) -> Any:
    """The value in a JSON file. InputError: see `read_bytes`, or it is not JSON."""
    try:
        return json.loads(read_text(path, expected, most=most))
    except (ValueError, RecursionError, MemoryError) as error:
        raise InputError(f"{path}: not JSON ({said(error)}); expected {expected}") from None


def read_arrays(path: str | Path, expected: str, most: int = MOST // 2) -> dict[str, Any]:
    """The arrays of an .npz file: name -> array.

    Raises:
        InputError: see `read_bytes`, no .npz, damaged, holds objects, or unpacks to more than `most` bytes.
    """
    import numpy as np  # not above: flags are read without it

    check_regular(path)
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > most:
            raise InputError(f"{path}: unpacks to {size} bytes, at most {most}; expected {expected}")
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}); expected {expected}") from None
    except Exception as error:  # zipfile and numpy raise anything for damaged files
        raise InputError(f"{path}: damaged ({said(error)}); expected {expected}") from None


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
