"""The tab of the data set: thumbnails by person and kind, rejected pictures, and a way into the other tabs."""

from collections.abc import Mapping
from typing import Any

import gradio as gr
import numpy as np

from deploy.page.data_set import DataSet
from deploy.page.tab import Page, told
from deploy.page.texts import text
from engine.errors import InputError

PER_PAGE, LARGE = 24, 640
ALL = "*"
VERDICTS = [("all", ALL), *((name, name) for name in ("kept", "rejected", "missing"))]
KINDS = [("every_kind", ALL), ("photo", "photo"), ("caricature", "caricature")]


def add_viewer(page: Page, data: DataSet | None, tabs: gr.Tabs, photos: Mapping[str, gr.Image]) -> None:
    """Add the tab.

    Args:
        data: what is shown; None: the tab says how to name one.
        tabs: of the page.
        photos: tab id -> the photo of that tab, where a chosen picture can go.
    """
    with page.words.of(gr.Tab(id="data"), label="data") as tab:
        if data is None:
            page.words.of(gr.Markdown(), value="no_data")
        else:
            _Viewer(page, data, tab, tabs, photos)


class _Viewer:
    def __init__(self, page, shown, tab, tabs, photos):
        self.page, self.shown, words = page, shown, page.words
        asked = self._filters(words)
        said, names = gr.Markdown(elem_id="data-said"), gr.State([])
        gallery = gr.Gallery(
            columns=6, height=620, object_fit="contain", allow_preview=False, format="png", show_label=False,
            buttons=[], elem_id="data-gallery",
        )  # fmt: skip
        with gr.Row():
            large = gr.Image(interactive=False, format="png", buttons=["fullscreen"], elem_id="data-chosen")
            words.of(large, label="chosen")
            with gr.Column():
                facts, name = gr.Markdown(elem_id="data-facts"), gr.State("")
                self.targets = {
                    target: words.of(gr.Button(interactive=False, elem_id=f"data-{target}"), value=f"to_{target}")
                    for target in ("restore", "translate")
                }
        number, draws = asked[3:]
        triggers = (tab.select, *(one.input for one in asked))
        for trigger in triggers:
            page.on(trigger, self.listed, [*asked, page.language], [gallery, names, said, number], "always_last")
        page.on(
            gallery.select, self.chosen, [names, draws, page.language], [large, facts, name, *self.targets.values()]
        )
        for target, button in self.targets.items():
            page.on(button.click, self.sent, name, photos[target])
            button.click(None, None, tabs, js=f"() => ({{__type__: 'update', selected: '{target}'}})")

    def _filters(self, words):
        """Person, kind, filter, page, landmarks."""
        people = [("everybody", ALL), *((name, name) for name in self.shown.people())]
        is_webcaricature = self.shown.is_webcaricature
        with gr.Row():
            person = gr.Dropdown(people, value=ALL, visible=len(people) > 1, elem_id="data-person")
            kind = gr.Dropdown(KINDS, value=ALL, visible=is_webcaricature, elem_id="data-kind")
            verdict = gr.Dropdown(VERDICTS, value=ALL, visible=is_webcaricature, elem_id="data-filter")
            number = gr.Number(1, precision=0, minimum=1, elem_id="data-page")
            draws = gr.Checkbox(is_webcaricature, visible=is_webcaricature, elem_id="data-landmarks")
        words.of(person, label="person", choices=people)
        words.of(kind, label="kind", choices=KINDS)
        words.of(verdict, label="filter", choices=VERDICTS)
        return [person, kind, verdict, words.of(number, label="page"), words.of(draws, label="landmarks")]

    @told
    def listed(self, person: str, kind: str, verdict: str, at: int | None, draws: bool, language: str) -> Any:
        """One page: thumbnails with captions, their names, a remark, the number of the page."""
        found = self.shown.chosen(*(None if value == ALL else value for value in (person, kind, verdict)))
        pages = max(1, -(-len(found) // PER_PAGE))
        at = min(max(int(at or 1), 1), pages)
        names = [item.name for item in found[(at - 1) * PER_PAGE : at * PER_PAGE]]
        return [self._thumbnail(name, draws) for name in names], names, text(
            "page_of", language, at, pages, len(found)
        ), at  # fmt: skip

    def _thumbnail(self, name, draws):
        """(picture, caption); of one that cannot be read a grey square and the reason."""
        status, reasons = self.shown.verdict(name)
        caption = ": ".join([name.rpartition("/")[2], *reasons])
        try:
            if status != "missing":
                return self.shown.thumbnail(name, draws), caption
        except InputError as error:
            caption = str(error)
        return np.full((96, 96, 3), 128, np.uint8), caption

    @told
    def chosen(self, names: list[str], draws: bool, language: str, event: gr.SelectData) -> Any:
        """A picture in a larger size, what is known of it, its name, and whether the buttons can be used."""
        name = names[int(event.index)]
        status, reasons = self.shown.verdict(name)
        told_of = reasons or ([text(status, language)] if self.shown.is_webcaricature else [])
        lines = "\n".join([f"**{name}**", *(f"* {reason}" for reason in told_of)])
        if status == "missing":
            return None, lines, "", *(gr.update(interactive=False) for _ in self.targets)
        models = self.page.service.models
        active = [gr.update(interactive=bool(models.of_kind(kind))) for kind in self.targets]
        return self.shown.picture(name, LARGE, draws), lines, name, *active

    @told
    def sent(self, name: str) -> str:
        """A copy of a picture's file, for another tab."""
        path = self.shown.path(name)
        copy = self.page.place(path.name)
        copy.write_bytes(path.read_bytes())
        return str(copy)
