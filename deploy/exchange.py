"""Requests and answers of the service: pictures as parts or base64 texts, answers as pictures or JSON."""

import base64
import binascii
import json
from typing import Any

from fastapi import Request, Response
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException

from deploy.files import encoded
from engine import picture_files
from engine.errors import InputError
from engine.picture_files import Picture

PARTS = ("image", "mask", "style", "second")
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


def body_of(*required: str, may: tuple[str, ...] = ()) -> dict[str, Any]:
    """A route's body for its description: parts that are required and such as may be there."""

    def schema(form):
        names = {name: {"type": "string", "format": form} for name in (*required, *may)}
        return {"type": "object", "required": list(required), "properties": names}

    example = {name: HOLE if name == "mask" else FACE for name in (*required, *may)}
    content = {
        "multipart/form-data": {"schema": schema("binary")},
        "application/json": {"schema": schema("byte"), "example": example},
    }
    return {"requestBody": {"required": True, "content": content}}


def picture_of(parts: dict[str, bytes], name: str) -> Picture:
    """A part of a request as a picture. InputError: it is missing or cannot be read."""
    if name not in parts:
        raise InputError(f"{name}: is missing; expected a picture as a part of that name")
    return picture_files.decode(parts[name], name)


async def parts_of(request: Request) -> dict[str, bytes]:
    """The pictures of a request: parts of multipart/form-data, or base64 texts of a JSON object."""
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind == "multipart/form-data":
        try:
            async with request.form(max_files=len(PARTS), max_fields=len(PARTS)) as form:
                found = {name: value for name, value in form.multi_items() if isinstance(value, UploadFile)}
                return {name: await value.read() for name, value in found.items() if name in PARTS}
        except (MultiPartException, HTTPException) as error:
            raise InputError(f"body: is no multipart form ({getattr(error, 'detail', error)})") from None
    if kind == "application/json":
        try:
            content = json.loads(await request.body())
            texts = {name: content[name] for name in PARTS if name in content}
            return {name: base64.b64decode(text, validate=True) for name, text in texts.items()}
        except (ValueError, TypeError, RecursionError, binascii.Error):
            raise InputError('body: expected JSON such as {"image": "BASE64"}') from None
    raise HTTPException(415, f"content type '{kind}'; expected multipart/form-data or application/json")


def faces_of(shot_faces: Any) -> list[dict[str, Any]]:
    """Faces as JSON: box, points, score."""
    return [
        {"box": face.box.round(2).tolist(), "points": face.points.round(2).tolist(), "score": round(face.score, 4)}
        for face in shot_faces or []
    ]


def answered(request: Request, picture: Picture, found: list[dict], ext: str) -> Response:
    """A picture, or with Accept: application/json its base64 text beside the faces, which are counted."""
    request.app.state.faces.inc(len(found))
    content = encoded(picture, ext)
    if "application/json" in request.headers.get("accept", ""):
        text = base64.b64encode(content).decode()
        return Response(
            json.dumps({"image": text, "media_type": MEDIA[ext], "faces": found}), media_type="application/json"
        )
    return Response(content, media_type=MEDIA[ext], headers={"X-Faces": str(len(found))})
