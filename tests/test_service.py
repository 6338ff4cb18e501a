"""The HTTP service as its clients meet it: a real server on loopback, good, broken and hostile requests.

KINTSUGI_REQUESTS is the length of the load; the default keeps the suite short.
"""

import base64
import io
import json
import os
import random
import re
import socket
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from data_loader.group_photo import group_photo
from tests.script_calls import call
from tests.service_calls import ask, decoded, photo_of_three, serving

httpx = pytest.importorskip("httpx", reason="httpx (requirements-dev.txt) is absent")
pytest.importorskip("fastapi", reason="fastapi (requirements-web.txt) is absent")

REQUESTS = int(os.environ.get("KINTSUGI_REQUESTS", "120"))


@pytest.fixture(scope="module")
def models(lite_models):
    """Folders of exported models by name."""
    return lite_models


@pytest.fixture(scope="module")
def server(models, tmp_path_factory):
    log = tmp_path_factory.mktemp("log") / "serve.log"
    with serving(models, log, "--max_body=3000000", "--max_pixels=4000000") as (address, child):
        yield address, child.pid
    assert "Traceback" not in log.read_text()


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    """A file with a photo of three faces."""
    return photo_of_three(tmp_path_factory.mktemp("photo") / "photo.png")


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    """Requests to this machine go to this machine."""
    monkeypatch.setenv("NO_PROXY", "*")


def faces_counted(server):
    return float(re.search(r"kintsugi_faces_total (\d\S*)", httpx.get(f"{server[0]}/metrics").text)[1])


@pytest.mark.slow
def test_restored_photos_are_what_infer_writes(server, models, photo, tmp_path):
    for words, query in (
        ([], ""),
        (["-s", "2", "--strength=0.5"], "?scale=2&strength=0.5"),
        (["--aligned"], "?aligned=1"),
    ):
        words = ["--batch_size=8", "-i", photo, "-o", tmp_path, *words]  # the faces of a photo share a run here too
        assert call("infer", "--model_dir", models["gpen"], *words).returncode == 0
        answer = ask(server, f"/v1/restore{query}", image=photo.read_bytes())
        assert answer.status_code == 200 and answer.headers["content-type"] == "image/png"
        assert answer.content == (tmp_path / "photo_predict.png").read_bytes()
    body = {"image": base64.b64encode(photo.read_bytes()).decode()}
    answer = httpx.post(f"{server[0]}/v1/restore", json=body, headers={"Accept": "application/json"}, timeout=120)
    assert len(answer.json()["faces"]) == 3
    found = base64.b64decode(answer.json()["image"])
    assert found == ask(server, "/v1/restore", image=photo.read_bytes()).content


@pytest.mark.slow
def test_holes_caricatures_persons_and_faces(server, photo):
    content = photo.read_bytes()
    hole = np.zeros((240, 320), np.uint8)
    hole[100:140, 100:160] = 255
    mask = io.BytesIO()
    Image.fromarray(hole).save(mask, "PNG")
    filled = decoded(ask(server, "/v1/inpaint", image=content, mask=mask.getvalue()).content)
    changed = (filled != decoded(content)).any(axis=2)
    assert changed[100:140, 100:160].mean() > 0.9 and not changed[hole == 0].any()
    before = faces_counted(server)
    covered = ask(server, "/v1/inpaint", image=content)
    assert faces_counted(server) == before + 3
    assert covered.headers["x-faces"] == "3" and (decoded(covered.content) != decoded(content)).any()
    drawn = [ask(server, f"/v1/translate?to=caricature&seed={seed}", image=content) for seed in (1, 1, 2)]
    assert decoded(drawn[0].content).shape == (56, 48, 3)
    assert drawn[0].content == drawn[1].content != drawn[2].content
    assert faces_counted(server) == before + 3 + 3 * 3
    styled = ask(server, "/v1/translate?to=caricature", image=content, style=content)
    assert styled.status_code == 200 and styled.content != drawn[0].content
    assert decoded(ask(server, "/v1/translate?to=photo&paste=true", image=content).content).shape == (240, 320, 3)
    same = ask(server, "/v1/verify", image=content, second=content).json()
    assert same["same"] and same["cosine"] == pytest.approx(1, abs=1e-4) and same["threshold"] == 0.479
    faces = ask(server, "/v1/detect?faces=0,2", image=content).json()["faces"]
    points = group_photo(240, 320)[1]
    assert [len(face["points"]) for face in faces] == [5, 5]
    assert np.abs(np.array(faces[0]["points"]) - points[np.argmin(points[:, 0, 0])]).max() < 25


