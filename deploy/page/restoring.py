"""The tab for restoring: a tick for each face, before and after, the photo back in its own format."""

import time
from typing import Any

import gradio as gr

from deploy.files import returned
from deploy.page import faces
from deploy.page.tab import Page, pair, read, told
from deploy.page.texts import text


class Restoring:
    """The tab; `photo` is where its picture is put."""

    def __init__(self, page: Page) -> None:
        """Add it to the page."""
        self.service, self.made, words = page.service, page.made, page.words
        with words.of(gr.Tab(id="restore"), label="restore"), gr.Row():
            with gr.Column(min_width=300):
                self.photo = page.photo(elem_id="restore-photo", height=220)
                found = faces.component()
                remark = gr.Markdown(elem_id="restore-found")
                model = page.models("restore")
                strength = words.of(gr.Slider(0, 1, 1, step=0.05, elem_id="restore-strength"), label="strength")
                scale = words.of(gr.Radio([1, 2, 4], value=1, elem_id="restore-scale"), label="scale")
                button = page.button("restore", "restore")
            results = page.results("restore")
        asked = [self.photo, found, model, strength, scale, page.language]
        page.on(self.photo.change, self.find, [self.photo, model, page.language], [found, remark])
        page.on(button.click, self.restore, asked, results)

    @told
    def find(self, path: str | None, name: str, language: str) -> tuple[str | None, str]:
        """Outputs for the browser: the photo with its faces, a remark."""
        if path is None:
            return None, ""
        shot = self.service.begun(self.service.model("restore", name), read(path, language))
        if shot.found is None:
            return faces.described(path, shot.pixels, []), text("one_face", language)
        count = text("found", language, len(shot.found))
        return faces.described(path, shot.pixels, shot.found), f"{count} {text('find_hint', language)}"

    @told
    def restore(self, path: str | None, marked: str | None, name: str, strength: float, scale: int,
                language: str) -> tuple[Any, ...]:  # fmt: skip
        """Before and after, the file, a remark; of the faces that are ticked, or of all if none are shown yet."""
        began, picture = time.perf_counter(), read(path, language)
        served = self.service.model("restore", name)
        pixels = picture.pixels()
        chosen, is_whole = faces.ticked(marked, path, pixels, self.service.finder), False
        if not chosen:
            found = self.service.begun(served, picture).found
            is_whole, chosen = found is None, (found or [] if chosen is None else [])
        if not chosen and not is_whole:
            gr.Info(text("no_tick", language))
        options = {"strength": strength, "upscale": scale, "aligned": is_whole or None}
        shot = self.service.shot(served, picture, options, given=None if is_whole else chosen)
        made = returned(shot.picture, shot.made, "kept", shot.shown)
        file, count = self.made(picture.name, made, "restored"), 1 if is_whole else len(chosen)
        remark = text("restored", language, count, time.perf_counter() - began)
        return pair(pixels, made.pixels()), gr.update(value=file, interactive=True), remark
