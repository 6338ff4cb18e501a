"""Fetching from a server on this machine that cuts, redirects, refuses, changes and lies."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import yaml

from engine.errors import ConfigError, InputError
from engine.weights import download, fetch
from engine.weights import manifest as manifest_module
from engine.weights.files import read_loss_weights, read_weights, write_torch
from engine.weights.known import known_networks
from engine.weights.manifest import Entry, fetch_hint, read_manifest
from model.gpen.network import GPENDiscriminator
from tools import fetch_weights

ROOT = Path(__file__).resolve().parents[2]


class Server(BaseHTTPRequestHandler):
    """Behaves as the test's `script` says; `seen` has (path, Range, If-Range) of every request."""

    script, seen, content, tag = {}, [], b"", '"one"'
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        asked = self.headers.get("Range"), self.headers.get("If-Range")
        self.seen.append((self.path, *asked))
        if self.path.startswith("/moved"):
            self.answer(302, b"", Location=self.script.get("to", "/file"))
        elif self.path in self.script:
            self.answer(self.script[self.path], b"no")
        else:
            self.file(*asked)

    def file(self, wanted, version):
        start, status, extra = 0, 200, {"ETag": self.tag} if self.tag else {}
        if wanted and version == self.tag and not self.script.get("ignores_range"):
            start, status = int(wanted.removeprefix("bytes=").rstrip("-")), 206
            if start >= len(self.content):
                return self.answer(416, b"")
            extra["Content-Range"] = f"bytes {start}-{len(self.content) - 1}/{len(self.content)}"
        cuts = self.script.get("cuts")
        self.answer(status, self.content[start:], cuts.pop(0) if cuts else None, **extra)

    def answer(self, status, body, upto=None, **headers):
        self.send_response(status)
        for name, value in {"Content-Length": len(body), **headers}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(body[:upto])
        if upto is not None:
            self.close_connection = True

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    """The handler's class; its content is 300,000 bytes."""
    Server.script, Server.seen, Server.tag = {}, [], '"one"'
    Server.content = np.random.default_rng(0).bytes(300_000)
    running = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    Server.url = f"http://127.0.0.1:{running.server_address[1]}"
    monkeypatch.setattr(download, "PAUSE", 0.0)
    monkeypatch.setattr(download, "CHUNK", 4096)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    yield Server
    running.shutdown()
    thread.join()
    running.server_close()


def entry(server, path="/file", **fields):
    """An entry whose hash is that of the server's content."""
    digest = hashlib.sha256(server.content).hexdigest()
    fields = {"licence": "MIT", "purpose": "test", "file": "W.pth", "sha256": digest, "network": "x", **fields}
    return Entry(url=server.url + path, **fields)


NOTHING = {"licence": "MIT", "purpose": "test", "file": "W.pth"}


def obtain(cache, what, offline=False):
    return fetch.obtain("it", what, cache, offline)


def left(cache):
    return sorted(path.name for path in cache.iterdir())


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


@pytest.fixture
def published(server, tmp_path, monkeypatch):
    """A manifest with one discriminator on the server, to be placed in tmp_path."""
    arrays = {key: tensor.numpy() for key, tensor in GPENDiscriminator(8, narrow=1 / 64).state_dict().items()}
    write_torch(tmp_path / "source.pth", arrays)
    server.content = (tmp_path / "source.pth").read_bytes()
    fields = entry(server).model_dump(exclude_defaults=True)
    fields |= {"network": "gpen_discriminator", "place": "weights/critic.pdparams"}
    (tmp_path / "manifest.yaml").write_text(yaml.safe_dump({"critic": fields}))
    monkeypatch.setattr(manifest_module, "MANIFEST", tmp_path / "manifest.yaml")
    monkeypatch.setattr(fetch, "ROOT", tmp_path)
    monkeypatch.setenv("KINTSUGI_CACHE", str(tmp_path / "cache"))
    return arrays


def test_the_command_downloads_converts_and_places(published, server, tmp_path, capsys, monkeypatch):
    place = tmp_path / "weights" / "critic.pdparams"
    fetch_weights.main([])
    assert capsys.readouterr().out.split()[:2] == ["critic", "-"]
    fetch_weights.main(["critic"])
    found = read_weights(place)
    assert found.keys() == published.keys() and all((found[key] == published[key]).all() for key in published)
    place.unlink()
    monkeypatch.setenv("KINTSUGI_OFFLINE", "1")
    fetch_weights.main(["critic"])
    assert place.exists() and len(server.seen) == 1
    fetch_weights.main(["critic", "--cache", str(tmp_path / "cache"), "--offline"])
    with pytest.raises(InputError, match="crtic: no such entry. Did you mean 'critic'"):
        fetch_weights.main(["crtic"])


def test_what_is_no_network_is_copied(published, server, tmp_path):
    fields = entry(server, network="").model_dump(exclude_defaults=True) | {"place": "weights/there/it.npz"}
    (tmp_path / "manifest.yaml").write_text(yaml.safe_dump({"it": fields}))
    fetch_weights.main(["it"])
    assert (tmp_path / "weights" / "there" / "it.npz").read_bytes() == server.content


