"""The page's tabs without a browser: what they make of what a browser may send."""

import json
from unittest import mock

import numpy as np
import pytest

from deploy.limits import Limits
from engine import images
from engine.face_detection import Face
from tests.deploy.contracts import Changed

gr = pytest.importorskip("gradio", reason="gradio (requirements-web.txt) is absent")
pytest.importorskip("fastapi", reason="fastapi (requirements-web.txt) is absent")
from starlette.testclient import TestClient  # noqa: E402

from deploy.page.mounting import mounted  # noqa: E402
from deploy.page.restoring import Restoring  # noqa: E402
from deploy.page.tab import Page  # noqa: E402
from deploy.served import Models, Served  # noqa: E402
from deploy.service import make_app  # noqa: E402

POINTS = np.array([(20, 20), (40, 20), (30, 30), (22, 42), (38, 42)], float)


@pytest.fixture
def service():
    """A model that makes faces brighter, and a detector that finds one face in every photo."""
    models = Models([Served("toy", Changed(32, lambda crops: np.clip(crops + 0.25, 0, 1)), places=9)])
    service = make_app(models, Limits()).state.service
    service.finder = mock.Mock(find=lambda pixels: [Face(POINTS, np.array([10.0, 8, 50, 52]))])
    yield service
    models.end()


def written(folder, size):
    path = folder / f"photo_{size[0]}.png"
    images.write_image(path, np.full((*size, 3), 0.25, np.float32))
    return str(path)


def test_a_button_faster_than_the_detector_restores_every_face(service, tmp_path):
    """The faces that the browser sends then are none, or an earlier photo's."""
    with gr.Blocks():
        tab = Restoring(Page(service, tmp_path, gr.Radio()))
    first, second = written(tmp_path, (60, 80)), written(tmp_path, (100, 120))
    of_the_first = json.loads(tab.find(first, "toy", "English")[0])
    for face in of_the_first["faces"]:
        face["on"] = False
    words = "toy", 1.0, 1, "English"
    for marked in (None, json.dumps(of_the_first)):
        (before, after), _, said = tab.restore(second, marked, *words)
        assert said.startswith("Faces restored: 1,") and (after > before).any()
    (before, after), _, said = tab.restore(first, json.dumps(of_the_first), *words)  # what was not ticked stays
    assert said.startswith("Faces restored: 0,") and (after == before).all()


def test_the_services_own_addresses_are_not_the_pages():
    models = Models([Served("toy", Changed(8), places=9)])
    app = make_app(models)
    with mounted(app), TestClient(app) as client:
        assert client.get("/").headers["content-type"].startswith("text/html")
        for address, status in (("/v1/restore", 405), ("/v1/nothing", 404), ("/v2/models/toy/versions/2", 404)):
            answer = client.get(address)
            assert (answer.status_code, list(answer.json())) == (status, ["error"])
    models.end()