@pytest.mark.slow
def test_open_inference_protocol(server, models):
    from deploy.predictor import Predictor

    array = np.random.default_rng(0).random((2, 3, 64, 64), np.float32)
    wanted = Predictor(models["gpen"]).run({"image": array})["restored"]
    entry = {"name": "image", "shape": [2, 3, 64, 64], "datatype": "FP32"}
    url = f"{server[0]}/v2/models/gpen/infer"
    plain = httpx.post(url, json={"inputs": [entry | {"data": array.ravel().tolist()}]}, timeout=60).json()
    assert plain["outputs"][0]["shape"] == [2, 3, 64, 64]
    np.testing.assert_allclose(np.reshape(plain["outputs"][0]["data"], array.shape), wanted, atol=1e-6)
    entry["parameters"] = {"binary_data_size": array.nbytes}
    head = json.dumps({"inputs": [entry], "parameters": {"binary_data_output": True}}).encode()
    answer = httpx.post(url, content=head + array.tobytes(), timeout=60,
                        headers={"Inference-Header-Content-Length": str(len(head))})  # fmt: skip
    size = int(answer.headers["inference-header-content-length"])
    found = np.frombuffer(answer.content[size:], "<f4").reshape(array.shape)
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    assert httpx.get(f"{server[0]}/v2/health/live").json() == {"live": True}
    ports = httpx.get(f"{server[0]}/v2/models/gpen").json()["inputs"]
    assert ports == [{"name": "image", "datatype": "FP32", "shape": [-1, 3, 64, 64]}]
    for body in ({}, {"inputs": [entry | {"shape": [1, 3, 9, 9]}]}, {"inputs": [entry | {"datatype": "FP64"}]}, [1]):
        assert httpx.post(url, json=body).status_code == 422


def bad_requests(content):
    """(what, status, keyword arguments of httpx.post, route)."""
    bomb = io.BytesIO()
    Image.new("1", (60000, 60000)).save(bomb, "PNG")
    part = {"image": ("../../etc/passwd", b"root:x:0")}
    return [
        ("no picture", 422, {"files": {"image": ("a.png", b"\x89PNG\r\n\x1a\n")}}, "/v1/restore"),
        ("a hostile name", 422, {"files": part}, "/v1/restore"),
        ("a bomb", 413, {"files": {"image": ("a.png", bomb.getvalue())}}, "/v1/restore"),
        ("too many pixels", 413, {"files": {"image": ("a.png", bomb.getvalue())}}, "/v1/detect"),
        (
            "a large body",
            413,
            {"content": b"x" * 3_100_000, "headers": {"content-type": "application/json"}},
            "/v1/restore",
        ),
        ("an address", 422, {"json": {"image": "http://169.254.169.254/latest"}}, "/v1/restore"),
        ("a file", 422, {"json": {"image": "file:///etc/passwd"}}, "/v1/restore"),
        ("no part", 422, {"files": {"other": ("a.png", content)}}, "/v1/restore"),
        ("other type", 415, {"content": content, "headers": {"content-type": "image/png"}}, "/v1/restore"),
        ("no type", 415, {"content": b""}, "/v1/restore"),
        ("not JSON", 422, {"content": b"[" * 9000, "headers": {"content-type": "application/json"}}, "/v1/restore"),
        ("strength", 422, {"files": {"image": ("a.png", content)}}, "/v1/restore?strength=2"),
        ("no model", 404, {"files": {"image": ("a.png", content)}}, "/v1/restore?model=none"),
        ("another model", 422, {"files": {"image": ("a.png", content)}}, "/v1/restore?model=satnet"),
        ("no such target", 422, {"files": {"image": ("a.png", content)}}, "/v1/translate?to=painting"),
        ("no second", 422, {"files": {"image": ("a.png", content)}}, "/v1/verify"),
        ("another version", 404, {"json": {}}, "/v2/models/gpen/versions/2/infer"),
        ("another method", 405, {"json": {}}, "/v2/models/gpen"),
        ("no such route", 404, {"json": {}}, "/v1/restored"),
        ("no route", 404, {"files": {"image": ("a.png", content)}}, "/v1/../etc/passwd"),
        ("broken form", 422, {"content": b"--x", "headers": {"content-type": "multipart/form-data"}}, "/v1/restore"),
    ]


