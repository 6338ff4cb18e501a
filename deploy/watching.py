"""The service watched: Prometheus' numbers, and errors as one line of JSON with their status."""

import json
import reprlib
import time

import prometheus_client as prometheus
from fastapi import FastAPI, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from deploy.served import Busy, Models
from engine.errors import InputError
from engine.picture_files import TooManyPixels


class _Counted:
    """ASGI: requests and their seconds by route. A function as middleware would cost a task and two streams each."""

    def __init__(self, app, requests, seconds):
        self.app, self.requests, self.seconds = app, requests, seconds

    async def __call__(self, scope, receive, send):
        began, status = time.perf_counter(), None

        async def noted(message):
            nonlocal status
            status = message.get("status", status)
            await send(message)

        await self.app(scope, receive, noted)
        if scope["type"] == "http" and status is not None:
            route = getattr(scope.get("route"), "path", "other")
            self.requests.labels(route, status).inc()
            self.seconds.labels(route).observe(time.perf_counter() - began)


def watch(app: FastAPI, models: Models, registry: prometheus.CollectorRegistry) -> None:
    """Add /metrics and the handlers of errors; `app.state.faces` counts faces."""
    labels = ["route", "status"]
    requests = prometheus.Counter("kintsugi_requests", "answered", labels, registry=registry)
    seconds = prometheus.Histogram("kintsugi_seconds", "per request", ["route"], registry=registry)
    app.state.faces = prometheus.Counter("kintsugi_faces", "found", registry=registry)
    waiting = prometheus.Gauge("kintsugi_queue", "requests that wait", ["model"], registry=registry)
    for name in models.names():
        waiting.labels(name).set_function(models.get(name).waiting.qsize)

    def said(status: int, error: object, **headers: str) -> Response:
        return Response(json.dumps({"error": str(error)}), status, headers, "application/json")

    app.add_middleware(_Counted, requests=requests, seconds=seconds)
    app.add_exception_handler(TooManyPixels, lambda _, error: said(413, error))
    app.add_exception_handler(InputError, lambda _, error: said(422, error))
    app.add_exception_handler(Busy, lambda _, error: said(503, error, **{"Retry-After": "1"}))
    app.add_exception_handler(TimeoutError, lambda _, error: said(504, error))
    app.add_exception_handler(RequestValidationError, lambda _, error: said(422, _first_of(error)))
    app.add_exception_handler(HTTPException, lambda _, one: said(one.status_code, one.detail, **(one.headers or {})))

    @app.get("/metrics", response_class=Response)
    def metrics() -> Response:
        """Prometheus: requests, seconds, faces, queue."""
        return Response(prometheus.generate_latest(registry), media_type=prometheus.CONTENT_TYPE_LATEST)


def _first_of(error):
    """One line for an option that FastAPI refuses: its name, what is expected, what was found."""
    problem = error.errors()[0]
    return f"{problem['loc'][-1]}: {problem['msg']}; found {reprlib.repr(problem['input'])}"
