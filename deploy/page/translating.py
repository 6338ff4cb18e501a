"""The tab between photo and caricature: both ways, several styles from a seed, or the style of a picture."""

import time
from typing import Any

import gradio as gr

from deploy.files import returned
from deploy.page.faces import SIDE
from deploy.page.tab import Page, read, told
from deploy.page.texts import text
from engine import images

MOST = 8  # styles at one time, as many as share a run


class Translating:
    """The tab; `photo` is where its picture is put."""

    def __init__(self, page: Page) -> None:
        """Add it to the page."""
        self.service, words = page.service, page.words
        with words.of(gr.Tab(id="translate"), label="translate"), gr.Row():
            with gr.Column(min_width=300):
                self.photo = page.photo(elem_id="translate-photo", height=260)
                model = self._directions(words)
                count = words.of(gr.Slider(1, MOST, 4, step=1, elem_id="translate-count"), label="styles")
                seed = gr.Number(0, precision=0, minimum=0, maximum=2**31, elem_id="translate-seed")
                words.of(seed, label="seed")
                style = page.photo("style_picture", elem_id="translate-style", height=160)
                pastes = gr.Checkbox(visible=page.service.finder is not None, elem_id="translate-paste")
                words.of(pastes, label="paste")
                button = page.button("translate", "do_translate")
            with gr.Column(min_width=300):
                options: dict[str, Any] = {
                    "object_fit": "contain",
                    "format": "png",
                    "buttons": ["download", "fullscreen"],
                    "elem_id": "translate-gallery",
                }
                gallery = words.of(gr.Gallery(columns=2, **options), label="gallery")
                said = gr.Markdown(elem_id="translate-said")
        asked = [self.photo, model, count, seed, style, pastes, page.language]
        page.on(button.click, self.translate, asked, [gallery, said])

    def _directions(self, words):
        """The choice of what is made, by model."""
        models = self.service.models
        makes = {name: models.get(name).contract.outputs[0].name for name in models.of_kind("translate")}
        is_plain = len(set(makes.values())) == len(makes)
        choices = [(made if is_plain else f"{name}: {made}", name) for name, made in makes.items()]
        component = gr.Radio(choices, value=next(iter(makes), None), elem_id="translate-model")
        return words.of(component, label="direction", choices=choices)

    @told
    def translate(self, path: str | None, name: str, count: int, seed: int | None, style: str | None, pastes: bool,
                  language: str) -> tuple[Any, ...]:  # fmt: skip
        """Pictures with their seeds, a remark."""
        began, picture, service = time.perf_counter(), read(path, language), self.service
        served, first = service.model("translate", name), int(seed or 0)
        vectors = {} if style is None else served.vectors(read(style, language).pixels())
        seeds = range(first, first + (1 if vectors else min(int(count), MOST)))
        options = {"paste": "replace" if pastes else None}
        shots = service.shots(served, picture, options, vectors, seeds)
        made = [returned(shot.picture, shot.made, "kept", shot.shown).pixels() for shot in shots]
        captioned = zip(made, seeds, strict=True)
        pictures = [(images.to_uint8(images.smaller(one, SIDE)), f"{number}") for one, number in captioned]
        seconds = time.perf_counter() - began
        if vectors:
            return pictures, text("translated_style", language, seconds)
        return pictures, text("translated", language, seeds[0], seeds[-1], seconds)
