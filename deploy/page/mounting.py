"""Mount the page on the service's application. The page loads nothing from other machines and keeps no files."""

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.routing import Match, Mount

from deploy.limits import TIMED
from deploy.page.data_set import DataSet

PREFIX, LOCK = "kintsugi-page-", "lock"
KEPT, SWEPT = 1800, 60  # seconds: files of this age are removed, and looked for this often
MEMORY = Path("/dev/shm")  # files of this folder are never on a disk
CSS = (
    "#data-gallery .grid-container {grid-template-columns: repeat(auto-fill, minmax(min(150px, 45%), 1fr)) !important}"
)
POLICY = "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:"


@contextmanager
def mounted(app: FastAPI, data: DataSet | None = None) -> Iterator[Callable[[], None]]:
    """Add the page at / to the application of deploy.service, as long as the block runs.

    Args:
        app: its state holds the service.
        data: what the viewer shows; nothing else can be seen.

    Yields:
        what ends the connections that open pages hold, so that a server need not wait for them.

    Raises:
        ImportError: gradio is not installed.
    """
    with _own_folder(MEMORY if MEMORY.is_dir() else Path(tempfile.gettempdir())) as folder:
        before = {name: os.environ.get(name) for name in ("GRADIO_TEMP_DIR", "GRADIO_ANALYTICS_ENABLED")}
        os.environ |= {"GRADIO_TEMP_DIR": str(folder), "GRADIO_ANALYTICS_ENABLED": "False"}  # gradio reads them once
        try:
            yield _with_page(app, folder, data)
        finally:
            for name, value in before.items():
                os.environ.pop(name, None)
                os.environ |= {name: value} if value is not None else {}


@contextmanager
def _own_folder(place):
    """A folder for files on their way, as long as the block runs; those of servers that were killed are removed."""
    for old in place.glob(f"{PREFIX}*"):
        with suppress(OSError), _locked(old):  # a server that lives holds its lock
            shutil.rmtree(old, ignore_errors=True)
    folder, ended = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place)), threading.Event()

    def sweeping():
        while not ended.wait(SWEPT):
            sweep(folder)

    try:
        with _locked(folder):
            threading.Thread(target=sweeping, daemon=True).start()
            yield folder
    finally:
        ended.set()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _locked(folder):
    """Hold the lock of a folder. OSError: another process does, or there is none to hold."""
    try:
        import fcntl
    except ImportError:  # not on Windows, where nothing is removed then
        if (folder / LOCK).exists():
            raise OSError from None
        fcntl = None  # type: ignore[assignment]
    with open(folder / LOCK, "a") as lock:
        if fcntl:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def sweep(folder: Path, seconds: float = KEPT) -> None:
    """Remove what below a folder was written longer ago than this: files, and folders that are empty."""
    for path in sorted(folder.rglob("*"), reverse=True):  # what stands in a folder comes before it
        with suppress(OSError):  # gone meanwhile, or a folder that is not empty
            if path.name != LOCK and time.time() - path.stat().st_mtime > seconds:
                path.rmdir() if path.is_dir() else path.unlink()


def _with_page(app, folder, data):
    import gradio as gr

    from deploy.page.blocks import make_blocks

    service = app.state.service
    blocks = make_blocks(service, folder, data)
    blocks.queue(max_size=service.limits.requests, default_concurrency_limit=4)
    font = ["system-ui", "Noto Sans CJK SC", "Microsoft YaHei", "sans-serif"]
    options: dict[str, Any] = {"footer_links": [], "run_history": False, "ssr_mode": False, "pwa": False}
    gr.mount_gradio_app(
        app,
        blocks,
        "/",
        max_file_size=service.limits.body,
        theme=gr.themes.Default(font=font, font_mono=["ui-monospace", "monospace"]),
        css=CSS,
        mcp_server=False,
        enable_monitoring=False,
        **options,
    )
    app.add_middleware(_Policy)
    (at,) = (i for i, one in enumerate(app.routes) if isinstance(getattr(one, "app", None), gr.routes.App))
    app.router.routes[at] = _Elsewhere("/", app=(page := app.routes[at].app))
    return page.stop_event.set


class _Elsewhere(Mount):
    """Every address but the service's own: a wrong method or name there is the service's to answer."""

    def matches(self, scope):
        return (Match.NONE, {}) if scope["path"].startswith(TIMED) else super().matches(scope)


class _Policy:
    """ASGI: a browser that got the page asks no other machine, whatever gradio's files name."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        async def noted(message):
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"content-security-policy", POLICY.encode())]
            await send(message)

        await self.app(scope, receive, noted if scope["type"] == "http" else send)
