"""Downloads from a server on this machine that cuts, redirects, refuses, changes and lies."""

import hashlib
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from engine.errors import InputError
from engine.weights import download
from engine.weights.files import write_torch
from engine.weights.manifest import Entry
from tests.tools.weights_server import NOTHING, entry, left, obtain

ROOT = Path(__file__).resolve().parents[2]


def test_a_file_comes_whole_is_checked_and_is_not_fetched_twice(server, tmp_path, capsys):
    path = obtain(tmp_path / "new" / "cache", entry(server, size=300_000))
    assert path.read_bytes() == server.content and left(path.parent) == ["W.pth"]
    assert "as expected" in capsys.readouterr().out
    assert obtain(path.parent, entry(server)) == path and len(server.seen) == 1
    assert obtain(path.parent, entry(server), offline=True) == path


def test_a_cut_connection_goes_on_where_it_ended(server, tmp_path):
    server.script["cuts"] = [100_000, 50_000]
    assert obtain(tmp_path, entry(server)).read_bytes() == server.content
    assert [asked for _, asked, _ in server.seen] == [None, "bytes=100000-", "bytes=150000-"]
    assert {version for _, _, version in server.seen[1:]} == {'"one"'}


def test_a_later_call_goes_on_where_the_first_gave_up(server, tmp_path):
    server.script["cuts"] = [70_000] + [0] * (download.ATTEMPTS - 1)
    with pytest.raises(
        InputError,
        match=r"/file: no complete download in 4 attempts \(cut off after 70,000 of 300,000 "
        r"bytes\); the same command resumes after 70,000 bytes$",
    ):
        obtain(tmp_path, entry(server))
    assert left(tmp_path) == ["W.pth.part", "W.pth.part.tag"]
    server.seen.clear()
    assert obtain(tmp_path, entry(server)).read_bytes() == server.content
    assert server.seen == [("/file", "bytes=70000-", '"one"')] and left(tmp_path) == ["W.pth"]


@pytest.mark.parametrize("tag", ['"two"', "", 'W/"one"'])
def test_another_version_or_one_without_a_name_starts_over(server, tmp_path, tag):
    server.script["cuts"] = [70_000] + [0] * (download.ATTEMPTS - 1)
    server.tag = tag if tag != '"two"' else '"one"'
    with pytest.raises(InputError, match="no complete download"):
        obtain(tmp_path, entry(server))
    server.tag, server.content = tag, server.content[::-1]
    assert obtain(tmp_path, entry(server)).read_bytes() == server.content


def test_a_server_that_knows_no_ranges_starts_over(server, tmp_path):
    server.script |= {"cuts": [70_000], "ignores_range": True}
    assert obtain(tmp_path, entry(server)).read_bytes() == server.content


def test_a_part_longer_than_the_file_starts_over(server, tmp_path):
    (tmp_path / "W.pth.part").write_bytes(bytes(400_000))
    (tmp_path / "W.pth.part.tag").write_text('"one"')
    assert obtain(tmp_path, entry(server)).read_bytes() == server.content


def test_a_wrong_hash_or_size_leaves_nothing(server, tmp_path):
    for wrong, line in (({"sha256": "0" * 64}, "expected 0{64}$"), ({"size": 7}, "has 300,000 bytes, expected 7$")):
        with pytest.raises(InputError, match=line):
            obtain(tmp_path, entry(server, **wrong))
        assert not left(tmp_path)


def test_a_damaged_file_in_the_cache_is_named(server, tmp_path):
    (tmp_path / "W.pth").write_bytes(b"x")
    with pytest.raises(InputError, match=r"W.pth: its sha256 is 2d7116"):
        obtain(tmp_path, entry(server))
    assert left(tmp_path) == ["W.pth"] and not server.seen


def test_a_hash_may_be_known_in_part(server, tmp_path, capsys):
    write_torch(tmp_path / "source.pth", {"w": np.ones(3, "f4")})
    server.content = (tmp_path / "source.pth").read_bytes()
    obtain(tmp_path, entry(server, sha256=hashlib.sha256(server.content).hexdigest()[:8]))
    assert "(begins as expected)" in capsys.readouterr().out
    with pytest.raises(InputError, match="expected 00000000$"):
        obtain(tmp_path, entry(server, sha256="0" * 8, file="other.pth"))


