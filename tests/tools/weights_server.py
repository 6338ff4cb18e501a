"""A server on this machine that cuts, redirects, refuses, changes and lies, and entries of a manifest for it."""

import hashlib
from http.server import BaseHTTPRequestHandler

from engine.weights import fetch
from engine.weights.manifest import Entry


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
