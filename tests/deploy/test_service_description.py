"""Requests drawn from /openapi.json by schemathesis: whatever fits the description, or just does not, is no 500."""

import numpy as np
import pytest

from engine.ports import Hole
from engine.system import Port
from tests.deploy.contracts import Changed, contract, image, mask

hypothesis = pytest.importorskip("hypothesis", reason="hypothesis (requirements-dev.txt) is absent")
schemathesis = pytest.importorskip("schemathesis", reason="schemathesis (requirements-dev.txt) is absent")
pytest.importorskip("fastapi", reason="fastapi (requirements-web.txt) is absent")
from deploy.limits import Limits  # noqa: E402
from deploy.served import Models, Served  # noqa: E402
from deploy.service import make_app  # noqa: E402

EXAMPLES = 30  # of each route


class Made:
    """A graph that makes of its picture what a function makes of it."""

    def __init__(self, found, make):
        self.contract, self.make = found, make

    def run(self, arrays):
        return {self.contract.outputs[0].name: self.make(arrays["image"])}


@pytest.fixture
def app():
    """A model for every route."""
    filler = contract(image(), mask(), outputs=(image(name="composite"),), hole=Hole())
    taller = contract(image(8, 6), outputs=(image(8, 6, name="caricature"),))
    code = contract(image(8, 8), outputs=(Port("code", (-1, 4), "vector"),))
    graphs = {
        "restoring": Changed(8),
        "filling": Made(filler, lambda pixels: pixels),
        "drawing": Made(taller, lambda pixels: pixels),
        "comparing": Made(code, lambda pixels: np.float32(pixels.reshape(len(pixels), -1)[:, :4])),
    }
    models = Models([Served(name, graph, places=9) for name, graph in graphs.items()])
    yield make_app(models, Limits(seconds=20))
    models.end()


def drawn(operation, statuses):
    """Ask what is drawn for one route; its statuses are noted."""

    @hypothesis.seed(0)
    @hypothesis.settings(
        max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(hypothesis.HealthCheck)
    )
    @hypothesis.given(case=operation.as_strategy())
    def one(case):
        answer = case.call()
        statuses.add(answer.status_code)
        assert answer.status_code < 500, (case.as_curl_command(), answer.text)

    one()


@pytest.mark.slow
def test_no_request_is_a_server_error(app):
    schema, asked = schemathesis.openapi.from_asgi("/openapi.json", app), {}
    for found in schema.get_all_operations():
        operation = found.ok()
        drawn(operation, asked.setdefault(operation.label, set()))
    assert all(200 in asked[f"POST /v1/{name}"] for name in ("restore", "inpaint", "translate", "detect")), asked
    assert 422 in asked["POST /v2/models/{name}/infer"] and 200 in asked["GET /v2/models/{name}"], asked
