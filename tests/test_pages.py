"""Every page of the project renders as meant: links and anchors lead somewhere, tables are tables."""

import re
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

import pytest
from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("", "docs/", "test_tipc/", "test_tipc/docs/")
PAGES = sorted(page.relative_to(ROOT).as_posix() for folder in FOLDERS for page in (ROOT / folder).glob("*.md"))
MARKDOWN = MarkdownIt("commonmark").enable("table")


def anchors(path):
    """Anchors of a page's headings as GitHub makes them; the second of a name ends in -1."""
    tokens, found = MARKDOWN.parse(path.read_text(encoding="utf-8")), []
    for before, token in pairwise(tokens):
        if before.type == "heading_open":
            text = "".join(part.content for part in token.children if part.type in ("text", "code_inline"))
            name = re.sub(r"[^\w\- ]", "", text.lower()).strip().replace(" ", "-")
            found.append(name if name not in found else f"{name}-{found.count(name)}")
    return found


def problems(path):
    """What would not show as meant: dead links and anchors, missing pictures, table rows inside a paragraph."""
    tokens = MARKDOWN.parse(path.read_text(encoding="utf-8"))
    lines = []
    for token in (token for token in tokens if token.type == "inline"):
        lines += [f"a table row outside a table: {line}" for line in token.content.splitlines() if line.startswith("|")]
        for part in token.children:
            target = part.attrs.get("href") or part.attrs.get("src")
            if target and not re.match("https?://", str(target)):
                name, _, anchor = unquote(str(target)).partition("#")
                page = path.parent / name if name else path
                if not page.exists():
                    lines.append(f"leads nowhere: {target}")
                elif anchor and anchor not in anchors(page):
                    lines.append(f"no such heading: {target}")
    return lines


@pytest.mark.parametrize("name", PAGES)
def test_page_renders(name):
    assert not problems(ROOT / name)


@pytest.mark.parametrize(
    "text", ["[a](gone.md)", "[a](#gone)", "![a](gone.png)", "| a | b |\n\n| c | d |\n", "word\n| a |"]
)
def test_faults_of_a_page_are_seen(tmp_path, text):
    (tmp_path / "page.md").write_text(text)
    assert problems(tmp_path / "page.md")


def test_index_names_every_page():
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    assert not [
        name
        for name in PAGES
        if name.startswith("docs/") and f"]({name[5:]})" not in index and name != "docs/README.md"
    ]
