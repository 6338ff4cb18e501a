"""Common parts of all tabs: models, words, uploaded photos, results as files to download."""

import functools
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from gradio import component_meta
from starlette.exceptions import HTTPException

from deploy import files
from deploy.page.texts import Words, text
from deploy.served import Busy
from deploy.service import Service
from engine import images, picture_files
from engine.errors import InputError
from engine.picture_files import Picture

SHOWN = 1600  # px of the longer side of a result in the browser; the file has all of them


def _photo_component():
    """gr.Image whose value is the path of the file as it came: gradio's own reading loses depth and colours, and ends
    in a traceback where a file cannot be read."""

    def preprocess(self, payload):
        return payload and payload.path

    writes_stub, component_meta.create_or_modify_pyi = component_meta.create_or_modify_pyi, lambda *_: None
    try:  # gradio would write a .pyi beside this file
        return type("Photo", (gr.Image,), {"is_template": True, "preprocess": preprocess, "__doc__": gr.Image.__doc__})
    finally:
        component_meta.create_or_modify_pyi = writes_stub


Photo = _photo_component()


@dataclass
class Page:
    """The page on its way.

    Attributes:
        service: its models and its detector.
        folder: for files that the browser sends and gets; whoever made it removes it.
        language: the switch.
    """

    service: Service
    folder: Path
    language: gr.Radio
    words: Words = field(default_factory=Words)

    def photo(self, key: str = "photo", **options: Any) -> gr.Image:
        """A place for a picture file."""
        component = Photo(type="filepath", sources=["upload", "clipboard"], buttons=["fullscreen"], **options)
        return self.words.of(component, label=key)

    def models(self, kind: str) -> gr.Dropdown:
        """A choice of the models of a kind; not shown where there is none to make."""
        names = self.service.models.of_kind(kind)
        value = names[0] if names else None
        return self.words.of(gr.Dropdown(names, value=value, visible=len(names) > 1), label="model")

    def button(self, tab: str, key: str) -> gr.Button:
        """The button that starts the work of a tab."""
        return self.words.of(gr.Button(variant="primary", elem_id=f"{tab}-button"), value=key)

    def results(self, tab: str) -> list[Any]:
        """The column of a result: a slider from before to after, a button that brings the file, a remark."""
        with gr.Column(min_width=300):
            slider = gr.ImageSlider(interactive=False, format="png", buttons=["fullscreen"], elem_id=f"{tab}-slider")
            download = gr.DownloadButton(interactive=False, elem_id=f"{tab}-download")
            said = gr.Markdown(elem_id=f"{tab}-said")
        return [self.words.of(slider, label="before_after"), self.words.of(download, label="download"), said]

    def on(self, trigger: Callable, function: Callable, given: Any, wanted: Any, mode: Any = None) -> None:
        """Call a function when something happens; it is not part of an interface for programs."""
        trigger(function, given, wanted, api_visibility="private", trigger_mode=mode)

    def place(self, name: str) -> Path:
        """A path for a file of this name, in a folder of its own."""
        folder = self.folder / secrets.token_hex(8)
        folder.mkdir()
        return folder / name

    def made(self, name: str, picture: Picture, ending: str) -> str:
        """The file of a result, in the container of the photo it was made of."""
        path = self.place(f"{Path(name).stem}_{ending}{files.suffix(name, 'auto')}")
        files.write(path, picture)
        return str(path)


def told(function: Callable) -> Callable:
    """The function, whose refusals the browser shows as they are; everything else stays a fault of ours."""

    @functools.wraps(function)
    def call(*args: Any) -> Any:
        try:
            return function(*args)
        except (InputError, Busy, TimeoutError, HTTPException) as error:
            said = str(getattr(error, "detail", error))
            raise gr.Error(said, duration=None, print_exception=False) from None

    return call


def read(path: str | None, language: str) -> Picture:
    """The photo that was uploaded, by its own name. InputError: there is none, or it cannot be read."""
    if path is None:
        raise InputError(text("no_photo", language))
    return picture_files.decode(Path(path).read_bytes(), Path(path).name)


def pair(before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two pictures [H, W, 3] for the slider, of the second's size; what nothing was made of looks alike."""
    if before.shape != after.shape:
        before = np.clip(images.resize(before, after.shape[:2], "lanczos"), 0, 1)  # as deploy.photo enlarges
    return images.to_uint8(images.smaller(before, SHOWN)), images.to_uint8(images.smaller(after, SHOWN))
