"""The texts of the page, in English and Chinese, and the switch between them."""

from pathlib import Path
from typing import Any

import yaml

TEXTS = yaml.safe_load(Path(__file__).with_name("texts.yaml").read_text(encoding="utf-8"))
LANGUAGES = tuple(TEXTS["language"])


def text(key: str, language: str | None, *values: object) -> str:
    """A text of TEXTS in a language of LANGUAGES (English for another one), with its values filled in."""
    found = TEXTS[key][LANGUAGES.index(language) if language in LANGUAGES else 0]
    return found.format(*values) if values else found


class Words:
    """The texts of components that follow the language."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.entries: list[tuple[Any, dict[str, Any]]] = []

    def of(self, component: Any, **fields: Any) -> Any:
        """The component, which says the texts of `fields`: field -> key of TEXTS, or for choices a list of
        (key, value)."""
        self.entries.append((component, fields))
        for name, value in fields.items():
            setattr(component, name, _said(value, LANGUAGES[0]))
        return component

    def components(self) -> list[Any]:
        """All that follow the language."""
        return [component for component, _ in self.entries]

    def updates(self, language: str) -> list[dict[str, Any]]:
        """An update for each of `components`, as the browser takes it."""
        return [
            {"__type__": "update", **{name: _said(value, language) for name, value in fields.items()}}
            for _, fields in self.entries
        ]


def _said(value, language):
    if isinstance(value, str):
        return text(value, language)
    return [(text(key, language) if key in TEXTS else key, choice) for key, choice in value]
