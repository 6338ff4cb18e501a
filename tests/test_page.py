"""The page in a real browser: every tab, looked at in the page itself; nothing is asked of another machine."""

import itertools
import re
import signal
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest
from PIL import Image

from data_loader import webcaricature_writing
from data_loader.group_photo import group_photo
from deploy.page.texts import LANGUAGES, TEXTS
from engine import images, picture_files
from tests.page_browser import (
    BROWSED,
    SIZE,
    choose,
    chromium,
    differs,
    downloaded,
    give,
    group_tiff,
    opened,
    said,
    shown,
)
from tests.script_calls import call
from tests.service_calls import serving

pytest.importorskip("gradio", reason="gradio (requirements-web.txt) is absent")
pytestmark = BROWSED


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    """A TIFF of 16 bits with three faces, which a browser cannot show and gradio cannot read."""
    return group_tiff(tmp_path_factory.mktemp("photo") / "group.tif")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """WebCaricature's layout with side faces and misplaced landmarks, a missing picture, a link that leads away."""
    root = tmp_path_factory.mktemp("data") / "web"
    webcaricature_writing.write(root, 20, 1, 0, side_faces=0.2, misplaced=0.2)
    (root / "OriginalImages" / "Person 00003" / "P00001.jpg").unlink()
    outside = root.parent / "outside.jpg"
    images.write_image(outside, np.zeros((64, 64, 3), np.float32))
    linked = root / "OriginalImages" / "Person 00004" / "P00001.jpg"
    linked.unlink()
    linked.symlink_to(outside)
    return root


@pytest.fixture(scope="module")
def server(lite_models, data, tmp_path_factory):
    """(address, log, folder of temporary files) of a server."""
    log, cache = tmp_path_factory.mktemp("log") / "serve.log", tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KINTSUGI_CACHE", str(cache))
        with serving(lite_models, log, f"--data={data}") as (address, child):
            yield address, cache
            child.send_signal(signal.SIGTERM)
            assert child.wait(60) == 0
    assert "Traceback" not in log.read_text()


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


@pytest.fixture
def page(server, browser):
    """The page, freshly opened; at the end nothing was asked of another machine, and nothing in it failed."""
    with opened(browser, server[0], locale="en-US", viewport={"width": 1200, "height": 1000}) as found:
        yield found


def test_restoring_a_photo(page, lite_models, photo, tmp_path):
    give(page, "#restore-photo", photo)
    assert "Faces found: 3" in said(page, "#restore-found", "Faces found")
    page.wait_for_function("document.querySelector('.found-faces img').naturalWidth > 0")  # though it is a TIFF
    page.locator(".ticks input").nth(0).uncheck()
    page.locator("#restore-strength input[type=number]").fill("0.5")
    page.locator("#restore-scale").get_by_label("2", exact=True).check()
    page.click("#restore-button")
    assert "Faces restored: 2," in said(page, "#restore-said", "restored")
    before, after = shown(page, "#restore-slider", 2)
    changed = differs(before, after)
    assert after.shape == (960, 1280, 3) and not changed[:, :320].any() and changed[:, 320:].mean() > 0.02
    words = ["--faces=1,2", "--strength=0.5", "-s", "2", "--ext=auto"]
    result = call("infer", "--model_dir", lite_models["gpen"], "-i", photo, "-o", tmp_path, *words)
    assert result.returncode == 0, result.stderr
    name, content = downloaded(page, "restore")
    found, expected = (
        picture_files.decode(one, "") for one in (content, (tmp_path / "group_predict.tif").read_bytes())
    )
    assert name == "group_restored.tif" and found.samples.dtype == np.uint16 and found.samples.shape == (960, 1280, 3)
    assert np.abs(found.samples.astype(int) - expected.samples).max() <= 257  # two faces share a run: a grey level


