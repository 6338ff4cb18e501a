"""What clients send and what they accept, on toy models in this process: options, parts, masks, /v2's requests."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from deploy.limits import Limits
from engine import __version__
from engine.ports import Hole
from tests.deploy.contracts import Changed, contract, image, mask

pytest.importorskip("fastapi", reason="fastapi (requirements-web.txt) is absent")
pytest.importorskip("httpx", reason="httpx (requirements-dev.txt) is absent")
from fastapi.testclient import TestClient

from deploy.served import Models, Served
from deploy.service import make_app


class Whitens:
    """Fills with white."""

    contract = contract(image(), mask(), outputs=(image(name="composite"),), hole=Hole())

    def run(self, arrays):
        return {"composite": np.ones_like(arrays["image"])}


@pytest.fixture(scope="module")
def models():
    graphs = {"restoring": Changed(8), "filling": Whitens()}
    found = Models([Served(name, graph, places=9) for name, graph in graphs.items()])
    yield found
    found.end()


@pytest.fixture(scope="module")
def client(models):
    with TestClient(make_app(models)) as asking:
        yield asking


def png(pixels, mode=None):
    file = io.BytesIO()
    Image.fromarray(np.asarray(pixels, np.uint8), mode).save(file, "PNG")
    return file.getvalue()


GREY = png(np.full((16, 16, 3), 90))


def posted(client, route, files=None, **words):
    return client.post(route, files={"image": GREY} if files is None else files, **words)


ACCEPTED = [
    (None, "image/png"),
    ("*/*", "image/png"),
    ("image/*", "image/png"),
    ("image/jpeg", "image/jpeg"),
    ("image/webp, image/png;q=0.5", "image/webp"),
    ("image/png, application/json;q=0.1", "image/png"),
    ("application/json, text/plain, */*", "application/json"),
    ("text/html", "image/png"),
    ("application/json;q=0, */*;q=x", "image/png"),
]


@pytest.mark.parametrize(("accept", "kind"), ACCEPTED, ids=[str(accept) for accept, _ in ACCEPTED])
def test_the_answer_is_of_the_kind_that_is_accepted(client, accept, kind):
    answer = posted(client, "/v1/restore?aligned=1", headers={"Accept": accept} if accept else {})
    assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
    if kind.startswith("image/"):
        assert Image.open(io.BytesIO(answer.content)).get_format_mimetype() == kind


def test_a_named_container_is_stronger_than_accept(client):
    answer = posted(client, "/v1/restore?aligned=1&ext=jpg", headers={"Accept": "image/webp"})
    assert answer.headers["content-type"] == "image/jpeg"


MISTAKES = [  # route, further parts, what the line says
    ("/v1/restore?strength=2", {}, "strength: Input should be less than or equal to 1; found '2'"),
    ("/v1/restore?scale=x", {}, "scale: "),
    ("/v1/restore?strenght=0.5", {}, "unknown option 'strenght'. Did you mean 'strength'?"),
    ("/v1/restore", {"mask": GREY}, "part 'mask': is not for this route; expected image"),
    ("/v1/inpaint", {"msk": GREY}, "part 'msk': is not for this route; expected image, mask"),
    ("/v1/restore", {"strength": (None, "0.5")}, "part 'strength': is not for this route"),
    ("/v1/restore", {"image": (None, "x.png")}, "part 'image': is text; expected a file"),
]


@pytest.mark.parametrize(("route", "parts", "line"), MISTAKES, ids=[line for _, _, line in MISTAKES])
def test_a_mistake_is_one_line_under_error(client, route, parts, line):
    answer = posted(client, route, {"image": GREY} | parts)
    assert answer.status_code == 422 and list(answer.json()) == ["error"], answer.text
    assert line in answer.json()["error"] and "\n" not in answer.json()["error"]


def test_a_part_that_comes_twice_and_one_of_json_that_is_unknown(client):
    answer = posted(client, "/v1/restore", [("image", ("a.png", GREY)), ("image", ("b.png", GREY))])
    assert (answer.status_code, answer.json()["error"]) == (422, "part 'image': is given twice")
    answer = client.post("/v1/restore", json={"image": base64.b64encode(GREY).decode(), "strength": 0.5})
    assert (answer.status_code, "part 'strength': is not for this route" in answer.json()["error"]) == (422, True)


def test_another_method_is_told_which_one(client):
    answer = client.get("/v1/restore")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_a_mask_means_what_it_shows(client):
    """As with predict.py and infer.py: whatever the two values, the colours or the transparency."""
    inside = np.zeros((16, 16), bool)
    inside[4:9, 5:11] = True
    blue = np.where(inside[..., None], (0, 0, 255), (0, 0, 0))
    strokes = np.dstack([np.full((16, 16, 3), 255), 255 * inside])
    for form in (png(inside), png(inside * 100), png(blue), png(strokes)):
        answer = posted(client, "/v1/inpaint", {"image": GREY, "mask": form})
        found = np.asarray(Image.open(io.BytesIO(answer.content)))
        assert ((found == 255).all(axis=2) == inside).all(), found[..., 0]


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_of_a_token_is_a_word_in_any_case(models, scheme):
    with TestClient(make_app(models, Limits(token="secret"))) as client:
        assert client.get("/metrics", headers={"Authorization": f"{scheme} secret"}).status_code == 200
        assert client.get("/metrics", headers={"Authorization": f"{scheme} other"}).status_code == 401


def inference(client, **more):
    entry = {"name": "image", "datatype": "FP32", "shape": [1, 3, 8, 8], "data": [0.5] * 192}
    return client.post("/v2/models/restoring/infer", json={"inputs": [entry]} | more)


def test_inference_answers_what_was_asked(client):
    assert client.get("/v2").json()["version"] == __version__
    assert client.get("/v2/models/filling/versions/1").json() == client.get("/v2/models/filling").json()
    assert client.get("/v2/models/filling/versions/2").status_code == 404
    assert inference(client, id="7").json()["id"] == "7"
    assert "id" not in inference(client).json()
    asked = {"name": "restored", "parameters": {"binary_data": True}}
    answer = inference(client, outputs=[asked])
    size = int(answer.headers["inference-header-content-length"])
    assert json.loads(answer.content[:size])["outputs"][0]["parameters"]["binary_data_size"] == 4 * 192
    asked["parameters"]["binary_data"] = False  # stronger than the request's own word
    answer = inference(client, outputs=[asked], parameters={"binary_data_output": True})
    assert len(answer.json()["outputs"][0]["data"]) == 192
    for outputs, line in (([{"name": "x"}], "output x: is not there; expected one of restored"), ([1], "outputs: ")):
        answer = inference(client, outputs=outputs)
        assert answer.status_code == 422 and line in answer.json()["error"]
