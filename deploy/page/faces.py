"""A photo in the page with a tick for each of its faces, in which further faces can be marked by drawing a box."""

import base64
import json
from collections.abc import Sequence
from pathlib import Path

import gradio as gr
import numpy as np

from deploy.faces import Face, Finder, given
from deploy.files import encoded
from engine import images
from engine.errors import InputError
from engine.picture_files import Picture

SIDE = 1024  # px of what the browser is shown
HERE = Path(__file__).parent


def component() -> gr.HTML:
    """The photo, empty; its value is a text of `described`, as the browser has changed it."""
    script, style = ((HERE / f"faces.{kind}").read_text(encoding="utf-8") for kind in ("js", "css"))
    return gr.HTML(
        html_template="<div class='faces'></div>", css_template=style, js_on_load=script, elem_classes="found-faces"
    )


def described(path: str, pixels: np.ndarray, found: Sequence[Face]) -> str:
    """JSON of a photo [H, W, 3], where its file is, and its faces, all of them ticked."""
    jpeg = encoded(Picture(images.to_uint8(images.smaller(pixels, SIDE))), ".jpg")
    faces = [{"box": face.box.tolist(), "points": face.points.tolist(), "on": True} for face in found]
    url = f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
    return json.dumps({"of": path, "url": url, "size": pixels.shape[1::-1], "faces": faces})


def ticked(text: str | None, path: str | None, pixels: np.ndarray, finder: Finder | None) -> list[Face] | None:
    """The faces that are ticked, those drawn by hand among them; None: those of this photo are not shown yet.

    Args:
        text: of `described`, from a browser; of an earlier photo, if the button was faster than the detector.
        path: of the photo's file.
        pixels: [H, W, 3] of the photo.
        finder: looks for the points inside a drawn box; None where no detector is installed.

    Raises:
        InputError: the text is something else, or a box needs the detector.
    """
    try:
        shown = json.loads(text or '{"of": null}')
        if shown["of"] != path:
            return None
        marked = [
            (np.array(face["box"], np.float64).reshape(4), face["points"]) for face in shown["faces"] if face["on"]
        ]
        faces = [
            (box, None if points is None else np.array(points, np.float64).reshape(5, 2)) for box, points in marked
        ]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise InputError("faces: expected boxes as the page marks them") from None
    return [_face(box, points, pixels, finder) for box, points in faces]


def _face(box, points, pixels, finder):
    limits = np.tile(pixels.shape[1::-1], 2)
    if not (np.isfinite(box).all() and (box[2:] - box[:2] >= 1).all() and (np.abs(box) <= 4 * limits).all()):
        raise InputError(f"faces: a box of {box.round(1).tolist()}; expected one inside the photo")
    if points is None:
        if finder is None:
            raise InputError("no face detector is installed; expected pip install -r requirements-photos.txt")
        return finder.face_in(pixels, np.clip(box, 0, limits).tolist())
    if not (np.abs(points) <= 4 * np.max(limits)).all() or np.ptp(points, axis=0).max() < 1:
        raise InputError("faces: expected five points that lie apart")
    return given(points)
