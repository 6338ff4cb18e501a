"""The page's server apart from its tabs: its token, an end that leaves no file, what it refuses."""

import json
import os
import signal
import tempfile
import time
from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.page_browser import BROWSED, chromium, give, group_tiff, said
from tests.script_calls import call
from tests.service_calls import serving

pytest.importorskip("gradio", reason="gradio (requirements-web.txt) is absent")
pytestmark = BROWSED


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    """A TIFF of 16 bits with three faces, which a browser cannot show and gradio cannot read."""
    return group_tiff(tmp_path_factory.mktemp("photo") / "group.tif")


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


def test_text_of_a_browser_is_not_trusted():
    from deploy.page.faces import ticked
    from engine.errors import InputError

    pixels = np.zeros((50, 60, 3), np.float32)
    good = {"box": [1, 1, 20, 20], "points": [[5, 5], [15, 5], [10, 10], [6, 15], [14, 15]], "on": True}
    (face,) = ticked(json.dumps({"of": "a", "faces": [good, {**good, "on": False}]}), "a", pixels, None)
    np.testing.assert_array_equal(face.points, good["points"])
    assert ticked(None, "a", pixels, None) is None
    assert ticked(json.dumps({"of": "another", "faces": [good]}), "a", pixels, None) is None
    for wrong in ({"box": [1, 1, 20]}, {"box": [20, 1, 1, 20]}, {"box": [0, 0, 1e9, 1e9]}, {"points": [[1, 1]] * 5},
                  {"points": "x"}, {"box": None}, {"points": None}, {"points": [[float("nan")] * 2] * 5}):  # fmt: skip
        with pytest.raises(InputError):
            ticked(json.dumps({"of": "a", "faces": [{**good, **wrong}]}), "a", pixels, None)
    with pytest.raises(InputError):
        ticked("[" * 100_000, "a", pixels, None)


def test_an_open_page_and_its_files_end_with_the_server(lite_models, browser, photo, tmp_path):
    places = [folder for folder in (Path("/dev/shm"), Path(tempfile.gettempdir())) if folder.is_dir()]

    def left():
        return {path for folder in places for path in folder.glob("kintsugi-page-*")}

    before = left()
    with serving({"gpen": lite_models["gpen"]}, tmp_path / "log", "--token=secret") as (address, child):
        assert httpx.get(address).status_code == 401 and httpx.get(address, auth=("", "wrong")).status_code == 401
        context = browser.new_context(http_credentials={"username": "", "password": "secret"})
        page = context.new_page()
        began = time.perf_counter()
        page.goto(address)
        page.locator("#restore-button").wait_for()
        assert time.perf_counter() - began < 60
        give(page, "#restore-photo", photo)
        said(page, "#restore-found", "Faces found: 3")
        (folder,) = left() - before
        assert [path.name for path in folder.rglob("*.tif")] == ["group.tif"] and os.stat(folder).st_mode & 0o77 == 0
        child.send_signal(signal.SIGTERM)
        assert child.wait(30) == 0 and left() == before
        context.close()


def test_a_folder_that_is_not_there_is_one_line(lite_models, tmp_path):
    result = call("serve", f"--model=gpen={lite_models['gpen']}", "--port=0", f"--data={tmp_path / 'none'}")
    assert result.returncode == 2 and "none: no such folder" in result.stderr and "Traceback" not in result.stderr
