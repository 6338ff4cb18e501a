"""The tab for filling holes: painted into the photo, given as a file, or the lower part of every face."""

import time
from typing import Any

import gradio as gr
import numpy as np

from deploy.files import returned
from deploy.filling import check_mask
from deploy.page.tab import Page, pair, read, told
from deploy.page.texts import text
from engine import images
from engine.errors import InputError
from engine.masks import hole_of

SIDE = 800  # px of the photo that is painted on


class Filling:
    """The tab; `photo` is where its picture is put."""

    def __init__(self, page: Page) -> None:
        """Add it to the page."""
        self.service, self.made, words = page.service, page.made, page.words
        with words.of(gr.Tab(id="fill"), label="fill"), gr.Row():
            with gr.Column(min_width=300):
                self.photo = page.photo(elem_id="fill-photo", height=220)
                brush = gr.Brush(default_size=SIDE // 20, colors=["#ffffff"], color_mode="fixed")
                editor = words.of(
                    gr.ImageEditor(type="numpy", sources=(), transforms=(), layers=False, brush=brush, format="png",
                                   canvas_size=(SIDE, SIDE), elem_id="fill-brush"),
                    label="mask_brush",
                )  # fmt: skip
                mask = page.photo("mask_file", elem_id="fill-mask", height=140)
                covers = gr.Checkbox(visible=page.service.finder is not None, elem_id="fill-faces")
                words.of(covers, label="lower_faces")
                model = page.models("inpaint")
                button = page.button("fill", "do_fill")
            results = page.results("fill")
        page.on(self.photo.change, self.shown, [self.photo, page.language], editor)
        page.on(button.click, self.fill, [self.photo, editor, mask, covers, model, page.language], results)

    @told
    def shown(self, path: str | None, language: str) -> np.ndarray | None:
        """The picture to paint on, [H, W, 3] uint8."""
        return None if path is None else images.to_uint8(images.smaller(read(path, language).pixels(), SIDE))

    @told
    def fill(self, path: str | None, painted: dict | None, mask: str | None, covers_faces: bool, name: str,
             language: str) -> tuple[Any, ...]:  # fmt: skip
        """Before and after, the file, a remark."""
        began, picture = time.perf_counter(), read(path, language)
        served, size = self.service.model("inpaint", name), picture.samples.shape[:2]
        if covers_faces:
            shot = self.service.shot(served, picture, {"mask": "auto"})
            if not shot.chosen:
                raise InputError(text("found", language, 0))
            made = returned(shot.picture, shot.made)
            share = float((shot.made != shot.pixels).any(axis=2).mean())
        else:
            hole = _painted(painted, size) if mask is None else hole_of(read(mask, language))
            if hole is None:
                raise InputError(text("no_mask", language))
            check_mask(hole, size, "mask", picture.name, "hole")
            made, share = self.service.filled(served, picture, hole), float(hole.mean())
        remark = text("filled", language, share, time.perf_counter() - began)
        file = self.made(picture.name, made, "filled")
        return pair(picture.pixels(), made.pixels()), gr.update(value=file, interactive=True), remark


def _painted(value, size):
    """[H, W, 1] of the photo's size, 1 where the brush has been; None where it has not."""
    layers = [layer[..., 3] > 127 for layer in (value or {}).get("layers", []) if layer is not None]
    if not any(layer.any() for layer in layers):
        return None
    mask = np.any(layers, axis=0).astype(np.float32)[..., None]
    return images.resize(mask, size, "nearest").reshape(*size, 1)