def test_a_face_is_marked_by_hand(page, photo):
    give(page, "#restore-photo", photo)
    said(page, "#restore-found", "Faces found: 3")
    for i in range(3):
        page.locator(".ticks input").nth(i).uncheck()
    points = group_photo(*SIZE)[1][1]
    low, high = points.min(axis=0) - 30, points.max(axis=0) + 30
    frame = page.locator(".found-faces svg").bounding_box()
    at = [
        (frame["x"] + x * frame["width"] / SIZE[1], frame["y"] + y * frame["height"] / SIZE[0]) for x, y in (low, high)
    ]
    page.mouse.move(*at[0])
    page.mouse.down()
    page.mouse.move(*at[1], steps=4)
    page.mouse.up()
    assert page.locator(".ticks input").count() == 4 and page.locator(".ticks input:checked").count() == 1
    page.click("#restore-button")
    said(page, "#restore-said", "Faces restored: 1,")
    before, after = shown(page, "#restore-slider", 2)
    rows, columns = np.nonzero(differs(before, after))
    assert np.hypot(columns.mean() - points[:, 0].mean(), rows.mean() - points[:, 1].mean()) < 40
    page.locator(".ticks button").click()
    assert page.locator(".ticks input").count() == 3
    page.click("#restore-button")
    page.get_by_text("No face is ticked").wait_for()


def test_filling_what_is_painted_or_in_a_file_or_covered(page, photo, tmp_path):
    page.get_by_role("tab", name="Fill a hole").click()
    page.click("#fill-button")
    page.get_by_text("Choose a photo first").wait_for()
    give(page, "#fill-photo", photo)
    canvas = page.locator("#fill-brush canvas").first
    canvas.scroll_into_view_if_needed()
    page.wait_for_timeout(2000)  # the brush gets its picture
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 + 30, box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()
    page.wait_for_timeout(1000)
    page.click("#fill-button")
    said(page, "#fill-said", r"\d% of the photo filled")
    before, after = shown(page, "#fill-slider", 2)
    rows, columns = np.nonzero(differs(before, after))
    assert 100 < len(rows) < 0.1 * before[..., 0].size and abs(rows.mean() - SIZE[0] / 2) < 60
    assert abs(columns.mean() - SIZE[1] / 2) < 80
    mask = np.zeros((*SIZE, 1), np.float32)
    mask[100:150, 200:300] = 1
    strokes = np.uint8(255 * np.concatenate([np.ones_like(mask)] * 3 + [mask], axis=2))  # on a transparent layer
    Image.fromarray(strokes).save(tmp_path / "mask.png")
    give(page, "#fill-mask", tmp_path / "mask.png")
    page.locator("#fill-mask img").wait_for()
    page.click("#fill-button")
    said(page, "#fill-said", "2% of the photo filled")
    page.wait_for_timeout(500)
    before, after = shown(page, "#fill-slider", 2)
    changed = differs(before, after)
    assert changed[100:150, 200:300].mean() > 0.9 and changed.sum() == changed[100:150, 200:300].sum()
    name, content = downloaded(page, "fill")
    filled = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)[..., ::-1]
    own = cv2.imread(str(photo), cv2.IMREAD_UNCHANGED)[..., ::-1]
    assert name == "group_filled.tif" and filled.dtype == np.uint16
    np.testing.assert_array_equal(filled[mask[..., 0] == 0], own[mask[..., 0] == 0])
    page.locator("#fill-faces input").check()
    page.click("#fill-button")
    said(page, "#fill-said", r"(?<![\d])(?!2%)\d+% of the photo filled")


def test_styles_both_ways(page, photo):
    page.get_by_role("tab", name="Photo and caricature").click()
    give(page, "#translate-photo", photo)
    page.locator("#translate-photo button[aria-label='Clear']").or_(
        page.locator("#translate-photo img")
    ).first.wait_for()
    page.locator("#translate-count input[type=number]").fill("3")
    page.locator("#translate-seed input").fill("5")
    page.click("#translate-button")
    said(page, "#translate-said", "Seeds 5 to 7")
    styles = shown(page, "#translate-gallery", 3)
    assert all((one != other).any() for one, other in itertools.pairwise(styles))
    page.locator("#translate-model").get_by_label("Photo").check()
    page.click("#translate-button")
    page.wait_for_timeout(3000)
    photos = shown(page, "#translate-gallery", 3)
    assert (photos[0] != styles[0]).any()
    give(page, "#translate-style", photo)
    page.locator("#translate-style img").wait_for(state="attached")
    page.locator("#translate-paste input").check()
    page.click("#translate-button")
    said(page, "#translate-said", "Style of the picture")
    (pasted,) = shown(page, "#translate-gallery", 1)
    assert pasted.shape == (*SIZE, 3)


