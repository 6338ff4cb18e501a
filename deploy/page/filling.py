"""The tab that fills: a hole painted into the photo or given as a file, or the lower part of every face."""

import time
from typing import Any

import gradio as gr
import numpy as np

from deploy.files import returned
from deploy.filling import check_mask
from deploy.page.common import Page, pair, read, told
from deploy.page.faces import smaller
from deploy.page.texts import text
from engine import images
from engine.errors import InputError

SIDE = 800  # px of the photo that is painted on


def add(page: Page) -> gr.Image:
    """Add the tab; its photo is given back, for those that put one there."""
    words = page.words
    with words.of(gr.Tab(id="fill"), label="fill"), gr.Row():
        with gr.Column(min_width=300):
            photo = page.photo(elem_id="fill-photo", height=220)
            brush = gr.Brush(default_size=SIDE // 20, colors=["#ffffff"], color_mode="fixed")
            editor = words.of(
                gr.ImageEditor(type="numpy", sources=(), transforms=(), layers=False, brush=brush, format="png",
                               canvas_size=(SIDE, SIDE), elem_id="fill-brush"),
                label="mask_brush",
            )  # fmt: skip
            mask = page.photo("mask_file", elem_id="fill-mask", height=140)
            covers = words.of(
                gr.Checkbox(visible=page.service.finder is not None, elem_id="fill-faces"), label="lower_faces"
            )
            model = page.models("inpaint")
            button = words.of(gr.Button(variant="primary", elem_id="fill-button"), value="do_fill")
        with gr.Column(min_width=300):
            slider = words.of(
                gr.ImageSlider(interactive=False, format="png", buttons=["fullscreen"], elem_id="fill-slider"),
                label="before_after",
            )
            download = page.download("fill")
            said = gr.Markdown(elem_id="fill-said")

    @told
    def shown(path: str | None, language: str) -> np.ndarray | None:
        return None if path is None else images.to_uint8(smaller(read(path, language).pixels(), SIDE))

    @told
    def fill(path: str | None, painted: dict | None, mask_path: str | None, covers_faces: bool, name: str,
             language: str) -> tuple[Any, ...]:  # fmt: skip
        began, picture = time.perf_counter(), read(path, language)
        served, size = page.service.model("inpaint", name), picture.samples.shape[:2]
        if covers_faces:
            shot = page.service.shot(served, picture, {"mask": "auto"})
            if not shot.chosen:
                raise InputError(text("found", language, 0))
            hole, made = shot.masks[0], returned(shot.picture, shot.made)
            share = float((np.abs(shot.made - shot.pixels) > 0).any(axis=2).mean())
        else:
            hole = _painted(painted, size) if mask_path is None else _file(mask_path, language)
            if hole is None:
                raise InputError(text("no_mask", language))
            check_mask(hole, size, "mask", picture.name, "hole")
            made, share = page.service.filled(served, picture, hole), float(hole.mean())
        file = page.made(picture.name, made, "filled")
        remark = text("filled", language, share, time.perf_counter() - began)
        return pair(picture.pixels(), made.pixels()), gr.update(value=file, interactive=True), remark

    photo.change(shown, [photo, page.language], editor, api_visibility="private")
    button.click(
        fill,
        [photo, editor, mask, covers, model, page.language],
        [slider, download, said],
        api_visibility="private",
    )
    return photo


def _painted(value, size):
    """[H, W, 1] of photo's size, 1 where the brush has been; None where it has not."""
    layers = [layer[..., 3] > 127 for layer in (value or {}).get("layers", []) if layer is not None]
    if not any(layer.any() for layer in layers):
        return None
    mask = np.any(layers, axis=0).astype(np.float32)[..., None]
    return images.resize(mask, size, "nearest").reshape(*size, 1)


def _file(path, language):
    """[H, W, 1], 1 where a mask file is white."""
    return read(path, language).pixels()[..., :1].round()