@pytest.mark.slow
def test_a_load_of_good_broken_and_hostile_requests(server, photo):
    """Every good one gets the same picture, every bad one its status; memory stays; a cut connection hurts nobody."""
    content, draw = photo.read_bytes(), random.Random(0)
    wanted, bad = ask(server, "/v1/restore", image=content).content, bad_requests(content)

    def memory():
        with open(f"/proc/{server[1]}/status") as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read())[1])

    def chunked():
        for _ in range(40):
            yield b"x" * 100_000

    def one(kind):
        if kind == "good":
            found = decoded(ask(server, "/v1/restore", image=content).content).astype(int)
            difference = np.abs(found - decoded(wanted))  # a batch of several rounds its sums in another order
            assert difference.max() <= 1 and (difference > 0).mean() < 0.005
        elif kind == "cut":
            host, port = server[0].removeprefix("http://").split(":")
            with socket.create_connection((host, int(port))) as connection:
                connection.sendall(b"POST /v1/restore HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\n"
                                   b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n")  # fmt: skip
        elif kind == "chunked":
            try:
                headers = {"content-type": "application/json"}
                answer = httpx.post(f"{server[0]}/v1/restore", content=chunked(), headers=headers, timeout=60)
                assert answer.status_code == 413
            except httpx.WriteError:
                pass  # the server has answered and closed
        else:
            what, status, words, route = bad[kind]
            answer = httpx.post(f"{server[0]}{route}", timeout=60, **words)
            assert answer.status_code == status, (what, answer.status_code, answer.text[:300])
            assert len(answer.text) < 2000 and "Traceback" not in answer.text
            assert not route.startswith(("/v1/r", "/v2/")) or list(answer.json()) == ["error"], (what, answer.text)

    kinds = [*range(len(bad)), "chunked", "cut"]
    for kind in kinds:
        one(kind)
    taken = []
    for _ in range(2):  # the first half fills the threads' pools
        with ThreadPoolExecutor(16) as clients:
            list(clients.map(one, [draw.choice(["good", "good", *kinds]) for _ in range(REQUESTS // 2)]))
        taken.append(memory())
    print(f"memory {taken} KiB")
    assert taken[1] - taken[0] < 200_000, taken
    text = httpx.get(f"{server[0]}/metrics").text
    assert 'kintsugi_requests_total{route="/v1/restore",status="200"}' in text and "kintsugi_queue" in text


@pytest.mark.slow
def test_description_asks_nothing_of_others(server):
    page = httpx.get(f"{server[0]}/docs").text
    assert not re.findall(r"(?:src|href)=\"https?://", page)
    for name in re.findall(r"(?:src|href)=\"(/[^\"]+)\"", page):
        assert httpx.get(f"{server[0]}{name}").status_code == 200, name
    paths = httpx.get(f"{server[0]}/openapi.json").json()["paths"]
    assert {"/v1/restore", "/v1/inpaint", "/v1/translate", "/v1/detect", "/v1/verify", "/metrics"} <= set(paths)
    for path, entry in paths.items():  # every example can be sent as it stands
        if "post" in entry:
            example = entry["post"]["requestBody"]["content"]["application/json"]["example"]
            answer = httpx.post(f"{server[0]}{path.format(name='gpen')}", json=example, timeout=60)
            wanted = "input image: is [1, 3, 2, 2]; expected [-1, 3, 64, 64]" if "name" in path else None
            assert wanted is None or wanted in answer.text
            assert answer.status_code == (422 if wanted else 200), (path, answer.text)
