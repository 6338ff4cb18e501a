"""VisualDL's page in a real browser: one curve over any number of starts, in a browser of any language."""

import re
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest

from tests.chromium import CHROMIUM, QUIET
from tests.script_calls import ROOT, call, draw_faces
from tests.test_runs import begun, wait_for, words

playwright = pytest.importorskip("playwright.sync_api", reason="playwright (requirements-dev.txt) is absent")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is absent"),
    pytest.mark.timeout(300),
]

DRAWN = """() => [...document.querySelectorAll('canvas')].some(canvas => canvas.width && canvas.getContext('2d')
    .getImageData(0, 0, canvas.width, canvas.height).data.some((value, i) => i % 4 == 3 && value > 0))"""


@contextmanager
def shown(folder):
    """The address of VisualDL's page of a run folder."""
    line = [sys.executable, "tools/visualdl.py", "--logdir", folder / "visualdl", "--port=0", "--cache_timeout=1"]
    child = subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        yield re.search(r"http://127\.0\.0\.1:\d+/app", child.stdout.readline())[0]
    finally:
        child.kill()
        child.communicate()


def looked_at(browser, address):
    """Steps of a curve that the page of scalars asks for, once it has drawn, and what it asked of other machines."""
    page, elsewhere = browser.new_page(locale="de-DE"), []
    page.set_default_timeout(90_000)
    page.on("request", lambda request: elsewhere.append(request.url) if "//127.0.0.1:" not in request.url else None)
    with page.expect_response(lambda answer: "scalar/list" in answer.url and "loss" in answer.url) as got:
        page.goto(f"{address}/scalar")
    points = got.value.json()["data"]
    page.wait_for_function(DRAWN)
    page.close()
    return [point[1] for point in points], elsewhere


def test_one_curve_after_one_two_and_four_starts(tmp_path):
    faces, folder = draw_faces(tmp_path / "faces", 5), tmp_path / "run"
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=str(CHROMIUM), args=QUIET.split())
        for iters in (2, 4):
            assert call("train", *words(faces, folder, "--resume=auto", f"--iters={iters}")).returncode == 0
            with shown(folder) as address:
                steps, elsewhere = looked_at(browser, address)
            assert steps == list(range(1, iters + 1)) and not elsewhere
        with begun(*words(faces, folder, "--resume=auto", "--iters=100000")) as child:
            wait_for(child, "iter: 7/")
            child.send_signal(signal.SIGKILL)
        assert call("train", *words(faces, folder, "--resume=auto", "--iters=8")).returncode == 0
        with shown(folder) as address:
            steps, elsewhere = looked_at(browser, address)
        assert steps == list(range(1, 9)) and not elsewhere
        browser.close()


def test_a_port_that_cannot_be_is_one_line(tmp_path):
    result = call("tools/visualdl", "--logdir", tmp_path, "--port=99999")
    assert result.returncode == 2 and "--port: expected 0 to 65535, found 99999" in result.stderr


def test_a_folder_that_is_not_there_is_one_line(tmp_path):
    result = call("tools/visualdl", "--logdir", tmp_path / "none")
    assert result.returncode == 2 and "none: no such folder" in result.stderr
