"""The service on two nodes of Ray, both on loopback, and what becomes of it when one is killed."""

import io
import itertools
import re
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import paddle
import pytest
from paddle import nn
from PIL import Image

from data_loader.drawn_faces.rendering import render
from deploy.export import describe, save, write_contract
from engine import images
from engine.system import Exported, Port
from tests.ray_nodes import environment, free_port, two_nodes
from tests.script_calls import ROOT, command

httpx = pytest.importorskip("httpx", reason="httpx (requirements-dev.txt) is absent")
pytest.importorskip("ray", reason="ray (requirements-serve.txt) is absent")
ROUTE = "/v1/restore?aligned=true"
AFTER = 120  # requests after a node's death


def answers(port, seconds=120):
    """Wait until something listens at a port of this machine."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError(f"nothing listens at port {port}")


class Clients:
    """Restores one photo again and again, at either front in turn; a front that is gone is asked no more."""

    def __init__(self, fronts, content, wanted):
        self.fronts, self.content, self.wanted = list(fronts), content, wanted
        self.turns, self.failed = itertools.count(), []

    def ask(self, _=None):
        """Whether the photo came back; another front is asked only where there is no connection to this one."""
        files = {"image": ("a.png", self.content)}
        for front in [self.fronts[next(self.turns) % len(self.fronts)], *self.fronts]:
            try:
                answer = httpx.post(f"{front}{ROUTE}", files=files, timeout=60)
            except httpx.TransportError:
                continue
            if answer.content != self.wanted:
                self.failed.append((answer.status_code, answer.text[:200]))
            return answer.content == self.wanted
        self.failed.append("no front")
        return False


class Soft(nn.Layer):
    """Blurs a picture with drawn weights."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2D(3, 3, 5, padding=2)

    def forward(self, image):
        """[N, 3, S, S] to the same."""
        return nn.functional.sigmoid(self.conv(image))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The folder of an exported model that is quick."""
    paddle.seed(5)
    base = tmp_path_factory.mktemp("soft") / "inference"
    exported = Exported(Soft(), [Port("image", (-1, 3, 64, 64))], [Port("restored", (-1, 3, 64, 64))])
    save(exported, base, legacy=False)
    write_contract(base, describe(exported, base))
    return base.parent


@pytest.fixture(scope="module")
def photo():
    """The bytes of a picture of one face."""
    stream = io.BytesIO()
    Image.fromarray(images.to_uint8(render(0, 0, 64).image)).save(stream, "PNG")
    return stream.getvalue()


def of_plain_service(model, photo, environ):
    """What serve.py answers."""
    line = command("serve", f"--model=soft={model}", "--port=0", "--batch=1")
    with subprocess.Popen(line, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True) as child:
        try:
            address = re.search(r"http://\S+", child.stdout.readline())[0]
            return httpx.post(f"{address}{ROUTE}", files={"image": ("a.png", photo)}, timeout=60).content
        finally:
            child.terminate()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_answers_are_the_plain_services_and_outlive_a_node(model, photo, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    environ, front, second = environment(), free_port(), free_port()
    wanted = of_plain_service(model, photo, environ)
    with two_nodes(environ, RAY_SERVE_WORKER_PROXY_HTTP_PORT=str(second)) as (address, dying):
        words = [f"--address={address}", f"--model=soft={model}", f"--port={front}", "--batch=1"]
        begun = subprocess.run(command("tools/ray_serve", *words), cwd=ROOT, env=environ, timeout=400,
                               capture_output=True, text=True)  # fmt: skip
        assert begun.returncode == 0 and "2 replicas" in begun.stdout, begun.stderr
        answers(second)
        outlive(Clients([f"http://127.0.0.1:{port}" for port in (front, second)], photo, wanted), dying)


def outlive(clients, dying):
    """Load on both fronts; the node dies in the middle of it."""
    assert all(clients.ask() for _ in range(4)), clients.failed
    killed = threading.Event()

    def load(_):
        while not killed.is_set():
            clients.ask()

    with ThreadPoolExecutor(8) as pool:
        for number in range(4):
            pool.submit(load, number)
        time.sleep(2)
        dying.kill()
        killed.set()
        print(f"lost in the moment of the death: {clients.failed}")
        clients.failed.clear()
        assert all(pool.map(clients.ask, range(AFTER))), clients.failed