def test_without_a_hash_the_file_has_to_be_weights_and_the_output_says_so(server, tmp_path, capsys):
    server.content = b"<!DOCTYPE html><html>sign in</html>"
    with pytest.raises(InputError, match="is not a weights file .* begins with <!DOCTYPE html>"):
        obtain(tmp_path, entry(server, sha256=""))
    assert not left(tmp_path)
    write_torch(tmp_path / "source.pth", {"w": np.ones(3, "f4")})
    server.content = (tmp_path / "source.pth").read_bytes()
    obtain(tmp_path, entry(server, sha256=""))
    assert "(the manifest has none to compare with)" in capsys.readouterr().out


def test_redirects_are_followed_within_http_only(server, tmp_path):
    assert obtain(tmp_path, entry(server, "/moved")).read_bytes() == server.content
    assert [path for path, *_ in server.seen] == ["/moved", "/file"]
    server.script["to"] = "file:///etc/passwd"
    with pytest.raises(InputError, match="the server answers 302"):
        obtain(tmp_path, entry(server, "/moved", file="other.pth"))
    server.script["to"] = "ftp://127.0.0.1:9/W"
    with pytest.raises(InputError, match="/moved: redirects to ftp://127.0.0.1:9/W, which is not https"):
        obtain(tmp_path, entry(server, "/moved", file="third.pth"))
    request = download.urllib.request.Request("https://example.org/W")
    for url in ("http://example.org/W", "ftp://example.org/W"):
        with pytest.raises(InputError, match=f"redirects to {url}, which is not https"):
            download._Redirects().redirect_request(request, None, 302, "Found", {}, url)
    assert download._Redirects().redirect_request(request, None, 302, "Found", {}, "https://example.org/V")


@pytest.mark.parametrize(("status", "requests"), [(404, 1), (403, 1), (500, 4), (429, 4)])
def test_refusals_are_named_and_only_passing_ones_repeated(server, tmp_path, status, requests):
    server.script["/file"] = status
    with pytest.raises(InputError, match=f"/file: .*{status} "):
        obtain(tmp_path, entry(server))
    assert len(server.seen) == requests


def test_a_server_that_is_not_there(server, tmp_path):
    with pytest.raises(InputError, match=r"http://127.0.0.1:9/W: no complete download in 4 attempts \(.*refused"):
        obtain(tmp_path, Entry(url="http://127.0.0.1:9/W", **NOTHING))


def test_no_space_is_seen_before_and_while_writing(server, tmp_path, monkeypatch):
    (tmp_path / "W.pth.part").symlink_to("/dev/full")
    with pytest.raises(InputError, match=r"W.pth.part: cannot be written \(No space left on device\)"):
        obtain(tmp_path, entry(server))
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(InputError, match=r"W2.pth.part: cannot be written: needs 300,000 bytes, 1,000 are free"):
        obtain(tmp_path, entry(server, file="W2.pth"))
    assert not (tmp_path / "W.pth").exists() and not (tmp_path / "W2.pth").exists()


def test_offline_and_by_hand_name_the_file_and_where_it_is_from(server, tmp_path):
    with pytest.raises(
        InputError, match=rf"{tmp_path}/W.pth is not in the cache, and --offline forbids .* {server.url}/file$"
    ):
        obtain(tmp_path, entry(server), offline=True)
    by_hand = Entry(page="https://example.org/drive", **NOTHING)
    with pytest.raises(InputError, match=rf"get it from https://example.org/drive, save it as {tmp_path}/W.pth"):
        obtain(tmp_path, by_hand)
    assert not server.seen


def test_nothing_else_opens_connections():
    """What could open a connection is imported by the download, by the processes of one run that talk to each other
    (peers.py), by what asks for this machine's name (owner.py), by the server, which only listens (serve.py), and by
    its benchmark, which asks that server on this machine (service_benchmark.py)."""
    pattern = r"^\s*(import|from) (urllib|http|socket|ftplib|requests|aiohttp|httpx)\b"
    places = [path for path in ROOT.rglob("*.py") if path.relative_to(ROOT).parts[0] not in (".venv", "tests")]
    found = {path.name for path in places if re.search(pattern, path.read_text(encoding="utf-8"), re.MULTILINE)}
    assert found == {"download.py", "owner.py", "peers.py", "serve.py", "service_benchmark.py"}
