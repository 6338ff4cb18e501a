"""Read bytes, text, JSON and arrays from untrusted files: one line if they are damaged or too large."""

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import InputError
from engine.files import check_regular

MOST = 2**29  # bytes of a file, and of what an archive unpacks to


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


def read_arrays(path: str | Path, expected: str, most: int = MOST // 2) -> dict[str, np.ndarray]:
    """The arrays of an .npz file: name -> array.

    Raises:
        InputError: see `read_bytes`, no .npz, damaged, holds objects, or unpacks to more than `most` bytes.
    """
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
