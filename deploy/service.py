"""The HTTP service: pictures in, pictures back (/v1), health, metrics, and its own description.

A request's work is done in threads; pictures of several requests share the network's batches (deploy.served). Nothing
of a request is written to disk.
"""

import json
import logging
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import prometheus_client as prometheus
import swagger_ui_bundle
from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartParser
from starlette.staticfiles import StaticFiles

from deploy import open_inference
from deploy.comparing import cosine
from deploy.exchange import answered, faces_of, hole_of_part, parts_of, picture_of, preferred, takes
from deploy.faces import Face, Finder, selected
from deploy.files import encoded, returned
from deploy.flags import PHOTOS, PICTURES
from deploy.limits import Limits, in_time, limited
from deploy.photo_road import Road, Shot
from deploy.photo_sheet import drawn
from deploy.samples import Sample
from deploy.served import Models, Served
from deploy.watching import watch
from engine.errors import InputError
from engine.picture_files import Picture
from engine.runtime import allow

DEFAULTS = {name: flag.default for name, flag in (PHOTOS | PICTURES).items()}
logger = logging.getLogger("kintsugi")


@dataclass
class Service:
    """Objects that every route needs."""

    models: Models
    limits: Limits
    registry: prometheus.CollectorRegistry
    finder: Finder | None

    def model(self, kind: str, name: str | None, makes: str | None = None) -> Served:
        """The model of a request: the one named, else the first of its kind, which makes `makes` if that is asked."""
        fitting = [self.models.get(one) for one in self.models.of_kind(kind)]
        if name is not None:
            if name not in self.models.names():
                known = ", ".join(self.models.names())
                raise HTTPException(404, f"model {name}: is not served; expected one of {known}")
            fitting = [one for one in fitting if one.name == name]
            if not fitting:
                raise InputError(f"model {name}: is not for this route; expected one that can {kind}")
        if makes is not None:
            known = ", ".join(one.contract.outputs[0].name for one in fitting)
            fitting = [one for one in fitting if one.contract.outputs[0].name == makes]
            if not fitting:
                raise InputError(f"to={makes}: no model makes that; expected one of {known}")
        if not fitting:
            raise HTTPException(404, f"no model that can {kind} is served")
        return fitting[0]

    def shot(self, served: Served, picture: Picture, options: dict[str, Any], vectors: dict[str, Any] | None = None,
             seed: int = 0, given: Sequence[Face] | None = None) -> Shot:  # fmt: skip
        """A picture taken down the road of photos; `options` are flags of deploy.flags, `given` its faces."""
        return self.shots(served, picture, options, vectors, [seed], given)[0]

    def shots(self, served: Served, picture: Picture, options: dict[str, Any], vectors: dict[str, Any] | None,
              seeds: Sequence[int], given: Sequence[Face] | None = None) -> list[Shot]:  # fmt: skip
        """As `shot`, for each of several seeds; faces are found once and the network runs for all of them together."""
        with served.expected():
            road = self._road(served, options)
            begun = road.begun(Sample(picture.name, {}, vectors=vectors or {}), picture, given)
            shots = [replace(begun, sample=replace(begun.sample, seed=seed)) for seed in seeds]
            prepared = [road.prepared(shot) for shot in shots]
            results = iter(served.run([one for each in prepared for one in each], self.limits.seconds))
            for shot, each in zip(shots, prepared, strict=True):
                road.finish(shot, [next(results) for _ in each])
            return shots

    def filled(self, served: Served, picture: Picture, mask: np.ndarray) -> Picture:
        """A picture with its hole filled; `mask` [H, W, 1], 1 in the hole."""
        names = {port.kind: port.name for port in served.contract.inputs}
        given = {names["image"]: picture.pixels(), names["mask"]: mask}
        with served.expected():
            (result,) = served.run([served.session.prepared(given, name="image")], self.limits.seconds)
        return returned(picture, result[served.contract.outputs[0].name])

    def begun(self, served: Served, picture: Picture) -> Shot:
        """A picture with its faces found, and nothing made of it."""
        return self._road(served, {}).begun(Sample(picture.name, {}), picture)

    def _road(self, served, options):
        road = Road(served.session, Namespace(**DEFAULTS | options), needs_faces=False)
        road.finder = None if options.get("aligned") else self.finder
        return road


Model = Annotated[str | None, Query(description="name of a model; default: the first that fits")]
Ext = Annotated[
    str | None,
    Query(pattern=r"^\.?(png|jpg|webp|tif)$", description="container of the answer; default: by Accept, PNG first"),
]
Which = Annotated[str, Query(pattern=r"^(all|center|largest|\d{1,4}(,\d{1,4}){0,99})$", description="as --faces")]
Strength = Annotated[float, Query(ge=0, le=1)]
Scale = Annotated[int, Query(ge=1, le=4)]
Seed = Annotated[int, Query(ge=0, le=2**31)]


