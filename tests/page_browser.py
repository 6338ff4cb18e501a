"""The page in a browser: opened, given files, and what it says, shows and gives back."""

import io
import re
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from data_loader.group_photo import group_photo
from tests.chromium import CHROMIUM, QUIET

playwright = pytest.importorskip("playwright.sync_api", reason="playwright (requirements-dev.txt) is absent")
BROWSED = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is absent"),
    pytest.mark.timeout(600),
]
WAIT = 60_000  # ms
SIZE = (480, 640)


def group_tiff(path):
    """Write a photo of three faces as a TIFF of 16 bits; returns the file's path."""
    from deploy.files import write
    from engine.picture_files import Picture

    write(path, Picture(np.rint(group_photo(*SIZE)[0] * 65535).astype(np.uint16)))
    return path


@contextmanager
def chromium():
    """A started browser."""
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=str(CHROMIUM), args=QUIET.split())
        yield opened
        opened.close()


class opened:
    """The page in a context of its own."""

    def __init__(self, browser, address, **options):
        self.context = browser.new_context(**options)
        self.page, self.elsewhere, self.faults = self.context.new_page(), [], []
        self.page.set_default_timeout(WAIT)
        self.page.on("request", self._asked)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.goto(address)

    def _asked(self, request):
        if not re.match(r"http://127\.0\.0\.1:|data:|blob:", request.url):
            self.elsewhere.append(request.url)

    def __enter__(self):
        self.page.locator("#restore-button").wait_for()
        return self.page

    def __exit__(self, *_):
        self.context.close()
        assert not self.elsewhere and not self.faults


def give(page, place, path):
    page.set_input_files(f"{place} input[type=file]", str(path))


def said(page, place, words):
    """The text of a place, once it holds `words`."""
    found = page.locator(place, has_text=re.compile(words))
    found.wait_for()
    return found.inner_text()


def shown(page, place, count):
    """The pictures that the browser shows in a place, [H, W, 3] uint8 each."""
    pictures = page.locator(f"{place} img")
    page.wait_for_function(
        "([place, count]) => { const all = [...document.querySelectorAll(`${place} img`)];"
        "return all.length === count && all.every((one) => one.complete && one.naturalWidth > 0); }",
        arg=[place, count],
    )
    sources = [pictures.nth(i).evaluate("one => one.src") for i in range(count)]
    return [np.asarray(Image.open(io.BytesIO(httpx.get(one).content)).convert("RGB")) for one in sources]


def differs(one, other):
    """[H, W]: where two pictures are more than a grey level apart."""
    return (np.abs(one.astype(int) - other) > 1).any(axis=2)


def downloaded(page, tab):
    with page.expect_download() as got:
        page.locator(f"#{tab}-download").click()
    return got.value.suggested_filename, Path(got.value.path()).read_bytes()


def choose(page, place, name):
    page.locator(f"{place} input").click()
    page.get_by_role("option", name=name, exact=True).click()
