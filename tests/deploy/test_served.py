"""The service in this process, on toy graphs: what is batched, what is given up, what is open."""

import asyncio
import base64
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import numpy as np
import pytest

from deploy import limits
from deploy.limits import Limits
from engine.system import Port
from tests.deploy.contracts import Changed, contract, image

pytest.importorskip("fastapi", reason="fastapi (requirements-web.txt) is absent")
pytest.importorskip("httpx", reason="httpx (requirements-dev.txt) is absent")
from fastapi.testclient import TestClient

from deploy.exchange import FACE
from deploy.served import Models, Served
from deploy.service import make_app


class Gated(Changed):
    """Adds 0.25; waits for `gate` in every run, and says in `runs` how many pictures each had."""

    def __init__(self):
        super().__init__(2, lambda crops: crops + 0.25)
        self.gate, self.entered, self.runs = threading.Event(), threading.Event(), []

    def run(self, arrays):
        self.runs.append(len(arrays["image"]))
        self.entered.set()
        assert self.gate.wait(30)
        return super().run(arrays)


class Two:
    """A graph of two inputs."""

    contract = contract(image(2, 2), Port("vector", (-1, 3), "vector"), outputs=(image(2, 2, name="restored"),))

    def run(self, arrays):
        return {"restored": arrays["image"]}


@pytest.fixture
def gated():
    graph = Gated()
    models = Models([Served("toy", graph, places=9)])
    yield graph, models
    graph.gate.set()
    models.end()


def asking(value, count=1, **other):
    shape = [count, 3, 2, 2]
    return {"inputs": [{"name": "image", "datatype": "FP32", "shape": shape, "data": [value] * 12 * count} | other]}


def test_work_that_is_too_late_is_not_done(gated):
    graph, models = gated
    served = models.get("toy")
    one = [served.session.prepared({"image": np.zeros((2, 2, 3), np.float32)})]
    for _ in range(2):
        with pytest.raises(TimeoutError):
            served.run(one, 0.2)
        assert graph.entered.wait(30)  # the first is at work, the second waits
    graph.gate.set()
    served.run(one, 30)
    assert graph.runs == [1, 1]


def test_tensors_of_several_clients_share_a_run_and_have_their_time(gated):
    graph, models = gated
    with TestClient(make_app(models, Limits(seconds=20))) as client, ThreadPoolExecutor(3) as clients:
        url = "/v2/models/toy/infer"
        first = clients.submit(client.post, url, json=asking(0.5))
        assert graph.entered.wait(30)
        others = [clients.submit(client.post, url, json=asking(value, 2)) for value in (0.125, 0.625)]
        end = time.monotonic() + 20
        while models.get("toy").waiting.qsize() < 2 and time.monotonic() < end:
            time.sleep(0.01)
        graph.gate.set()
        found = [one.result(30).json()["outputs"][0] for one in (first, *others)]
    assert [one["data"][0] for one in found] == [0.75, 0.375, 0.875]
    assert [one["shape"][0] for one in found] == [1, 2, 2] and graph.runs == [1, 4]


def test_tensors_that_take_too_long_are_504(gated):
    with TestClient(make_app(gated[1], Limits(seconds=0.3))) as client:
        assert client.post("/v2/models/toy/infer", json=asking(0.5)).status_code == 504


def test_faces_that_take_too_long_to_find_are_504(gated):
    """Whatever the time goes into: what the detector does is no work of a model's queue."""
    ended, app = threading.Event(), make_app(gated[1], Limits(seconds=0.3))
    app.state.service.finder = mock.Mock(find=lambda pixels: ended.wait(20) and [])
    with TestClient(app) as client:
        began = time.monotonic()
        answer = client.post("/v1/detect", files={"image": base64.b64decode(FACE)})
        assert (answer.status_code, answer.json()) == (504, {"error": "no answer within 0.3 s"})
        assert time.monotonic() - began < 10
        ended.set()


def test_tensors_of_two_batch_sizes_and_results_that_are_no_numbers_are_422(gated):
    models = Models([Served("two", Two(), places=9), *gated[1].served.values()])
    gated[0].change = lambda crops: crops * np.inf
    gated[0].gate.set()
    with TestClient(make_app(models)) as client:
        body = asking(0.5, 2)
        body["inputs"].append({"name": "vector", "datatype": "FP32", "shape": [1, 3], "data": [0, 0, 0]})
        answer = client.post("/v2/models/two/infer", json=body)
        assert (answer.status_code, "one batch size" in answer.json()["error"]) == (422, True)
        answer = client.post("/v2/models/toy/infer", json=asking(0.5))
        assert (answer.status_code, "finite" in answer.json()["error"]) == (422, True)
    models.get("two").end()


def asgi(app, delays, body):
    """(status, seconds) of a request whose body comes in parts after some delays; the last part of them never."""
    answered = []

    async def main():
        parts = iter(zip(delays, body, strict=True))

        async def receive():
            delay, part = next(parts, (60, b""))
            await asyncio.sleep(delay)
            return {"type": "http.request", "body": part, "more_body": True}

        async def send(message):
            answered.append(message)

        headers = [(b"content-type", b"application/json")]
        scope = {"type": "http",
                 "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "headers": headers,
                 "path": "/v2/models/toy/infer", "raw_path": b"", "query_string": b"", "root_path": "",
                 "scheme": "http", "client": ("x", 1), "server": ("x", 1)}  # fmt: skip
        await app(scope, receive, send)

    began = time.monotonic()
    asyncio.run(main())
    return answered[0]["status"], time.monotonic() - began


def test_a_body_that_does_not_come_is_408(gated):
    """Parts that come now and then do not buy a client more time."""
    app = make_app(gated[1], Limits(seconds=0.5))
    status, seconds = asgi(app, [0, 0.2, 0.2], [b"{", b" ", b" "])
    assert status == 408 and 0.4 < seconds < 5


def test_time_runs_from_the_first_byte_on(gated):
    app, text = make_app(gated[1], Limits(seconds=1.0)), json.dumps(asking(0.5)).encode()

    async def late(scope, receive, send):
        async def waiting():
            await asyncio.sleep(0.7)
            return {"type": "http.request", "body": text, "more_body": False}

        await app(scope, waiting, send)

    status, seconds = asgi(late, [], [])
    assert status == 504 and seconds < 1.6
    assert limits.left(3) == 3  # outside a request


def test_a_token_is_described_and_the_description_is_open(gated):
    with TestClient(make_app(gated[1], Limits(token="secret"))) as client:
        assert client.get("/docs").status_code == client.get("/docs/files/swagger-ui.css").status_code == 200
        described = client.get("/openapi.json").json()
        assert described["components"]["securitySchemes"] == {"HTTPBearer": {"type": "http", "scheme": "bearer"}}
        assert described["paths"]["/v1/restore"]["post"]["security"] == [{"HTTPBearer": []}]
        assert client.get("/metrics").status_code == 401
        assert client.get("/metrics", headers={"Authorization": "Bearer secret"}).status_code == 200
    with TestClient(make_app(gated[1])) as client:
        assert "securitySchemes" not in client.get("/openapi.json").json().get("components", {})