def make_app(models: Models, limits: Limits | None = None) -> FastAPI:
    """The application that serves models.

    Args:
        models: opened; whoever opened them ends them.
        limits: see deploy.limits.
    """
    limits = limits or Limits()
    MultiPartParser.spool_max_size = limits.body + 2**16  # a part stays in memory
    allow(limits.pixels)
    try:
        finder = Finder()
    except InputError as error:
        logger.warning(f"{error}; pictures are taken as one face each")
        finder = None
    service = Service(models, limits, prometheus.CollectorRegistry(), finder)
    asked = [Depends(HTTPBearer(auto_error=False))] if limits.token else []  # for the description: deploy.limits asks
    app = FastAPI(title="Kintsugi", docs_url=None, redoc_url=None, description=__doc__, dependencies=asked)
    app.openapi_version = "3.0.2"
    app.state.service = service
    watch(app, service.models, service.registry)
    for add in (_restoring, _translating, _finding):
        add(app, service, limits)
    open_inference.add(app, models, limits)
    _describe(app)
    return limited(app, limits)


def _describe(app):
    """/docs from files of a package; FastAPI's own page would ask another machine for them."""
    folder = next(Path(next(iter(swagger_ui_bundle.__path__)), "vendor").glob("swagger-ui-*"))
    app.mount("/docs/files", StaticFiles(directory=folder))

    @app.get("/docs", include_in_schema=False)
    def docs() -> Response:
        return get_swagger_ui_html(
            openapi_url="/openapi.json",
            title=app.title,
            swagger_js_url="/docs/files/swagger-ui-bundle.js",
            swagger_css_url="/docs/files/swagger-ui.css",
            swagger_favicon_url="/docs/files/favicon-32x32.png",
        )


def _restoring(app, service, limits):
    """/v1/restore and /v1/inpaint."""

    @app.post("/v1/restore", **takes("image"))
    async def restore(request: Request, model: Model = None, strength: Strength = 1.0, scale: Scale = 1,
                      faces: Which = "all", aligned: bool | None = None, ext: Ext = None) -> Response:  # fmt: skip
        """Restore the faces of a photo, or one aligned face."""
        parts, served = await parts_of(request, "image"), service.model("restore", model)
        options = {"strength": strength, "upscale": scale, "faces": faces, "aligned": aligned}

        def work():
            shot = service.shot(served, picture_of(parts, "image"), options)
            made = returned(shot.picture, shot.made, "kept", shot.shown)
            return answered(request, made, faces_of(shot.found), ext)

        return await in_time(work, limits.seconds)

    @app.post("/v1/inpaint", **takes("image", may=("mask",)))
    async def inpaint(request: Request, model: Model = None, ext: Ext = None) -> Response:
        """Fill a hole: white in the part `mask`, of the picture's size; without it the lower face of every face."""
        parts, served = await parts_of(request, "image", "mask"), service.model("inpaint", model)

        def work():
            picture = picture_of(parts, "image")
            if "mask" not in parts:
                if service.finder is None:
                    raise InputError("mask: is missing, and no face detector is installed to find what to cover")
                shot = service.shot(served, picture, {"mask": "auto"})
                return answered(request, returned(shot.picture, shot.made), faces_of(shot.found), ext)
            made = service.filled(served, picture, hole_of_part(parts))
            return answered(request, made, [], ext)

        return await in_time(work, limits.seconds)


def _translating(app, service, limits):
    """/v1/translate."""

    @app.post("/v1/translate", **takes("image", may=("style",)))
    async def translate(request: Request, to: str | None = None, model: Model = None, seed: Seed = 0,
                        paste: bool = False, faces: Which = "all", ext: Ext = None) -> Response:  # fmt: skip
        """Translate the largest face, or with `paste` every face in its place; the style is drawn from `seed`."""
        parts, served = await parts_of(request, "image", "style"), service.model("translate", model, to)
        options = {"paste": "replace" if paste else None, "faces": faces}

        def work():
            vectors = served.vectors(picture_of(parts, "style").pixels()) if "style" in parts else {}
            shot = service.shot(served, picture_of(parts, "image"), options, vectors, seed)
            made = returned(shot.picture, shot.made, "kept", shot.shown)
            return answered(request, made, faces_of(shot.found), ext)

        return await in_time(work, limits.seconds)


def _finding(app, service, limits):
    """/v1/verify and /v1/detect."""

    @app.post("/v1/verify", **takes("image", "second"))
    async def verify(request: Request, model: Model = None) -> dict[str, Any]:
        """Whether `image` and `second` show one person: the cosine, the model's threshold, same or not."""
        parts, served = await parts_of(request, "image", "second"), service.model("verify", model)

        def work():
            shots = [service.shot(served, picture_of(parts, name), {}) for name in ("image", "second")]
            one, other = (shot.results[0][served.contract.outputs[0].name] for shot in shots)
            found, threshold = cosine(one, other), served.contract.threshold
            same = None if threshold is None else found >= threshold
            return {"cosine": found, "threshold": threshold, "same": same}

        return await in_time(work, limits.seconds)

    @app.post("/v1/detect", **takes("image"))
    async def detect(request: Request, faces: Which = "all") -> Response:
        """The faces of a photo as JSON, or with Accept: image/png drawn into it."""
        parts = await parts_of(request, "image")

        def work():
            if service.finder is None:
                raise InputError("no face detector is installed; expected pip install -r requirements-photos.txt")
            pixels = picture_of(parts, "image").pixels()
            found = selected(service.finder.find(pixels), pixels.shape[:2], faces)
            app.state.faces.inc(len(found))
            if preferred(request, ["application/json", "image/png"]) == "image/png":
                return Response(encoded(Picture(drawn(pixels, found)), ".png"), media_type="image/png")
            return Response(json.dumps({"faces": faces_of(found)}), media_type="application/json")

        return await in_time(work, limits.seconds)
