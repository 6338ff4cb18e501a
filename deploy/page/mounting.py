"""The page as a part of the service's application: it asks nothing of other machines and keeps no files."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI

MEMORY = Path("/dev/shm")  # files of this folder are never on a disk
POLICY = "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:"


@contextmanager
def mounted(app: FastAPI, data: str | Path | None = None) -> Iterator[Callable[[], None]]:
    """Add the page at / to the application of deploy.service, as long as the block runs.

    Args:
        app: its state holds the service.
        data: folder of the data set viewer; nothing outside can be seen.

    Yields:
        what ends the connections that open pages hold, so that a server need not wait for them.

    Raises:
        InputError: `data` is no folder. ImportError: gradio is not installed.
    """
    folder = Path(tempfile.mkdtemp(prefix="kintsugi-page-", dir=MEMORY if MEMORY.is_dir() else None))
    before = {name: os.environ.get(name) for name in ("GRADIO_TEMP_DIR", "GRADIO_ANALYTICS_ENABLED")}
    os.environ |= {"GRADIO_TEMP_DIR": str(folder), "GRADIO_ANALYTICS_ENABLED": "False"}  # gradio reads them once
    try:
        yield _with_page(app, folder, data)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        for name, value in before.items():
            os.environ.pop(name, None)
            os.environ |= {name: value} if value is not None else {}


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
        mcp_server=False,
        enable_monitoring=False,
        **options,
    )
    app.add_middleware(_Policy)
    (page,) = (route.app for route in app.routes if isinstance(getattr(route, "app", None), gr.routes.App))
    return page.stop_event.set


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
