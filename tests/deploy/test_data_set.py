"""The folder that the page's viewer shows."""

import os
import time

import numpy as np
import pytest

from data_loader import webcaricature_writing
from engine import images
from engine.errors import InputError

pytest.importorskip("gradio", reason="gradio (requirements-web.txt) is absent")
from deploy.page.data_set import DataSet


def picture(value, height=40, width=60):
    return np.full((height, width, 3), value, np.float32)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KINTSUGI_CACHE", str(tmp_path / "cache"))


def test_a_folder_of_any_pictures(tmp_path, cache):
    root = tmp_path / "album"
    for i, name in enumerate(("one.png", "Aunt Emma/two.png", "Aunt Emma/more/three.png")):
        images.write_image(root / name, picture(i / 4))
    (root / "broken.png").write_bytes(b"no picture")
    images.write_image(tmp_path / "secret.png", picture(1))
    os.symlink(tmp_path / "secret.png", root / "linked.png")
    shown = DataSet(root)
    assert shown.people() == ["Aunt Emma"] and not shown.is_webcaricature
    assert [item.name for item in shown.chosen("Aunt Emma")] == ["Aunt Emma/more/three.png", "Aunt Emma/two.png"]
    small = shown.thumbnail("Aunt Emma/two.png", draws=True)
    assert small.shape == (40, 60, 3) and abs(int(small.mean()) - 64) <= 1
    assert shown.verdict("one.png") == ("kept", ())
    assert "outside" in shown.verdict("linked.png")[1][0] and shown.verdict("linked.png")[0] == "missing"
    for name in ("linked.png", "../secret.png", str(tmp_path / "secret.png"), "", "Aunt Emma"):
        with pytest.raises(InputError):
            shown.path(name)
    with pytest.raises(InputError, match=r"broken\.png"):
        shown.thumbnail("broken.png", draws=False)


def test_a_thumbnail_follows_its_picture(tmp_path, cache):
    images.write_image(tmp_path / "album" / "one.png", picture(0.2, 400, 800))
    shown = DataSet(tmp_path / "album")
    assert shown.thumbnail("one.png", False).shape == (96, 192, 3)
    images.write_image(tmp_path / "album" / "one.png", picture(0.8, 800, 400))
    assert shown.thumbnail("one.png", False).shape == (192, 96, 3) and shown.thumbnail("one.png", False).mean() > 190


def test_landmarks_are_drawn_where_they_are(tmp_path, cache):
    webcaricature_writing.write(tmp_path / "web", 20, 1, 0)
    shown = DataSet(tmp_path / "web")
    name = shown.chosen(kind="photo")[0].name
    points, plain = shown.landmarks(name), shown.thumbnail(name, False)
    changed = (shown.thumbnail(name, True) != plain).any(axis=2)
    scale = 192 / max(images.read_image(shown.path(name)).shape[:2])
    for x, y in (points + 0.5) * scale - 0.5:
        assert changed[round(y), round(x)]
    assert changed.mean() < 0.02
    assert len(shown.chosen(kind="photo")) == 20 and len(shown.chosen("Person 00003", "caricature", "kept")) <= 1


def test_a_folder_without_pictures_is_refused(tmp_path):
    with pytest.raises(InputError):
        DataSet(tmp_path / "none")


def test_files_on_their_way_are_removed(tmp_path):
    from deploy.page import mounting

    dead, living = tmp_path / "kintsugi-page-dead", tmp_path / "kintsugi-page-living"
    for folder in (dead, living):
        (folder / "inside").mkdir(parents=True)
        (folder / "lock").touch()
    with mounting._locked(living), mounting._own_folder(tmp_path) as own:
        assert living.is_dir() and not dead.exists() and own.is_dir() and own.stat().st_mode & 0o77 == 0
        for name, age in (("old/one.png", 100), ("old/two.png", 100), ("new/one.png", 10)):
            (own / name).parent.mkdir(exist_ok=True)
            (own / name).touch()
            os.utime(own / name, times=(time.time() - age, time.time() - age))
        mounting.sweep(own, seconds=50)
        found = sorted(path.relative_to(own).as_posix() for path in own.rglob("*"))
        assert found == ["lock", "new", "new/one.png", "old"]
        os.utime(own / "old", times=(0, 0))
        mounting.sweep(own, seconds=50)
        assert not (own / "old").exists() and (own / "new" / "one.png").exists()
        assert mounting.KEPT == 1800
    assert not own.exists() and living.is_dir()
