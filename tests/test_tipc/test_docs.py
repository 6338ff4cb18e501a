"""Every page has its Chinese twin, links that lead somewhere, and names scripts and files that exist."""

import re

import pytest

from tests.test_tipc.conftest import ROOT

PAGES = sorted([*(ROOT / "test_tipc" / "docs").glob("*.md"), *(ROOT / "test_tipc").glob("README*.md")])
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
NAMED = re.compile(r"(?<![\w/])(?:\./)?((?:test_tipc|tools|configs|weights)/[\w./]+\.(?:sh|py|txt|yaml|pdparams))")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page(page):
    text = page.read_text(encoding="utf-8")
    twin = page.with_stem(page.stem.removesuffix("_cn") if page.stem.endswith("_cn") else f"{page.stem}_cn")
    assert twin.is_file()
    assert [link for link in LINK.findall(text) if not (page.parent / link).exists()] == []
    assert [name for name in NAMED.findall(text) if not (ROOT / name).exists()] == []


def test_both_languages_show_the_same_commands():
    def block(page):
        return re.findall(r"^```bash\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)

    wrong = [
        page.name
        for page in PAGES
        if not page.stem.endswith("_cn") and block(page) != block(page.with_stem(f"{page.stem}_cn"))
    ]
    assert not wrong


def test_every_script_has_a_page():
    pages = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert [path.name for path in (ROOT / "test_tipc").glob("*.sh") if path.name not in pages] == []