def test_looking_at_a_data_set(page, server, data):
    page.get_by_role("tab", name="Data set").click()
    assert "Pictures: 40." in said(page, "#data-said", "Page 1 of 2")
    thumbnails = shown(page, "#data-gallery", 24)
    assert max(thumbnails[0].shape) == 192
    kept = list((server[1] / "thumbnails").rglob("*.jpg"))
    assert len(kept) == 22  # one picture is missing, one lies elsewhere
    times = {path: path.stat().st_mtime_ns for path in kept}
    page.locator("#data-landmarks input").uncheck()
    page.wait_for_timeout(2000)
    plain = shown(page, "#data-gallery", 24)
    assert (plain[0] != thumbnails[0]).any()  # landmarks were drawn
    assert times == {path: path.stat().st_mtime_ns for path in kept}  # thumbnails are made once
    lines = webcaricature_writing.report(data)
    rejected = sum(int(re.search(r"(\d+) rejected", line)[1]) for line in lines if "rejected" in line)
    choose(page, "#data-filter", "rejected")
    assert f"Pictures: {rejected}." in said(page, "#data-said", f"Pictures: {rejected}.")
    page.locator("#data-gallery button img").first.click()
    assert re.search("order:|radius:|inside:", said(page, "#data-facts", "Person"))
    choose(page, "#data-filter", "missing or unreadable")
    said(page, "#data-said", "Pictures: 2.")
    texts = page.locator("#data-gallery").inner_text()
    assert "is a link to a place outside the folder" in texts and str(data) not in texts
    choose(page, "#data-filter", "all")
    choose(page, "#data-person", "Person 00002")
    choose(page, "#data-kind", "Caricature")
    said(page, "#data-said", "Pictures: 1.")
    page.locator("#data-gallery button img").first.click()
    said(page, "#data-facts", "Person 00002/C00001")
    page.click("#data-restore")
    said(page, "#restore-found", "face")
    assert page.get_by_role("tab", name="Restore").get_attribute("aria-selected") == "true"
    page.get_by_role("tab", name="Data set").click()
    page.click("#data-translate")
    page.locator("#translate-photo img").wait_for()


def test_files_outside_the_folder_are_not_given(server, data):
    for path in (data.parent / "outside.jpg", data / "OriginalImages/Person 00000/P00001.jpg", "/etc/hostname",
                 Path(__file__).resolve()):  # fmt: skip
        for route in ("/gradio_api/file=", "/file="):
            assert httpx.get(f"{server[0]}{route}{path}").status_code in (403, 404)


def test_two_languages_and_a_telephone(server, browser):
    options = {"locale": "zh-CN", "viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    with opened(browser, server[0], **options) as page:
        page.get_by_role("button", name=TEXTS["restore"][1], exact=True).wait_for()
        for tab_name in ("restore", "fill", "translate", "data"):
            name = TEXTS[tab_name][1]
            tab = page.get_by_role("tab", name=name, exact=True)
            if not tab.is_visible():  # a tab without room is in a menu
                page.locator(".overflow-menu > button").click()
                tab = page.locator(".overflow-dropdown button", has_text=name)
            tab.click()
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, name
        page.locator("#data-gallery img").nth(23).wait_for()  # those below the screen load when they are scrolled to
        edges = page.locator("#data-gallery button:has(img)").evaluate_all(
            "all => all.map(one => one.getBoundingClientRect().right)"
        )
        assert len(edges) == 24 and max(edges) <= 390  # the gallery hides what is beyond
        page.get_by_role("tab", name=TEXTS["restore"][1], exact=True).click()
        for language, other in (("English", 1), (LANGUAGES[1], 0)):
            page.get_by_text(language).click()
            name = TEXTS["restore"][1 - other]
            page.get_by_role("button", name=name, exact=True).last.wait_for()
            left = [texts[other] for texts in TEXTS.values() if texts != list(LANGUAGES) and len(texts[other]) > 3]
            assert not [text for text in left if text in page.locator("body").inner_text()]


def test_what_cannot_be_read_is_said_in_the_page(page, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno picture")
    give(page, "#restore-photo", tmp_path / "broken.png")
    page.get_by_text("broken.png: not a readable image").wait_for()
