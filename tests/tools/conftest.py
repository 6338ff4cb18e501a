"""The server that weights are fetched from."""

import threading
from http.server import ThreadingHTTPServer

import numpy as np
import pytest

from engine.weights import download
from tests.tools.weights_server import Server


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
