"""The tab of the data set: thumbnails by person and kind, what the filter rejects, and a way into the other tabs."""

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from deploy.page.common import Page, told
from deploy.page.data_set import DataSet
from deploy.page.texts import text
from engine.errors import InputError

PER_PAGE, LARGE = 24, 640
ALL = "*"


def add(page: Page, data: str | Path | None, tabs: gr.Tabs, photos: Mapping[str, gr.Image]) -> None:
    """Add the tab.

    Args:
        data: the folder; None: the tab says how to name one.
        tabs: of the page.
        photos: tab id -> the photo of that tab, where a chosen picture can go.
    """
    words = page.words
    with words.of(gr.Tab(id="data"), label="data") as tab:
        if data is None:
            words.of(gr.Markdown(), value="no_data")
            return
        _viewer(page, DataSet(data), tab, tabs, photos)


def _viewer(page, shown, tab, tabs, photos):
    words = page.words
    verdicts = [("all", ALL), *((name, name) for name in ("kept", "rejected", "missing"))]
    kinds = [("every_kind", ALL), ("photo", "photo"), ("caricature", "caricature")]
    people = [("everybody", ALL), *((name, name) for name in shown.people())]
    with gr.Row():
        person = words.of(gr.Dropdown(people, value=ALL, elem_id="data-person"), label="person", choices=people)
        kind = words.of(
            gr.Dropdown(kinds, value=ALL, visible=shown.is_webcaricature, elem_id="data-kind"),
            label="kind",
            choices=kinds,
        )
        verdict = words.of(gr.Dropdown(verdicts, value=ALL, elem_id="data-filter"), label="filter", choices=verdicts)
        number = words.of(gr.Number(1, precision=0, minimum=1, elem_id="data-page"), label="page")
        draws = words.of(
            gr.Checkbox(shown.is_webcaricature, visible=shown.is_webcaricature, elem_id="data-landmarks"),
            label="landmarks",
        )
    said, names = gr.Markdown(elem_id="data-said"), gr.State([])
    gallery = gr.Gallery(
        columns=6, height=620, allow_preview=False, format="png", show_label=False, buttons=[], elem_id="data-gallery"
    )
    with gr.Row():
        large = words.of(
            gr.Image(interactive=False, format="png", buttons=["fullscreen"], elem_id="data-chosen"), label="chosen"
        )
        with gr.Column():
            facts, name = gr.Markdown(elem_id="data-facts"), gr.State("")
            buttons = {
                "restore": words.of(gr.Button(interactive=False, elem_id="data-restore"), value="to_restore"),
                "translate": words.of(gr.Button(interactive=False, elem_id="data-translate"), value="to_translate"),
            }

    @told
    def listed(whom: str, which: str, wanted: str, at: int | None, draws_landmarks: bool, language: str) -> Any:
        found = shown.chosen(*(None if value == ALL else value for value in (whom, which, wanted)))
        pages = max(1, -(-len(found) // PER_PAGE))
        at = min(max(int(at or 1), 1), pages)
        part = found[(at - 1) * PER_PAGE : at * PER_PAGE]
        pictures = [_thumbnail(shown, item, draws_landmarks) for item in part]
        return pictures, [item.name for item in part], text("page_of", language, at, pages, len(found)), at

    @told
    def choose(listing: list[str], draws_landmarks: bool, event: gr.SelectData) -> Any:
        one = listing[int(event.index)]
        status, reasons = shown.verdict(one)
        lines = [f"**{one}**", *(f"* {reason}" for reason in reasons or [status])]
        if status == "missing":
            return None, "\n".join(lines), "", *(gr.update(interactive=False) for _ in buttons)
        active = [gr.update(interactive=bool(page.service.models.of_kind(kind))) for kind in buttons]
        return shown.picture(one, LARGE, draws_landmarks), "\n".join(lines), one, *active

    def sender(target):
        @told
        def send(one: str) -> tuple[str, Any]:
            path = shown.path(one)
            folder = page.folder / secrets.token_hex(8)
            folder.mkdir()
            copy = folder / path.name
            copy.write_bytes(path.read_bytes())
            return str(copy), gr.update(selected=target)

        return send

    inputs = [person, kind, verdict, number, draws, page.language]
    for trigger in (tab.select, person.input, kind.input, verdict.input, number.submit, number.input, draws.input):
        trigger(listed, inputs, [gallery, names, said, number], api_visibility="private", trigger_mode="always_last")
    gallery.select(choose, [names, draws], [large, facts, name, *buttons.values()], api_visibility="private")
    for target, button in buttons.items():
        button.click(sender(target), name, [photos[target], tabs], api_visibility="private")


def _thumbnail(shown, item, draws):
    """(picture, caption) of an item; of one that cannot be read a grey square and the reason."""
    status, reasons = shown.verdict(item.name)
    caption = " · ".join([item.name.rpartition("/")[2], *reasons])
    try:
        if status != "missing":
            return shown.thumbnail(item.name, draws), caption
    except InputError as error:
        caption = str(error)
    return np.full((96, 96, 3), 128, np.uint8), caption
