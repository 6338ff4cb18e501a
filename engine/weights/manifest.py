"""Read and check `weights/manifest.yaml`, the list of files to fetch. Nothing here opens a connection."""

import hashlib
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, model_validator

from engine.errors import ConfigError, InputError
from engine.files import read_yaml
from engine.settings import Settings

MANIFEST = Path(__file__).resolve().parents[2] / "weights" / "manifest.yaml"


class Entry(Settings):
    """One file that others published, or one that is put together of such files.

    Attributes:
        licence, purpose: of the weights, in words.
        url: where a program gets it; page: where only a person does; parts: entries it is made of. One of the three.
        file: its name in the cache.
        size, sha256: what it must have, from its publisher's page. A sha256 may be its first digits only.
        unpublished: which of the two no page of its publisher states.
        network: what it is, a name of `engine.weights.known`; empty for what is no network.
        place: where the project looks for it, below weights/, converted where that ends in .pdparams; empty for files
            that only a user names.
    """

    licence: str
    purpose: str
    url: str = Field("", pattern=r"^(https?://\S+)?$")
    page: str = Field("", pattern=r"^(https?://\S+)?$")
    parts: tuple[str, ...] = ()
    file: str = Field("", pattern=r"^(\w[\w.-]*)?$")
    size: int | None = Field(None, gt=0)
    sha256: str = Field("", pattern=r"^([0-9a-f]{8,64})?$")
    unpublished: tuple[Literal["size", "sha256"], ...] = ()
    network: str = ""
    place: str = Field("", pattern=r"^(weights(/\w[\w.-]*)+)?$")

    @model_validator(mode="after")
    def _has_one_origin(self):
        if sum(map(bool, (self.url, self.page, self.parts))) != 1:
            raise ValueError("expected one of url, page and parts")
        if bool(self.file) == bool(self.parts):
            raise ValueError("expected 'file' with url or page, and only there")
        return self


def read_manifest(path: str | Path | None = None) -> dict[str, Entry]:
    """{name: Entry} of the manifest. ConfigError names the entry and key that are wrong."""
    path, entries = Path(path or MANIFEST), {}
    for name, content in read_yaml(path).items():
        try:
            entries[name] = Entry(**(content if isinstance(content, dict) else {"": content}))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, (name, *first["loc"])))
            raise ConfigError(f"{path}.{where}: {first['msg']}") from None
    for name, entry in entries.items():
        if missing := [part for part in entry.parts if part not in entries]:
            raise ConfigError(f"{path}.{name}.parts: no entry '{missing[0]}'")
    return entries


def sha256(path: str | Path) -> str:
    """Hexadecimal sha256 of a file. InputError where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None


def published_as(digest: str) -> str:
    """The manifest's entry whose file has this sha256, or ""."""
    entries = read_manifest().items() if MANIFEST.exists() else ()
    return next((name for name, entry in entries if entry.sha256 and digest.startswith(entry.sha256)), "")


def fetch_hint(path: str | Path) -> str:
    """The command that brings a missing weights file, as the end of a message; "" where the manifest has none."""
    for name, entry in read_manifest().items() if MANIFEST.exists() else ():
        brought = f"; `python tools/fetch_weights.py {name}` brings it"
        if entry.place and Path(entry.place).name == Path(path).name:
            return f"{brought} to {entry.place}"
        if entry.url and entry.file == Path(path).name:
            return f"{brought} into the cache and prints its path"
    return ""
