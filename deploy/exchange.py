"""Requests and answers of the service: pictures as parts or base64 texts, answers as pictures or JSON."""

import base64
import binascii
import json
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from fastapi import Depends, Request, Response
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException

from deploy.files import encoded
from engine import picture_files
from engine.errors import InputError, did_you_mean
from engine.masks import hole_of
from engine.picture_files import Picture

PARTS = ("image", "mask", "style", "second")
JSON = "application/json"
MEDIA = {".png": "image/png", ".jpg": "image/jpeg", ".webp": "image/webp", ".tif": "image/tiff"}
FACE = (  # of 8 x 8 pixels, and its lower half as a hole: examples that can be sent as they stand
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAIAgMAAAC5YVYYAAAADFBMVEXguqCqRkY8KB4AAADibBhMAAAAFUlEQVR42mNggAJGDgkog9Ge"
    "gYEBAALWAGOobixzAAAAAElFTkSuQmCC"
)
HOLE = (
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAIAQAAAADsdIMmAAAAEklEQVR42mNggIL/TAxMDEwMAAchAQb/4qmaAAAAAElFTkSuQmCC"
)  # fmt: skip
ERRORS: dict[int | str, dict[str, Any]] = {
    code: {"description": text, "content": {"application/json": {"example": {"error": text}}}}
    for code, text in {
        401: "the token is missing", 404: "no such model", 408: "the body did not come in time",
        413: "the body or the picture is too large", 415: "another content type",
        422: "a picture or an option that cannot be taken, in one line", 503: "the queue is full; see Retry-After",
        504: "no answer in time",
    }.items()
}  # fmt: skip


def takes(*required: str, may: tuple[str, ...] = ()) -> dict[str, Any]:
    """Words for `app.post` of a route that takes pictures: parts that are required and such as may be there."""

    def schema(form):
        names = {name: {"type": "string", "format": form} for name in (*required, *may)}
        return {"type": "object", "required": list(required), "properties": names}

    example = {name: HOLE if name == "mask" else FACE for name in (*required, *may)}
    content = {
        "multipart/form-data": {"schema": schema("binary")},
        "application/json": {"schema": schema("byte"), "example": example},
    }
    body = {"requestBody": {"required": True, "content": content}}
    return {"responses": ERRORS, "dependencies": [Depends(only_known)], "openapi_extra": body}


def picture_of(parts: dict[str, bytes], name: str) -> Picture:
    """A part of a request as a picture. InputError: it is missing or cannot be read."""
    if name not in parts:
        raise InputError(f"{name}: is missing; expected a picture as a part of that name")
    return picture_files.decode(parts[name], name)


def hole_of_part(parts: dict[str, bytes]) -> np.ndarray:
    """The part `mask` as a hole [H, W, 1], 1 where it is marked: by the rule for mask files, see engine.masks."""
    return hole_of(picture_of(parts, "mask"))


async def parts_of(request: Request, *names: str) -> dict[str, bytes]:
    """The pictures of a request: parts of multipart/form-data, or base64 texts of a JSON object.

    Raises:
        InputError: neither of them, or a part that is not one of `names`, comes twice, or is no file.
        HTTPException: another content type.
    """
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind == "multipart/form-data":
        try:
            async with request.form(max_files=len(PARTS), max_fields=len(PARTS)) as form:
                _check([name for name, _ in form.multi_items()], names)
                return {name: await _content(name, value) for name, value in form.multi_items()}
        except (MultiPartException, HTTPException) as error:
            raise InputError(f"body: is no multipart form ({getattr(error, 'detail', error)})") from None
    if kind == "application/json":
        try:
            content = json.loads(await request.body())
            _check(content.keys(), names)
            return {name: base64.b64decode(text, validate=True) for name, text in content.items()}
        except (ValueError, TypeError, AttributeError, RecursionError, binascii.Error):
            raise InputError('body: expected JSON such as {"image": "BASE64"}') from None
    raise HTTPException(415, f"content type '{kind}'; expected multipart/form-data or application/json")


def _check(given, names):
    """Refuse a part that would be dropped without a word."""
    for name in given:
        if name not in names:
            expected = f"expected {', '.join(names)}; options are part of the address, as in ?strength=0.5"
            raise InputError(f"part {name[:40]!r}: is not for this route; {expected}")
        if list(given).count(name) > 1:
            raise InputError(f"part {name!r}: is given twice")


async def _content(name, value):
    if not isinstance(value, UploadFile):
        raise InputError(f"part {name!r}: is text; expected a file, with curl -F {name}=@FILE")
    return await value.read()


def only_known(request: Request) -> None:
    """Refuse an option that the route does not have: a misspelt one would be dropped without a word."""
    known = [field.alias for field in request.scope["route"].dependant.query_params]
    for name in request.query_params:
        if name not in known:
            hint = did_you_mean(name, known) or "."
            raise InputError(f"unknown option {name[:40]!r}{hint} Known: {', '.join(known)}")


def preferred(request: Request, offered: Sequence[str]) -> str:
    """The media type of `offered` that the request's Accept rates highest; the first where it wants none of them."""
    ratings = {}
    for word in request.headers.get("accept", "*/*").split(","):
        kind, *parameters = (part.strip().lower() for part in word.split(";"))
        quality = next((part[2:] for part in parameters if part.startswith("q=")), "1")
        ratings[kind] = float(quality) if re.fullmatch(r"[01](\.\d*)?", quality) else 1.0

    def rated(kind):
        """(quality, how precisely it is named)."""
        wildcards = "*/*", f"{kind.partition('/')[0]}/*", kind
        return max(((i, ratings[one]) for i, one in enumerate(wildcards) if one in ratings), default=(0, 0.0))[::-1]

    return max(offered, key=rated)


def faces_of(shot_faces: Any) -> list[dict[str, Any]]:
    """Faces as JSON: box, points, score."""
    return [
        {"box": face.box.round(2).tolist(), "points": face.points.round(2).tolist(), "score": round(face.score, 4)}
        for face in shot_faces or []
    ]


def answered(request: Request, picture: Picture, found: list[dict], ext: str | None) -> Response:
    """A picture, or its base64 text beside the faces, by Accept; faces are counted. `ext`: None is by Accept too."""
    request.app.state.faces.inc(len(found))
    pictures = [MEDIA[f".{ext.lstrip('.')}"]] if ext else list(MEDIA.values())
    kind = preferred(request, [pictures[0], JSON, *pictures[1:]])
    media = pictures[0] if kind == JSON else kind
    content = encoded(picture, next(suffix for suffix, one in MEDIA.items() if one == media))
    if kind == JSON:
        text = base64.b64encode(content).decode()
        return Response(json.dumps({"image": text, "media_type": media, "faces": found}), media_type=JSON)
    return Response(content, media_type=media, headers={"X-Faces": str(len(found))})
