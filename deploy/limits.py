"""Limits of the service, and the layer that checks bodies and tokens before anything is read."""

import asyncio
import base64
import hmac
import json
import time
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

from anyio import to_thread

Answer = TypeVar("Answer")
OPEN = ("/v2/health/", "/docs", "/openapi.json")  # answered without a token
TIMED = ("/v1/", "/v2/")  # a page's requests begin work that outlives them
_BEGAN: ContextVar[float] = ContextVar("began")  # when the request that is at work came in, time.monotonic()


@dataclass(frozen=True)
class Limits:
    """Limits of a request's size and time.

    Attributes:
        body: bytes of a request.
        pixels: of a picture.
        seconds: from the first byte to the answer.
        requests: at work at one time; further ones are sent away. Fewer than the 40 threads that do the work.
        token: what "Authorization: Bearer" has to say; "": nothing.
        batch: pictures of several requests that share a run; with 1 the bytes of an answer do not depend on others.
    """

    body: int = 20_000_000
    pixels: int = 50_000_000
    seconds: float = 60.0
    requests: int = 32
    token: str = ""
    batch: int = 8


def left(seconds: float) -> float:
    """Seconds that a request has left; all of them outside a request."""
    began = _BEGAN.get(None)
    return seconds if began is None else began + seconds - time.monotonic()


async def in_time(work: Callable[[], Answer], seconds: float) -> Answer:
    """What a function returns in a thread of its own. TimeoutError: not in the time that the request has left."""
    with suppress(TimeoutError):
        async with asyncio.timeout(left(seconds)):
            return await to_thread.run_sync(work, abandon_on_cancel=True)
    raise TimeoutError(f"no answer within {seconds} s")


def limited(app: Any, limits: Limits) -> Any:
    """The application `app` with a layer that answers 401, 408 and 413 by itself; `app` is given back."""
    app.add_middleware(_Layer, limits=limits)
    return app


class _Layer:
    """ASGI: counts the bytes of a body and its time as they come."""

    def __init__(self, app, limits):
        self.app, self.limits, self.running = app, limits, 0

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        if not self._is_allowed(scope["path"], headers):
            said = "the token is missing or wrong; expected Authorization: Bearer TOKEN"
            await _answer(send, 401, said, (b"www-authenticate", b'Basic realm="Kintsugi: the token as password"'))
            return
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > self.limits.body:
            await _answer(send, 413, self._too_large())
            return
        if scope["method"] == "POST" and self.running >= self.limits.requests:
            await _answer(send, 503, f"{self.running} requests are at work", (b"retry-after", b"1"))
            return
        is_work = scope["method"] == "POST"  # a page that is open holds a GET for as long
        self.running += is_work
        try:
            await self._counted(scope, receive, send)
        finally:
            self.running -= is_work

    async def _counted(self, scope, receive, send):
        """Run the application; a body that grows too large or does not come is answered here."""
        taken, is_answered, is_over, has_body = 0, False, False, False
        end = asyncio.get_running_loop().time() + self.limits.seconds
        if scope["path"].startswith(TIMED):
            _BEGAN.set(time.monotonic())

        async def refused(status, error):
            nonlocal is_over
            if not (is_answered or is_over):
                await _answer(send, status, error)
            is_over = True
            return {"type": "http.disconnect"}

        async def counted():
            nonlocal taken, is_over, has_body
            try:  # after the body the application waits here for as long as its client stays
                async with asyncio.timeout_at(None if has_body else end):
                    message = await receive()
            except TimeoutError:
                return await refused(408, f"the body did not come within {self.limits.seconds} s")
            taken += len(message.get("body", b""))
            has_body = not message.get("more_body", False)
            is_over = is_over or message["type"] == "http.disconnect"
            return message if taken <= self.limits.body else await refused(413, self._too_large())

        async def noted(message):
            nonlocal is_answered
            if not is_over:
                is_answered = True
                await send(message)

        try:
            await self.app(scope, counted, noted)
        except Exception:
            if not is_over:  # otherwise the application has been told that its client is gone
                raise

    def _too_large(self):
        return f"the body has more than {self.limits.body} bytes"

    def _is_allowed(self, path, headers):
        if not self.limits.token or path.startswith(OPEN):
            return True
        scheme, _, given = headers.get(b"authorization", b"").partition(b" ")
        scheme = scheme.lower()
        if scheme == b"basic":  # a browser that was asked for a password: any name, and the token
            with suppress(ValueError):
                given = base64.b64decode(given).partition(b":")[2]
        return scheme in (b"basic", b"bearer") and hmac.compare_digest(given, self.limits.token.encode())


async def _answer(send, status, error, *more):
    body = json.dumps({"error": error}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *more]
    await send({"type": "http.response.start", "status": status, "headers": [*headers, (b"connection", b"close")]})
    await send({"type": "http.response.body", "body": body})
