"""The tab between photo and caricature: both ways, several styles from a seed, or the style of a picture."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import gradio as gr

from deploy.files import returned
from deploy.page.common import Page, read, told
from deploy.page.faces import smaller
from deploy.page.texts import text
from engine import images

MOST = 8  # styles at one time, as many as share a run


def add(page: Page) -> gr.Image:
    """Add the tab; its photo is given back, for those that put one there."""
    words, models = page.words, page.service.models
    makes = {name: models.get(name).contract.outputs[0].name for name in models.of_kind("translate")}
    is_plain = len(set(makes.values())) == len(makes)
    choices = [(made if is_plain else f"{name}: {made}", name) for name, made in makes.items()]
    with words.of(gr.Tab(id="translate"), label="translate"), gr.Row():
        with gr.Column(min_width=300):
            photo = page.photo(elem_id="translate-photo", height=260)
            model = words.of(
                gr.Radio(choices, value=next(iter(makes), None), elem_id="translate-model"),
                label="direction",
                choices=choices,
            )
            count = words.of(gr.Slider(1, MOST, 4, step=1, elem_id="translate-count"), label="styles")
            seed = words.of(gr.Number(0, precision=0, minimum=0, maximum=2**31, elem_id="translate-seed"), label="seed")
            style = page.photo("style_picture", elem_id="translate-style", height=160)
            pastes = words.of(
                gr.Checkbox(visible=page.service.finder is not None, elem_id="translate-paste"), label="paste"
            )
            button = words.of(gr.Button(variant="primary", elem_id="translate-button"), value="do_translate")
        with gr.Column(min_width=300):
            gallery = words.of(
                gr.Gallery(columns=2, format="png", buttons=["download", "fullscreen"], elem_id="translate-gallery"),
                label="gallery",
            )
            said = gr.Markdown(elem_id="translate-said")

    @told
    def translate(path: str | None, name: str, number: int, first: int, style_path: str | None, pastes_back: bool,
                  language: str) -> tuple[Any, ...]:  # fmt: skip
        began, picture, service = time.perf_counter(), read(path, language), page.service
        served = service.model("translate", name)
        vectors = {} if style_path is None else served.vectors(read(style_path, language).pixels())
        seeds = [int(first)] if vectors else list(range(int(first or 0), int(first or 0) + min(int(number), MOST)))
        given, options = service.begun(served, picture).found, {"paste": "replace" if pastes_back else None}

        def made(one):
            shot = service.shot(served, picture, options, vectors, one, given)
            result = returned(shot.picture, shot.made, "kept", shot.shown)
            return images.to_uint8(smaller(result.pixels())), f"{one}"

        with ThreadPoolExecutor(len(seeds)) as pool:  # so that they share the network's runs
            pictures = list(pool.map(made, seeds))
        seconds = time.perf_counter() - began
        if vectors:
            return pictures, text("translated_style", language, seconds)
        return pictures, text("translated", language, seeds[0], seeds[-1], seconds)

    button.click(
        translate,
        [photo, model, count, seed, style, pastes, page.language],
        [gallery, said],
        api_visibility="private",
    )
    return photo
