"""Download one file over HTTP; after an interruption it continues, or starts over.

What has arrived lies in a `.part` file; `.part.tag` beside it keeps the server's name for this version of the file
(ETag, else the date), with which the rest is asked for. A server that has another version by then sends the whole.
"""

import http.client
import re
import shutil
import ssl
import time
import urllib.error
import urllib.request
from pathlib import Path

from tqdm import tqdm

from engine.errors import InputError

ATTEMPTS, PAUSE, TIMEOUT, CHUNK = 4, 1.0, 30.0, 1 << 20
LOST = (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError, ssl.SSLError)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to https, and from http to http; to nothing else, as ftp."""

    def redirect_request(self, request, *arguments):
        follow = super().redirect_request(request, *arguments)
        if follow is not None and follow.type not in ("https", request.type):
            raise InputError(f"{request.full_url}: redirects to {follow.full_url}, which is not https")
        return follow


def download(url: str, part: Path) -> None:
    """Bring the file at `url` to the path `part`, whole.

    Raises:
        InputError: refused by the server, no room, or cut off ATTEMPTS times; what has arrived stays in `part`, and
            the same call goes on from there.
    """
    part, reason = Path(part), ""
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(PAUSE * attempt)
        try:
            return _receive(url, part)
        except urllib.error.HTTPError as error:
            if error.code < 500 and error.code != 429:
                raise InputError(f"{url}: the server answers {error.code} {error.reason}") from None
            reason = f"{error.code} {error.reason}"
        except LOST as error:
            reason = str(getattr(error, "reason", error)) or type(error).__name__
        except OSError as error:
            raise InputError(f"{part}: cannot be written ({error.strerror}); the same command resumes") from None
    have = part.stat().st_size if part.exists() else 0
    raise InputError(
        f"{url}: no complete download in {ATTEMPTS} attempts ({reason}); the same command resumes after {have:,} bytes"
    )


def _receive(url, part):
    """One attempt."""
    tag, have = _tag_file(part), part.stat().st_size if part.exists() else 0
    version = tag.read_text() if tag.exists() else ""
    request = urllib.request.Request(url, headers={"User-Agent": "kintsugi", "Accept-Encoding": "identity"})
    if have and version:
        request.headers.update({"Range": f"bytes={have}-", "If-range": version})
    try:
        response = urllib.request.build_opener(_Redirects).open(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != 416:
            raise
        part.unlink()  # longer than the server's file, or all of it without our knowing: once more from the start
        raise ConnectionError("what had arrived is not a part of the file") from None
    with response:
        starts = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
        have = have if response.status == 206 and starts and int(starts[1]) == have else 0
        if response.status == 206 and not have:
            part.unlink()
            raise ConnectionError("the server sent another part than was asked for")
        length = response.headers.get("Content-Length", "")
        total = have + int(length) if length.isdigit() else None
        _write(response, part, have, total)


def _write(response, part, have, total):
    """Append what comes to the file, or begin it, with a bar on a terminal."""
    free = shutil.disk_usage(part.parent).free
    if total is not None and total - have > free:
        raise InputError(f"{part}: cannot be written: needs {total - have:,} bytes, {free:,} are free")
    etag, date = response.headers.get("ETag", ""), response.headers.get("Last-Modified", "")
    with open(part, "ab" if have else "wb") as file:
        _tag_file(part).write_text(etag if etag and not etag.startswith("W/") else date)
        with tqdm(total=total, initial=have, unit="B", unit_scale=True, desc=part.stem, disable=None) as bar:
            while piece := response.read(CHUNK):
                file.write(piece)
                have += len(piece)
                bar.update(len(piece))
    if total is not None and have < total:
        raise ConnectionError(f"cut off after {have:,} of {total:,} bytes")


def _tag_file(part):
    return part.with_name(f"{part.name}.tag")


def finish(part: Path, path: Path) -> None:
    """Move a complete file into place, atomically."""
    part.replace(path)
    _tag_file(part).unlink(missing_ok=True)


def discard(part: Path) -> None:
    """Remove what arrived, so that the next call starts over."""
    part.unlink(missing_ok=True)
    _tag_file(part).unlink(missing_ok=True)