def test_a_missing_file_names_its_command(published, tmp_path, monkeypatch, caplog):
    place = tmp_path / "weights" / "critic.pdparams"
    command = "; `python tools/fetch_weights.py critic` brings it to weights/critic.pdparams"
    assert fetch_hint("elsewhere/critic.pdparams") == command and fetch_hint("other.pdparams") == ""
    with pytest.raises(InputError, match="No such file or directory") as caught:
        read_weights(place)
    assert str(caught.value).endswith(command)
    with pytest.raises(InputError) as caught:
        read_loss_weights(place, "style", "stop", "recipe.style_weight: 0")
    assert str(caught.value).endswith(f"or recipe.style_weight: 0{command}")
    monkeypatch.setattr(manifest_module, "MANIFEST", tmp_path / "none.yaml")
    assert fetch_hint(place) == ""


def test_a_missing_published_file_names_its_command():
    command = "; `python tools/fetch_weights.py gfpgan_v1_4` brings it into the cache and prints its path"
    with pytest.raises(InputError, match="No such file or directory") as caught:
        read_weights("elsewhere/GFPGANv1.4.pth")
    assert str(caught.value).endswith(command)


def test_the_cache_folder(monkeypatch, tmp_path):
    for name in ("KINTSUGI_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home")
    assert fetch.cache_folder() == Path("/home/.cache/kintsugi")
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert fetch.cache_folder() == Path("/x/kintsugi")
    monkeypatch.setenv("KINTSUGI_CACHE", "/k")
    assert fetch.cache_folder() == Path("/k") and fetch.cache_folder("/n") == Path("/n")


def test_the_manifest_that_is_shipped():
    entries = read_manifest()
    assert {"gpen_bfr_256", "ir_se50", "gfpgan_v1_4", "vgg19", "inception_fid", "lpips_alex"} <= entries.keys()
    for name, one in entries.items():
        if not one.parts:
            given = {field for field in ("size", "sha256") if getattr(one, field)}
            assert given ^ {"size", "sha256"} == set(one.unpublished), name
        assert one.licence and one.purpose, name
        assert not one.network or one.network in known_networks(), name
        assert not one.place or one.place.startswith("weights/")
        assert one.network or not one.place.endswith(".pdparams"), name
        assert not one.place or Path(one.place).suffix in (".pdparams", Path(one.file).suffix), name
        assert not one.url or one.url.startswith("https://"), name
    assert len({one.file for one in entries.values() if one.file}) == sum(bool(one.file) for one in entries.values())


@pytest.mark.parametrize(("text", "line"), [
    ("a: {licence: x, purpose: y}", r"a.*expected one of url, page and parts"),
    ("a: {licence: x, purpose: y, url: 'https://x', file: ..}", r"a.file: .*pattern"),
    *((f"a: {{licence: x, purpose: y, url: 'https://x', file: f, place: {place}}}", r"a.place: .*pattern")
      for place in ("../..", "weights/../../x", "/etc/passwd", "weights/", "weights//x", "other/x", "weights/.git")),
    ("a: {licence: x, purpose: y, url: 'ftp://x', file: f}", r"a.url: .*pattern"),
    ("a: {licence: x, purpose: y, url: 'https://x', file: ../f}", r"a.file: .*pattern"),
    ("a: {licence: x, purpose: y, url: 'https://x', file: f, sha256: abc}", r"a.sha256: .*pattern"),
    ("a: {licence: x, purpose: y, parts: [b]}", r"a.parts: no entry 'b'"),
    ("a: 3", r"a"),
])  # fmt: skip
def test_mistakes_in_a_manifest(tmp_path, text, line):
    (tmp_path / "m.yaml").write_text(text)
    with pytest.raises(ConfigError, match=rf"m.yaml.{line}"):
        read_manifest(tmp_path / "m.yaml")


def test_nothing_else_opens_connections():
    """What could open a connection is imported by the download, by the processes of one run that talk to each other
    (peers.py), by what asks for this machine's name (owner.py), by the server, which only listens (serve.py), and by
    its benchmark, which asks that server on this machine (service_benchmark.py)."""
    pattern = r"^\s*(import|from) (urllib|http|socket|ftplib|requests|aiohttp|httpx)\b"
    places = [path for path in ROOT.rglob("*.py") if path.relative_to(ROOT).parts[0] not in (".venv", "tests")]
    found = {path.name for path in places if re.search(pattern, path.read_text(encoding="utf-8"), re.MULTILINE)}
    assert found == {"download.py", "owner.py", "peers.py", "serve.py", "service_benchmark.py"}


@pytest.mark.slow
def test_in_a_process_of_its_own(published, server, tmp_path):
    command = [sys.executable, "tools/fetch_weights.py", "ir_se5"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ | {"KINTSUGI_OFFLINE": "1"})
    assert done.returncode == 2 and done.stderr.startswith("error: ir_se5: no such entry. Did you mean 'ir_se50'?")
