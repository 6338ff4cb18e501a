"""The service at its limits and at its end: clients at once, a full queue, too many requests, SIGTERM."""

import base64
import json
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from deploy.session import Session
from tests.deploy.contracts import Changed
from tests.script_calls import call
from tests.service_calls import ask, photo_of_three, serving

httpx = pytest.importorskip("httpx", reason="httpx (requirements-dev.txt) is absent")
pytest.importorskip("fastapi", reason="fastapi (requirements-web.txt) is absent")
from deploy.served import Busy, Models, Served  # noqa: E402


@pytest.fixture(scope="module")
def models(lite_models):
    """Folders of exported models by name."""
    return lite_models


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    """A file with a photo of three faces."""
    return photo_of_three(tmp_path_factory.mktemp("photo") / "photo.png")


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    """Requests to this machine go to this machine."""
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.mark.slow
def test_without_batches_every_answer_under_load_is_inferences_to_the_byte(models, photo, tmp_path):
    words = ["--batch_size=1", "-i", photo, "-o", tmp_path]
    assert call("infer", "--model_dir", models["gpen"], *words).returncode == 0
    wanted, content = (tmp_path / "photo_predict.png").read_bytes(), photo.read_bytes()
    with serving({"gpen": models["gpen"]}, tmp_path / "log", "--batch=1", "--page=False") as (address, _):
        with ThreadPoolExecutor(8) as clients:
            answers = list(clients.map(lambda _: ask((address,), "/v1/restore", image=content), range(24)))
    assert [answer.content == wanted for answer in answers] == 24 * [True]


@pytest.mark.slow
def test_sigterm_finishes_what_it_has_begun_and_tokens_are_asked_for(models, photo, tmp_path):
    with serving({"gpen": models["gpen"]}, tmp_path / "log", "--token=secret") as (address, child):
        assert httpx.get(f"{address}/v2/health/live").status_code == 200
        files = {"image": ("a.png", photo.read_bytes())}
        assert httpx.post(f"{address}/v1/restore", files=files).status_code == 401
        body = json.dumps({"image": base64.b64encode(photo.read_bytes()).decode()}).encode()
        lines = [
            "POST /v1/restore HTTP/1.1",
            "Host: x",
            "Content-Type: application/json",
            "Authorization: Bearer secret",
        ]
        head = "\r\n".join([*lines, f"Content-Length: {len(body)}", "Connection: close", "", ""]).encode()
        host, port = address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=120) as begun:
            begun.sendall(head + body[:9])
            assert httpx.get(f"{address}/v2/health/live").status_code == 200  # so what came before has been read
            child.send_signal(signal.SIGTERM)
            begun.sendall(body[9:])
            answer = b""
            while part := begun.recv(65536):
                answer += part
        assert answer.startswith(b"HTTP/1.1 200") and b"\x89PNG" in answer
        assert child.wait(timeout=120) == 0
    assert "Traceback" not in (tmp_path / "log").read_text()


@pytest.mark.slow
def test_more_requests_than_may_be_at_work_are_sent_away(models, photo, tmp_path):
    with serving({"gpen": models["gpen"]}, tmp_path / "log", "--max_requests=1") as (address, _):
        host, port = address.removeprefix("http://").split(":")
        files = {"image": ("a.png", photo.read_bytes())}
        assert httpx.post(f"{address}/v1/restore", files=files, timeout=120).status_code == 200
        with socket.create_connection((host, int(port))) as connection:  # a client that does not end its request
            head = (
                b"POST /v1/restore HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n["
            )
            connection.sendall(head)
            end, answer = time.monotonic() + 60, None
            while (answer is None or answer.status_code != 503) and time.monotonic() < end:
                answer = httpx.post(f"{address}/v1/restore", files=files, timeout=120)
            assert answer.status_code == 503 and answer.headers["retry-after"] == "1"
            assert httpx.get(f"{address}/v2/health/live").status_code == 200


def test_a_full_queue_a_late_answer_and_a_fault_of_one_client():
    gate, entered = threading.Event(), threading.Event()

    def slow(crops):
        entered.set()
        gate.wait(30)
        return crops

    served = Served("toy", Changed(8, slow), places=1)
    one = [served.session.prepared({"image": np.zeros((8, 8, 3), np.float32)})]
    with pytest.raises(TimeoutError):
        served.run(one, 0.2)  # the worker holds it
    assert entered.wait(30)
    with pytest.raises(TimeoutError):
        served.run(one, 0.2)  # it waits
    with pytest.raises(Busy):
        served.run(one, 0.2)
    gate.set()
    served.end()
    Models([served]).end()
    faulty = Served("toy", Changed(8, lambda crops: [crop / (crop.mean() > 0.5) for crop in crops]), places=9)
    good = [faulty.session.prepared({"image": np.ones((8, 8, 3), np.float32)})]
    bad = [faulty.session.prepared({"image": np.zeros((8, 8, 3), np.float32)})]
    with ThreadPoolExecutor(2) as clients, np.errstate(all="ignore"):
        first, second = clients.submit(faulty.run, bad, 30), clients.submit(faulty.run, good, 30)
        assert np.allclose(second.result()[0]["restored"], 1)
        assert "finite" in str(first.exception())
    faulty.end()
    assert isinstance(faulty.session, Session)
