"""The tab that restores: the faces of a photo with a tick each, before and after, the photo back in its own format."""

import time
from typing import Any

import gradio as gr

from deploy.files import returned
from deploy.page import faces
from deploy.page.common import Page, pair, read, told
from deploy.page.texts import text


def add(page: Page) -> gr.Image:
    """Add the tab; its photo is given back, for those that put one there."""
    words = page.words
    with words.of(gr.Tab(id="restore"), label="restore"), gr.Row():
        with gr.Column(min_width=300):
            photo = page.photo(elem_id="restore-photo", height=220)
            found = faces.component()
            remark = gr.Markdown(elem_id="restore-found")
            model = page.models("restore")
            strength = words.of(gr.Slider(0, 1, 1, step=0.05, elem_id="restore-strength"), label="strength")
            scale = words.of(gr.Radio([1, 2, 4], value=1, elem_id="restore-scale"), label="scale")
            button = words.of(gr.Button(variant="primary", elem_id="restore-button"), value="restore")
        with gr.Column(min_width=300):
            slider = words.of(
                gr.ImageSlider(interactive=False, format="png", buttons=["fullscreen"], elem_id="restore-slider"),
                label="before_after",
            )
            download = page.download("restore")
            said = gr.Markdown(elem_id="restore-said")

    @told
    def find(path: str | None, name: str, language: str) -> tuple[str | None, str]:
        if path is None:
            return None, ""
        picture = read(path, language)
        shot = page.service.begun(page.service.model("restore", name), picture)
        if shot.found is None:
            return faces.described(shot.pixels, []), text("one_face", language)
        count = text("found", language, len(shot.found))
        return faces.described(shot.pixels, shot.found), f"{count} {text('find_hint', language)}"

    @told
    def restore(path: str | None, marked: str | None, name: str, strength: float, scale: int,
                language: str) -> tuple[Any, ...]:  # fmt: skip
        began, picture = time.perf_counter(), read(path, language)
        served, options = page.service.model("restore", name), {"strength": strength, "upscale": scale}
        pixels = picture.pixels()
        chosen = faces.ticked(marked, pixels, page.service.finder)
        is_whole = not chosen and page.service.begun(served, picture).found is None
        if not chosen and not is_whole:
            gr.Info(text("no_tick", language))
        shot = page.service.shot(served, picture, options, given=None if is_whole else chosen)
        made = returned(shot.picture, shot.made, "kept", shot.shown)
        file = page.made(picture.name, made, "restored")
        count = 1 if is_whole else len(chosen)
        remark = text("restored", language, count, time.perf_counter() - began)
        return pair(pixels, made.pixels()), gr.update(value=file, interactive=True), remark

    photo.change(find, [photo, model, page.language], [found, remark], api_visibility="private")
    button.click(
        restore,
        [photo, found, model, strength, scale, page.language],
        [slider, download, said],
        api_visibility="private",
    )
    return photo
